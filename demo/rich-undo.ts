/**
 * Undo that takes back what the visitor did, and nothing else.
 *
 * Yjs undoes an insertion by deleting what was inserted, with everything that is in it by now. In Lexical's document
 * a paragraph is one such insertion and holds its words, and the words of others too. And where the last block of a
 * document goes, Lexical puts an empty paragraph in its place: one more change, after which there is nothing to
 * redo. So an undo here leaves standing what others have written in, and the last block: it only takes the words out.
 *
 * After an undo, and after a change of others, Lexical merges neighbouring words of one look and writes that into the
 * document. The visitor has done nothing then, so it is no step to undo either.
 */
import { useLexicalComposerContext } from "@lexical/react/LexicalComposerContext"
import { COLLABORATION_TAG, HISTORIC_TAG, type LexicalEditor } from "lexical"
import { useEffect } from "react"
import * as Y from "yjs"
import { cutCopies } from "./own-undo.ts"

/** Where Lexical's collaboration plugin keeps its undo manager on the editor. */
const UNDO_MANAGER = Symbol.for("@lexical/yjs/UndoManager")

/** A part of a Lexical editor; it stands before the collaboration plugin. @param props.doc the document it is bound to */
export function OwnUndo({ doc }: { doc: Y.Doc }): null {
  const [editor] = useLexicalComposerContext()
  useEffect(() => {
    let narrowed: Y.UndoManager | undefined
    let followsYjs = false
    // Hears of an update of the editor before the plugin does, which then writes it into the document.
    return editor.registerUpdateListener(({ tags }) => {
      followsYjs = tags.has(HISTORIC_TAG) || tags.has(COLLABORATION_TAG)
      const manager = undoManagerOf(editor)
      if (manager === undefined || manager === narrowed) return
      narrowed = manager
      const { captureTransaction } = manager
      manager.captureTransaction = (transaction) =>
        captureTransaction(transaction) && (transaction.origin === manager || !followsYjs)
      manager.deleteFilter = (item) => mayGo(item, doc)
      cutCopies(manager)
    })
  }, [editor, doc])
  return null
}

function undoManagerOf(editor: LexicalEditor): Y.UndoManager | undefined {
  const manager: unknown = Reflect.get(editor, UNDO_MANAGER)
  return manager instanceof Y.UndoManager ? manager : undefined
}

/** Whether undo may delete this item, which it made. Yjs asks about the newest first: its own words are gone before their block. */
function mayGo(item: Y.Item, doc: Y.Doc): boolean {
  // Properties of a block or a run of words go with it; alone they would leave it without a type. One that replaced
  // an older value goes, and the older one comes back.
  if (item.parentSub !== null) return item.left !== null || !isMadeBySame(item)
  if (!(item.content instanceof Y.ContentType)) return true
  if (item.parent === doc.get("root", Y.XmlText) && !hasSibling(item)) return false
  return !isWrittenInByOthers(item, doc.clientID)
}

function isMadeBySame({ parent, id }: Y.Item): boolean {
  return parent instanceof Y.AbstractType && parent._item?.id.client === id.client
}

/** Whether its block holds another one. */
function hasSibling(item: Y.Item): boolean {
  for (const [step, start] of [
    ["left", item.left],
    ["right", item.right],
  ] as const) {
    for (let other = start; other !== null; other = other[step]) {
      if (!other.deleted && other.content instanceof Y.ContentType) return true
    }
  }
  return false
}

/** Whether somebody else's words depend on it: they are in the block, or follow the map that says how they look. */
function isWrittenInByOthers(item: Y.Item, self: number): boolean {
  if (!(item.content instanceof Y.ContentType)) return false
  const { type } = item.content
  if (type instanceof Y.Map)
    return hasForeign(item.right, self, (other) => other.content instanceof Y.ContentType)
  return hasForeign(type._start, self)
}

/** Whether there is anything of others, from here to the end of the block or until `isEnd`. */
function hasForeign(
  first: Y.Item | null,
  self: number,
  isEnd: (item: Y.Item) => boolean = () => false,
): boolean {
  for (let item = first; item !== null; item = item.right) {
    if (item.deleted) continue
    if (isEnd(item)) return false
    if (item.countable && item.id.client !== self) return true
    if (item.content instanceof Y.ContentType && hasForeign(item.content.type._start, self)) return true
  }
  return false
}
