/** The rich text the start page begins with, written as @lexical/yjs writes: elements are XmlTexts, words a Map and a string. */
import * as Y from "yjs"

const BOLD = 1
const ITALIC = 2

type Piece = string | readonly [text: string, format: number] | Y.XmlText

/** Write the greeting into an empty document. */
export function writeGreeting(doc: Y.Doc): void {
  const root = doc.get("root", Y.XmlText)
  fill(root, [
    element("heading", { __tag: "h1" }, "The menu for Friday"),
    element(
      "paragraph",
      {},
      "Everyone writes ",
      ["in the same text", BOLD],
      ". Your undo takes back ",
      ["yours", ITALIC],
      " only.",
    ),
    element(
      "list",
      { __tag: "ul", __listType: "bullet", __start: 1 },
      item(1, "dumplings, steamed"),
      item(2, "salty tea"),
    ),
  ])
}

function item(value: number, text: string): Y.XmlText {
  return element("listitem", { __value: value }, text)
}

function element(type: string, attributes: Record<string, unknown>, ...pieces: Piece[]): Y.XmlText {
  const element = new Y.XmlText()
  const all = { __type: type, __format: 0, __style: "", __indent: 0, __dir: null, ...attributes }
  // reason: Yjs stores any JSON as an attribute of an XmlText, and Lexical relies on it; the types only know strings
  for (const [name, value] of Object.entries(all)) element.setAttribute(name, value as unknown as string)
  fill(element, pieces)
  return element
}

/** An XmlText outside of a document only queues its changes and reports no length, so the end is counted here. */
function fill(element: Y.XmlText, pieces: readonly Piece[]): void {
  let end = 0
  for (const piece of pieces) {
    if (piece instanceof Y.XmlText) {
      element.insertEmbed(end++, piece)
      continue
    }
    const [text, format] = typeof piece === "string" ? [piece, 0] : piece
    const words = new Y.Map<unknown>()
    for (const [name, value] of Object.entries({
      __type: "text",
      __format: format,
      __style: "",
      __mode: 0,
      __detail: 0,
    })) {
      words.set(name, value)
    }
    element.insertEmbed(end++, words)
    element.insert(end, text)
    end += text.length
  }
}
