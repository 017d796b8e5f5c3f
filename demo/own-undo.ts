/**
 * Undo that takes back what one has written and leaves what others have written in it, for editors whose document is a tree.
 *
 * Yjs undoes an insertion by deleting what was inserted, with everything that is in it by now: of a heading or a list item
 * the words of others too. Lexical keeps its words in another way and has a rule of its own, rich-undo.ts.
 */
import * as Y from "yjs"

/**
 * Whether undo may delete this item, which it made. Yjs asks about the newest first, so one's own words are gone by the time their
 * block is asked about: what is not empty then has somebody else's in it.
 *
 * @example new Y.UndoManager(type, { deleteFilter: mayGo })
 */
export function mayGo(item: Y.Item): boolean {
  // A property that a block was made with goes with the block; alone it would leave a heading without its level.
  if (item.parentSub !== null) return item.left !== null || !isMadeBySame(item)
  if (!(item.content instanceof Y.ContentType)) return true
  return item.content.type._length === 0 || isReplaced(item)
}

/**
 * A block of BlockNote has one content. Where undo has just brought back the one that this one had replaced (a paragraph that
 * became a heading), both cannot stay: the editor would throw away what does not fit.
 */
function isReplaced({ parent, content }: Y.Item): boolean {
  if (!(parent instanceof Y.XmlElement) || parent.nodeName !== "blockContainer") return false
  const own = content instanceof Y.ContentType ? content.type : null
  const others = parent.toArray().filter((child) => child !== own && child instanceof Y.XmlElement)
  return nameOf(own) !== "blockGroup" && others.some((other) => nameOf(other) !== "blockGroup")
}

function nameOf(type: unknown): string | null {
  return type instanceof Y.XmlElement ? type.nodeName : null
}

function isMadeBySame({ parent, id }: Y.Item): boolean {
  return parent instanceof Y.AbstractType && parent._item?.id.client === id.client
}
