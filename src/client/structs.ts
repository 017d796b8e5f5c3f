/** Updates as structs: written after they were renamed, and cut into parts where they are too large for one frame. */
import * as encoding from "lib0/encoding"
import * as Y from "yjs"

/** One struct of a decoded update. */
export type Struct = Y.Item | Y.GC | Y.Skip

/** Ranges of deleted clocks, by client. */
export type Deletions = Map<number, { readonly clock: number; readonly len: number }[]>

const NO_DELETIONS: Deletions = new Map()

/** The update with these structs, of each client in the order of their clocks and without a gap, and these deletions. */
export function writeStructs(structs: readonly Struct[], deletions: Deletions): Uint8Array {
  const sections = groupByClient(structs)
  const encoder = new Y.UpdateEncoderV1()
  const rest = encoder.restEncoder
  encoding.writeVarUint(rest, sections.size)
  // Yjs writes the clients descending.
  for (const [client, section] of [...sections].sort(([a], [b]) => b - a)) {
    encoding.writeVarUint(rest, section.length)
    encoding.writeVarUint(rest, client)
    encoding.writeVarUint(rest, section[0]?.id.clock ?? 0)
    for (const struct of section) struct.write(encoder, 0)
  }
  encoding.writeVarUint(rest, deletions.size)
  for (const [client, ranges] of deletions) {
    encoding.writeVarUint(rest, client)
    encoding.writeVarUint(rest, ranges.length)
    for (const { clock, len } of ranges) {
      encoding.writeVarUint(rest, clock)
      encoding.writeVarUint(rest, len)
    }
  }
  return encoder.toUint8Array()
}

/**
 * The same update as several, of about `partBytes` at most, each of which integrates after those before it. Its
 * deletions are in the last.
 */
export function* splitUpdate(update: Uint8Array, partBytes: number): Generator<Uint8Array> {
  if (update.length <= partBytes) {
    yield update
    return
  }
  const { structs, ds } = Y.decodeUpdate(update)
  let part: Struct[] = []
  let bytes = 0
  for (const struct of inOrder(structs)) {
    for (const piece of cut(struct, partBytes)) {
      const pieceBytes = writeStructs([piece], NO_DELETIONS).length
      if (part.length > 0 && bytes + pieceBytes > partBytes) {
        yield writeStructs(part, NO_DELETIONS)
        part = []
        bytes = 0
      }
      part.push(piece)
      bytes += pieceBytes
    }
  }
  yield writeStructs(part, ds.clients)
}

function groupByClient(structs: readonly Struct[]): Map<number, Struct[]> {
  const sections = new Map<number, Struct[]>()
  for (const struct of structs) {
    const section = sections.get(struct.id.client)
    if (section === undefined) sections.set(struct.id.client, [struct])
    else section.push(struct)
  }
  return sections
}

/** A struct as pieces that fit, where it can be cut at all. */
function* cut(struct: Struct, partBytes: number): Generator<Struct> {
  const isCut = struct instanceof Y.Item && struct.length > 1
  if (!isCut || writeStructs([struct], NO_DELETIONS).length <= partBytes) {
    yield struct
    return
  }
  const { client, clock } = struct.id
  let half = struct.length >> 1
  // Yjs would put a replacement character in place of each half of a surrogate pair.
  if (
    struct.content instanceof Y.ContentString &&
    /[\ud800-\udbff]/.test(struct.content.str[half - 1] ?? "")
  ) {
    half = half === 1 ? 2 : half - 1
  }
  if (half >= struct.length) {
    yield struct
    return
  }
  const right = new Y.Item(
    Y.createID(client, clock + half),
    null,
    Y.createID(client, clock + half - 1),
    null,
    struct.rightOrigin,
    struct.parent,
    struct.parentSub,
    struct.content.splice(half),
  )
  struct.length = half
  yield* cut(struct, partBytes)
  yield* cut(right, partBytes)
}

/** The structs of one client, the first of them that has not been given out, and who waits for it. */
interface Lane {
  readonly structs: Struct[]
  at: number
  readonly waiting: Lane[]
}

/** In an order in which each can integrate when it comes; those that wait for what is not here come last. */
function* inOrder(structs: readonly Struct[]): Generator<Struct> {
  const lanes = new Map<number, Lane>()
  for (const [client, section] of groupByClient(structs)) {
    lanes.set(client, { structs: section, at: 0, waiting: [] })
  }
  const ready = [...lanes.values()]
  for (let lane = ready.pop(); lane !== undefined; lane = ready.pop()) {
    for (let struct = lane.structs[lane.at]; struct !== undefined; struct = lane.structs[lane.at]) {
      const blocking = findBlocking(struct, lanes)
      if (blocking !== undefined && blocking !== lane) {
        blocking.waiting.push(lane)
        break
      }
      yield struct
      lane.at++
      ready.push(...lane.waiting.splice(0))
    }
  }
  for (const { structs: section, at } of lanes.values()) yield* section.slice(at)
}

function findBlocking(struct: Struct, lanes: Map<number, Lane>): Lane | undefined {
  if (!(struct instanceof Y.Item)) return undefined
  for (const id of [struct.origin, struct.rightOrigin, struct.parent]) {
    const lane = id instanceof Y.ID ? lanes.get(id.client) : undefined
    const next = lane?.structs[lane.at]
    if (id instanceof Y.ID && next !== undefined && next.id.clock <= id.clock) return lane
  }
  return undefined
}
