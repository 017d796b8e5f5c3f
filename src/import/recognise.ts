/** Which editor wrote a text, by how it is written. */
import type { Budget } from "../export/budget.ts"
import type { Root } from "../export/roots.ts"
import { isLexical, readXml, type TreeNode } from "../export/tree.ts"
import type { Editor } from "./editors.ts"

/** The editor of a root; a root that is no tree is a plain text. @throws SyncError "too-large" */
export function editorOf({ kind, type }: Pick<Root, "kind" | "type">, budget: Budget): Editor {
  if (kind !== "xml") return kind === "text" && isLexical(type) ? "lexical" : "text"
  const { children } = readXml(type, budget)
  if (children.some((child) => child.type === "blockGroup")) return "blocknote"
  return isOlder(children) ? "prosemirror" : "tiptap"
}

/** ProseMirror's own schemas write names with an underscore, and other marks than Tiptap. */
function isOlder(nodes: readonly TreeNode[]): boolean {
  return nodes.some(({ type, marks = {}, children }) => {
    const hasNames = type.includes("_") || Object.hasOwn(marks, "strong") || Object.hasOwn(marks, "em")
    return hasNames || isOlder(children)
  })
}
