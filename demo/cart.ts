/**
 * A cart for one person on many devices. It is changed here, in the browser, and so works offline too; a shop's
 * own server changes the same cart over HTTP (cart-room.ts).
 */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { type Cart, changeCart, PRODUCTS, readCart, type Sku } from "./cart-items.ts"
import source from "./cart-items.ts?raw"
import { picture } from "./cart-pictures.ts"
import { el, find } from "./element.ts"
import { showHeader } from "./header.ts"
import { openDocument, page, requestUrl, roomsUrl, startDocument } from "./page.ts"
import { claims, watchRights } from "./rights.ts"
import { snippet } from "./snippet.ts"
import { showSource } from "./source-button.ts"

const OWNER = "cart-owner"

// The cart's owner: the token's subject, else the one in the address, else the last one in this browser.
const owner = claims?.sub ?? page.asked ?? localStorage.getItem(OWNER)
if (owner === null) askOwner()
else openShop(asId(owner))

function openShop(id: string): void {
  startDocument(id)
  const doc = new Y.Doc()
  const provider = new Provider(roomsUrl(), id, doc, { token: page.token, offline: indexedDb })

  const showLines = cartLines(doc)
  const show = (): void => {
    const { lines, pieces, cents } = readCart(doc)
    showLines(lines)
    find("pieces").replaceChildren(pieces === 1 ? "1 piece" : `${pieces} pieces`)
    find("total").replaceChildren(euros(cents))
    find("reset").hidden = pieces === 0
  }
  doc.getArray("cart").observe(show)
  show()

  find("products").append(
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
  find("other").hidden = claims?.sub !== undefined
  find("curl").append(snippet(command({ add: "honey" }), "Copy the command"))
  find("shop").hidden = false
  watchRights(provider, (readOnly) => {
    for (const id of ["shelf", "order"]) find<HTMLFieldSetElement>(id).disabled = readOnly
  })
  showHeader(provider, { title: "Cart" })
  showSource("cart-items.ts", source)
}

/** The lines of the cart. A product keeps its elements while it is in the cart, so that its buttons keep the focus. */
function cartLines(doc: Y.Doc): (lines: Cart["lines"]) => void {
  const list = find("lines")
  const none = el("li", { class: "none" }, "Nothing in it yet.")
  const elements = new Map<Sku, HTMLElement>()

  const lineOf = ({ sku, name }: Cart["lines"][number]): HTMLElement => {
    const known = elements.get(sku)
    if (known !== undefined) return known
    const made = el(
      "li",
      {},
      el("span", { class: "product" }, name),
      button("−", `One ${name} less`, () => changeCart(doc, { remove: sku })),
      el("span", { class: "pieces" }),
      button("+", `One ${name} more`, () => changeCart(doc, { add: sku })),
      el("span", { class: "price" }),
    )
    elements.set(sku, made)
    return made
  }
  return (lines) => {
    const skus = new Set(lines.map(({ sku }) => sku))
    for (const [sku, element] of elements) {
      if (skus.has(sku)) continue
      const hadFocus = element.contains(document.activeElement)
      const neighbour = element.nextElementSibling ?? element.previousElementSibling
      element.remove()
      elements.delete(sku)
      if (hadFocus) (neighbour?.querySelector("button") ?? find("basket-title")).focus()
    }
    none.remove()
    for (const [index, line] of lines.entries()) {
      const element = lineOf(line)
      if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null)
      const pieces = element.querySelector(".pieces")!
      pieces.textContent = String(line.pieces)
      pieces.ariaLabel = `${line.pieces} pieces`
      element.querySelector(".price")!.textContent = euros(line.cents)
    }
    if (lines.length === 0) list.append(none)
  }
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
  return `curl ${bearer}-d '${JSON.stringify(change)}' ${requestUrl()}`
}

/** A name or a token's subject as a document id; "Ana Lima" and "ana lima" are the same person. */
function asId(name: string): string {
  return (
    name
      .trim()
      // Accents do not count: "Zoë" is zoe.
      .normalize("NFD")
      .replaceAll(/\p{Mark}/gu, "")
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number}._~:@-]+/gu, "-")
      .replaceAll(/^[.-]+|[.-]+$/g, "") || "someone"
  )
}

function euros(cents: number): string {
  return (cents / 100).toLocaleString("en", { style: "currency", currency: "EUR" })
}
