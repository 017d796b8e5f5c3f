/** Bytes by hand: frames, updates and awareness entries that no honest encoder writes. The grammar is in src/update/vet.ts. */
import * as encoding from "lib0/encoding"
import * as Y from "yjs"

/** A number is a varuint, a string its length and UTF-8, bytes are themselves. */
export type Part = number | string | Uint8Array

export function bytes(...parts: Part[]): Uint8Array<ArrayBuffer> {
  return join(parts)
}

/** The same of more parts than a call takes. */
export function join(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    encoding.encode((encoder) => {
      for (const part of parts) {
        if (typeof part === "number") encoding.writeVarUint(encoder, part)
        else if (typeof part === "string") encoding.writeVarString(encoder, part)
        else encoding.writeUint8Array(encoder, part)
      }
    }),
  )
}

/** Bytes as they are. */
export function raw(...values: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values)
}

export function hex(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "hex"))
}

/** Bytes after their length. */
export function sized(content: Uint8Array): Uint8Array {
  return bytes(content.length, content)
}

// ---- frames

export const step1 = (stateVector: Uint8Array) => bytes(0, 0, sized(stateVector))
export const step2 = (update: Uint8Array) => bytes(0, 1, sized(update))
export const updateFrame = (update: Uint8Array) => bytes(0, 2, sized(update))
export const awareness = (...entries: [client: number, clock: number, state: string][]) =>
  bytes(1, sized(join([entries.length, ...entries.flat()])))
export const QUERY = raw(3)
export const saved = (payload: Uint8Array) => bytes(102, sized(payload))
export const renewal = (token: string) => bytes(104, token)

// ---- updates

/** An update of sections, each of one client's structs from a clock on. */
export function update(
  sections: [client: number, clock: number, ...structs: Uint8Array[]][],
  deletes: [client: number, ...ranges: [clock: number, length: number][]][] = [],
): Uint8Array<ArrayBuffer> {
  return join([
    sections.length,
    ...sections.flatMap(([client, clock, ...structs]) => [structs.length, client, clock, ...structs]),
    deletes.length,
    ...deletes.flatMap(([client, ...ranges]) => [client, ranges.length, ...ranges.flat()]),
  ])
}

const HAS_ORIGIN = 0x80
const HAS_KEY = 0x20

/** Where an item is: under a root, in a shared type, or after another item. */
export type Place =
  | { readonly root: string; readonly key?: string }
  | { readonly parent: [client: number, clock: number]; readonly key?: string }
  | { readonly origin: [client: number, clock: number] }

/** An item of a kind of content (4 string, 7 type, 8 any, …). */
export function item(kind: number, place: Place, ...content: Part[]): Uint8Array {
  if ("origin" in place) return bytes(raw(kind | HAS_ORIGIN), ...place.origin, ...content)
  const { key } = place
  const parent = "root" in place ? [1, place.root] : [0, ...place.parent]
  return bytes(
    raw(kind | (key === undefined ? 0 : HAS_KEY)),
    ...parent,
    ...(key === undefined ? [] : [key]),
    ...content,
  )
}

export const gc = (length: number) => bytes(0, length)
export const skip = (length: number) => bytes(10, length)
export const letters = (place: Place, text: string) => item(4, place, text)
/** A list of Any values, each already encoded. */
export const anys = (place: Place, ...values: Uint8Array[]) => item(8, place, values.length, ...values)
export const json = (place: Place, text: string) => item(5, place, text)
/** 0 array, 1 map, 2 text, 3 XML element, … */
export const shared = (place: Place, type: number) => item(7, place, type)

/** Lists in lists, this deep, as an Any value. */
export function nestedAny(depth: number): Uint8Array {
  return Uint8Array.from([...Array.from({ length: depth }, () => [117, 1]).flat(), 126])
}

/** Arrays in arrays: the structs of one client from a clock on, the first one in `place`. */
export function nestedTypes(
  client: number,
  clock: number,
  { depth, place }: { depth: number; place: Place },
): Uint8Array[] {
  return Array.from({ length: depth }, (_, i) =>
    shared(i === 0 ? place : { parent: [client, clock + i - 1] }, 0),
  )
}

/** What an honest client writes. */
export function honestUpdate(change: (doc: Y.Doc) => void, client?: number): Uint8Array {
  const doc = new Y.Doc()
  if (client !== undefined) doc.clientID = client
  change(doc)
  return Y.encodeStateAsUpdate(doc)
}
