/**
 * Undo that takes back what one has written and leaves what others have written in it, for editors whose document is a tree.
 *
 * Yjs undoes an insertion by deleting what was inserted, with everything that is in it by now: of a heading or a list item
 * the words of others too. Lexical keeps its words in another way and has a rule of its own, rich-undo.ts.
 *
 * And where an undo has brought back a block, the words in it are new copies, which Yjs joins: one's own and those of others
 * are one item then. The next undo follows one's own word to its copy, and takes the whole item.
 */
import * as Y from "yjs"

/**
 * Make an undo manager take back no words but those of the step, of a block that it has brought back once as well.
 * @example takeBackOwn(yUndoPluginKey.getState(view.state).undoManager)
 */
export function takeBackOwn(manager: Y.UndoManager): void {
  manager.deleteFilter = mayGo
  cutCopies(manager)
}

/** Before each undo and redo, cut what it brought back as what is to go was cut; for a manager with a filter of its own. */
export function cutCopies(manager: Y.UndoManager): void {
  manager.doc.on("beforeTransaction", (transaction: Y.Transaction) => {
    if (transaction.origin !== manager) return
    for (const { insertions } of manager.undoing ? manager.undoStack : manager.redoStack)
      Y.iterateDeletedStructs(transaction, insertions, (struct) => {
        if (struct instanceof Y.Item) cutAsCopied(transaction, struct)
      })
  })
}

/** Cut an item and its copy, and that one's, until each is one item and as long as the other. */
function cutAsCopied(transaction: Y.Transaction, item: Y.Item): void {
  if (item.redone === null) return
  const copy = Y.getItemCleanStart(transaction, item.redone)
  if (!(copy instanceof Y.Item)) return
  const { client, clock } = copy.id
  if (copy.length > item.length) Y.getItemCleanStart(transaction, Y.createID(client, clock + item.length))
  cutAsCopied(transaction, copy)
  if (copy.length < item.length)
    Y.getItemCleanStart(transaction, Y.createID(item.id.client, item.id.clock + copy.length))
}

/**
 * Whether undo may delete this item, which it made. Yjs asks about the newest first, so one's own words are gone by the time their
 * block is asked about: what is not empty then has somebody else's in it.
 */
function mayGo(item: Y.Item): boolean {
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
