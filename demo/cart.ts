/**
 * A cart for one person on many devices. It is changed here, in the browser, and so works offline too; a shop's
 * own server changes the same cart over HTTP (cart-room.ts).
 */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { changeCart, PRODUCTS, readCart, type Sku } from "./cart-items.ts"
import { picture } from "./cart-pictures.ts"
import { el, find } from "./element.ts"
import { showHeader } from "./header.ts"
import { openDocument, page, requestUrl, roomsUrl, startDocument, watchRights } from "./page.ts"
import { snippet } from "./snippet.ts"

const OWNER = "cart-owner"

// Whose cart: the token's subject, else the address, else who shopped here last.
const owner = page.subject ?? page.asked ?? localStorage.getItem(OWNER)
if (owner === null) askOwner()
else openShop(asId(owner))

function openShop(id: string): void {
  startDocument(id)
  const doc = new Y.Doc()
  const provider = new Provider(roomsUrl("/parties/cart"), id, doc, { token: page.token, offline: indexedDb })

  const show = (): void => {
    const { lines, pieces, cents } = readCart(doc)
    find("lines").replaceChildren(
      ...lines.map((line) =>
        el(
          "li",
          {},
          el("span", { class: "product" }, line.name),
          button("−", `One ${line.name} less`, () => changeCart(doc, { remove: line.sku })),
          el("span", { class: "pieces", "aria-label": `${line.pieces} pieces` }, String(line.pieces)),
          button("+", `One ${line.name} more`, () => changeCart(doc, { add: line.sku })),
          el("span", { class: "price" }, euros(line.cents)),
        ),
      ),
      lines.length === 0 ? el("li", { class: "none" }, "Nothing in it yet.") : "",
    )
    find("pieces").replaceChildren(pieces === 1 ? "1 piece" : `${pieces} pieces`)
    find("total").replaceChildren(euros(cents))
    find<HTMLButtonElement>("reset").disabled = pieces === 0
  }
  doc.getArray("cart").observe(show)
  show()

  find("shelf").append(
    ...PRODUCTS.map(({ sku, name, cents }) =>
      el(
        "li",
        { class: "card" },
        picture(sku),
        el("h2", {}, name),
        el("span", { class: "price" }, euros(cents)),
        button("Add", `Add ${name}`, () => changeCart(doc, { add: sku })),
      ),
    ),
  )
  find("reset").addEventListener("click", () => changeCart(doc, { reset: true }))
  find("other").addEventListener("click", () => {
    localStorage.removeItem(OWNER)
    openDocument(null)
  })
  find("other").hidden = page.subject !== undefined
  find("curl").append(snippet(command({ add: "honey" }), "Copy the command"))
  find("shop").hidden = false
  watchRights(provider, (readOnly) => {
    find<HTMLFieldSetElement>("shop").disabled = readOnly
  })
  showHeader(provider, { title: "Cart" })
}

function askOwner(): void {
  const form = find<HTMLFormElement>("who")
  const name = find<HTMLInputElement>("owner")
  form.hidden = false
  name.focus()
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    localStorage.setItem(OWNER, name.value)
    openDocument(asId(name.value))
  })
}

function button(label: string, says: string, onclick: () => void): HTMLButtonElement {
  return el("button", { type: "button", "aria-label": says, onclick }, label)
}

function command(change: { add: Sku }): string {
  const bearer = page.token === undefined ? "" : `-H "Authorization: Bearer $TOKEN" `
  return `curl ${bearer}-d '${JSON.stringify(change)}' ${requestUrl("/parties/cart")}`
}

/** A name or a token's subject as a document id; "Ana Lima" and "ana lima" are the same person. */
function asId(name: string): string {
  return (
    name
      .trim()
      // Without their accents: "Zoë" is zoe.
      .normalize("NFD")
      .replaceAll(/\p{Mark}/gu, "")
      .toLowerCase()
      .replaceAll(/[^a-z0-9._~:-]+/g, "-") || "someone"
  )
}

function euros(cents: number): string {
  return (cents / 100).toLocaleString("en", { style: "currency", currency: "EUR" })
}
