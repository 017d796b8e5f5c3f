/** Undo that leaves others' words standing, for documents of maps with texts in them: cards, notes. */
import * as Y from "yjs"

/**
 * Whether undo may delete this item, which the visitor made; for `deleteFilter` of Y.UndoManager. Yjs undoes an insertion
 * with everything that is in it by now. So what somebody else has written in stays, and its properties with it; the
 * visitor's own words in it go.
 *
 * @param self the visitor's client id
 */
export function mayUndo(item: Y.Item, self: number): boolean {
  const parent = item.parent as Y.AbstractType<unknown>
  // Properties stay where their map has to. Yjs has brought back older ones by now, and with them taken the newer away.
  if (item.parentSub !== null && parent._item !== null) return !hasWordsOfOthers(parent, self)
  return !(item.content instanceof Y.ContentType) || !hasWordsOfOthers(item.content.type, self)
}

function hasWordsOfOthers(type: Y.AbstractType<unknown>, self: number): boolean {
  for (let item = type._start; item !== null; item = item.right) {
    if (!item.deleted && item.content instanceof Y.ContentString && item.id.client !== self) return true
  }
  return [...type._map.values()].some(
    (item) =>
      !item.deleted && item.content instanceof Y.ContentType && hasWordsOfOthers(item.content.type, self),
  )
}
