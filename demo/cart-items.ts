/**
 * What is in a cart, for the page and the room alike.
 *
 * A cart is a Y.Array "cart" that holds a product's sku once for every piece. A number to count up would lose
 * one of two pieces that are added on two devices at the same moment; a list keeps both.
 */
import type * as Y from "yjs"
import { SyncError } from "../src/errors.ts"

/** What the shop sells, in the order of its shelf. */
export const PRODUCTS = [
  { sku: "bread", name: "Flatbread", cents: 320 },
  { sku: "honey", name: "Mountain honey", cents: 890 },
  { sku: "apples", name: "Apples, 1 kg", cents: 410 },
  { sku: "kettle", name: "Kettle", cents: 3900 },
  { sku: "lantern", name: "Lantern", cents: 2450 },
  { sku: "blanket", name: "Wool blanket", cents: 7900 },
] as const

/** The key of a product. */
export type Sku = (typeof PRODUCTS)[number]["sku"]

/** One change; over HTTP its JSON is the body: `{"add": "bread"}`. */
export type CartChange = { readonly add: Sku } | { readonly remove: Sku } | { readonly reset: true }

/** A cart as it is shown: sums in cents. */
export interface Cart {
  readonly lines: readonly {
    readonly sku: Sku
    readonly name: string
    readonly pieces: number
    readonly cents: number
  }[]
  readonly pieces: number
  readonly cents: number
}

/** Put one piece in, take one out, or empty the cart; in one transaction. Taking out what is not there does nothing. */
export function changeCart(doc: Y.Doc, change: CartChange): void {
  const items = doc.getArray<Sku>("cart")
  if ("add" in change) items.push([change.add])
  else if ("reset" in change) items.delete(0, items.length)
  else {
    const index = items.toArray().lastIndexOf(change.remove)
    if (index >= 0) items.delete(index)
  }
}

/** The cart's lines in the order of the shop; `cents` of a line and of the cart are sums. */
export function readCart(doc: Y.Doc): Cart {
  const items = doc.getArray<Sku>("cart").toArray()
  const lines = PRODUCTS.map(({ sku, name, cents }) => {
    const pieces = items.filter((item) => item === sku).length
    return { sku, name, pieces, cents: pieces * cents }
  }).filter(({ pieces }) => pieces > 0)
  const sum = (key: "pieces" | "cents"): number => lines.reduce((total, line) => total + line[key], 0)
  return { lines, pieces: sum("pieces"), cents: sum("cents") }
}

/** A change from outside. @throws SyncError "bad-request" when it is none, or of a product the shop does not have */
export function readChange(value: unknown): CartChange {
  const isSku = (sku: unknown): sku is Sku => PRODUCTS.some((product) => product.sku === sku)
  if (typeof value === "object" && value !== null) {
    if ("add" in value && isSku(value.add)) return { add: value.add }
    if ("remove" in value && isSku(value.remove)) return { remove: value.remove }
    if ("reset" in value && value.reset === true) return { reset: true }
  }
  const skus = PRODUCTS.map(({ sku }) => sku).join(", ")
  throw new SyncError(
    "bad-request",
    `Send {"add": sku}, {"remove": sku} or {"reset": true}; sku is one of ${skus}`,
  )
}
