/** What only a document can tell of an update: whether doubts hold, how deep types lie, which roots are touched. */
import * as Y from "yjs"
import { LIMITS, type UpdateLimits } from "../limits.ts"
import { mergeUpdates } from "./merge.ts"
import type { Touches } from "./touches.ts"
import type { Id, Section } from "./vet.ts"
import { COST, weightOfNames } from "./weight.ts"

/**
 * A Y.Doc as a room keeps one: it changes by updates only.
 *
 * A stock Y.Doc that integrates formatting from others looks for marks without effect and deletes them, in a transaction
 * of its own. An editor sends that on; a room that did so alone would show other marks than its editors.
 */
export function createDocument(options?: ConstructorParameters<typeof Y.Doc>[0]): Y.Doc {
  const doc = new Y.Doc(options)
  // Yjs looks at the flag just after this event.
  doc.on("afterTransaction", (transaction) => {
    transaction._needFormattingCleanup = false
  })
  return doc
}

/**
 * Change a document and catch what it made of that: of an applied update the same structs and deletes, but for what was
 * known before, and with items that went where everything was collected as collected.
 *
 * @example
 * const { update } = capture(doc, () => Y.applyUpdate(doc, news))
 * @returns what `change` returned, and the update; null where nothing changed
 */
export function capture<Result>(
  doc: Y.Doc,
  change: () => Result,
): { result: Result; update: Uint8Array | null } {
  const updates: Uint8Array[] = []
  const keep = (update: Uint8Array) => updates.push(update)
  doc.on("update", keep)
  try {
    const result = change()
    return { result, update: updates.length === 0 ? null : mergeUpdates(updates) }
  } finally {
    doc.off("update", keep)
  }
}

/**
 * Settle the doubts of an accepted update with the document, before the update is applied.
 *
 * An item longer than one clock that is alive under a key is a bomb: once something refers to its middle, Yjs splits
 * it, deletes only one half when the key is set again, and throws when the parent is collected, in every client. An
 * honest client never makes one. But an item that has neighbours does not say whether it is under a key, it is where
 * they are: the doubts are those neighbours.
 *
 * A neighbour that was collected can't tell any more; the item will be collected with it. What must then be stored
 * and relayed is what the document makes of the update, not its bytes: see `capture`.
 *
 * @returns the reason to refuse, or null
 */
export function settleDoubts(doubts: readonly Id[], doc: Y.Doc): string | null {
  for (const id of doubts) {
    const key = itemAt(id, doc)?.parentSub ?? null
    if (key !== null)
      return `an item longer than 1 next to clock ${id.clock} of client ${id.client}, under a key`
  }
  return null
}

/**
 * Whether the shared types that an update has just added to a document lie too deep: an update nests few, many
 * updates could nest any number. Deleting or exporting them is recursive in Yjs.
 *
 * @param sections of the verdict on the update
 * @returns the reason to refuse the update and to forget this document, or null
 */
export function settleDepth(
  sections: readonly Section[],
  doc: Y.Doc,
  { typeDepth }: Pick<UpdateLimits, "typeDepth"> = LIMITS,
): string | null {
  for (const { client, clock, end } of sections) {
    const structs = doc.store.clients.get(client) ?? []
    for (let i = structs.length - 1; i >= 0; i--) {
      const struct = structs[i]!
      if (struct.id.clock + struct.length <= clock) break
      if (struct.id.clock >= end || !(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentType))
        continue
      if (levelsAround(struct, typeDepth) > typeDepth)
        return `a type nested more than ${typeDepth} deep at clock ${struct.id.clock} of client ${client}`
    }
  }
  return null
}

/** How many levels of shared types lie within each other in a document; counting stops past the limit. */
export function depthOf(doc: Y.Doc, { typeDepth }: Pick<UpdateLimits, "typeDepth"> = LIMITS): number {
  let deepest = 0
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (struct instanceof Y.Item && struct.content instanceof Y.ContentType)
        deepest = Math.max(deepest, levelsAround(struct, typeDepth))
    }
  }
  return deepest
}

/** How many items lie around this one, itself included; counting stops past the limit. */
function levelsAround(item: Y.Item, limit: number): number {
  let depth = 0
  for (let at: Y.Item | null = item; at !== null && depth <= limit; depth++) {
    at = at.parent instanceof Y.AbstractType ? at.parent._item : null
  }
  return depth
}

/**
 * The roots that an update changes. What was collected belongs to none, and deleting what was deleted before changes none.
 * @param doc the document that the update was vetted for, before the update is applied
 */
export function rootsOf(touches: Touches, doc: Y.Doc): Set<string> {
  const names = new Map<unknown, string>()
  for (const [name, type] of doc.share) names.set(type, name)
  const roots = new Set(touches.roots)
  const touch = (item: Y.Item) => {
    let at = item
    while (at.parent instanceof Y.AbstractType && at.parent._item !== null) at = at.parent._item
    const name = names.get(at.parent)
    if (name !== undefined) roots.add(name)
  }
  for (const id of touches.ids) {
    const item = itemAt(id, doc)
    if (item !== null) touch(item)
  }
  for (const { client, clock, end } of touches.deletes) {
    const structs = doc.store.clients.get(client)
    if (structs === undefined || clock >= Y.getState(doc.store, client)) continue
    for (let i = Y.findIndexSS(structs, clock); i < structs.length && structs[i]!.id.clock < end; i++) {
      const struct = structs[i]!
      if (struct instanceof Y.Item && !struct.deleted) touch(struct)
    }
  }
  return roots
}

function itemAt({ client, clock }: Id, doc: Y.Doc): Y.Item | null {
  if (clock >= Y.getState(doc.store, client)) return null
  const struct: Y.Item | Y.GC = Y.getItem(doc.store, Y.createID(client, clock))
  return struct instanceof Y.Item ? struct : null
}

/** About how many bytes of memory a document takes: the rule of a verdict's `weight`, for what is there. */
export function weightOf(doc: Y.Doc): number {
  let weight = 0
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) weight += struct instanceof Y.Item ? weightOfItem(struct) : COST.gc
  }
  return weight
}

function weightOfItem({ origin, rightOrigin, parentSub, content }: Y.Item): number {
  let weight: number = COST.item
  if (origin !== null) weight += COST.id
  if (rightOrigin !== null) weight += COST.id
  if (parentSub !== null) weight += COST.key + parentSub.length
  return weight + weightOfContent(content)
}

function weightOfContent(content: Y.Item["content"]): number {
  if (content instanceof Y.ContentString) return weightOfText(content.str)
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return weightOfMembers(content.arr)
  if (content instanceof Y.ContentEmbed) return weightOfValue(content.embed)
  if (content instanceof Y.ContentFormat) return weightOfValue(content.value)
  if (content instanceof Y.ContentBinary) return weightOfValue(content.content)
  if (content instanceof Y.ContentType) return COST.type
  return content instanceof Y.ContentDoc ? COST.subdocument : 0
}

function weightOfValue(value: unknown): number {
  if (typeof value === "string") return COST.string + weightOfText(value)
  if (typeof value === "number") return value === (value | 0) ? 0 : COST.number
  if (typeof value === "bigint") return COST.number
  if (typeof value !== "object" || value === null) return 0
  if (value instanceof Uint8Array) return COST.bytes + value.length
  if (Array.isArray(value)) return COST.array + weightOfMembers(value)
  const names = Object.keys(value)
  const letters = names.reduce((sum, name) => sum + name.length, 0)
  return COST.object + weightOfNames(names.length) + letters + weightOfMembers(Object.values(value))
}

function weightOfMembers(values: readonly unknown[]): number {
  return values.reduce((sum: number, value) => sum + COST.slot + weightOfValue(value), 0)
}

/** A string takes a byte for each character, two where one of them needs it. */
function weightOfText(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return 2 * text.length
  return text.length
}
