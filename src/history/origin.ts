/**
 * Where an update came from: when, by which subject, by which way. It is stored with every update of the log, because it
 * cannot be found out later.
 *
 *     origins = varUint(at) run*                       at: of the first update, ms since 1970
 *     run     = varUint(updates) varUint(ms since the run before) varUint(via) varString(subject, "" = nobody's name)
 *               [varString(agent) varString(on whose behalf)]                   where via is "agent" or "client"
 *               [varString(what the program calls itself)]                                        where it is "client"
 *
 * Updates of one run have the same origin, and came in the same millisecond.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"

/** The ways in which an update reaches a room, by their number in the log: append only. */
const WAYS = ["socket", "rest", "server", "archive", "restore", "import", "agent", "client"] as const

/**
 * How an update reached the room: `archive` is a merge of the archive's copy, `restore` brings an earlier state back or
 * takes changes back, `import` begins a copy of another document.
 */
export type Via = Exclude<(typeof WAYS)[number], "client">

/** When an update was taken, whose it is, and how it came. */
export interface Origin {
  /** ms since 1970. */
  readonly at: number
  /** The subject that the token proves; null in open mode. */
  readonly subject: string | null
  readonly via: Via
  /** The agent that made it, and the subject on whose behalf; only where `via` is "agent". */
  readonly agent?: string
  readonly onBehalfOf?: string
  /** What the agent's program calls itself, which nobody has checked; only where `via` is "agent". */
  readonly client?: string
}

/** The origin of updates that were written before origins were recorded. */
const UNKNOWN: Origin = { at: 0, subject: null, via: "socket" }

/**
 * Encode the origins of a commit's updates, in their order. The times never go back, even where the clock does (H1).
 * @param notBeforeMs the time of the commit before, ms since 1970
 */
export function writeOrigins(origins: readonly Origin[], notBeforeMs = 0): Uint8Array {
  return encoding.encode((encoder) => {
    let at = Math.max(origins[0]?.at ?? 0, notBeforeMs)
    encoding.writeVarUint(encoder, at)
    for (let i = 0; i < origins.length; ) {
      const origin = origins[i]!
      let end = i + 1
      while (end < origins.length && isSame(origins[end]!, origin)) end++
      encoding.writeVarUint(encoder, end - i)
      encoding.writeVarUint(encoder, Math.max(0, origin.at - at))
      const way = origin.client === undefined ? origin.via : "client"
      encoding.writeVarUint(encoder, WAYS.indexOf(way))
      encoding.writeVarString(encoder, origin.subject ?? "")
      if (origin.via === "agent") {
        encoding.writeVarString(encoder, origin.agent ?? "")
        encoding.writeVarString(encoder, origin.onBehalfOf ?? "")
        if (origin.client !== undefined) encoding.writeVarString(encoder, origin.client)
      }
      at = Math.max(at, origin.at)
      i = end
    }
  })
}

/**
 * Decode what `writeOrigins` wrote.
 * @returns a function that gives the origin of the next update at each call. Where the bytes cannot be read, it gives an
 *   unknown origin: damage here must never cost the update itself
 */
export function readOrigins(bytes: Uint8Array): () => Origin {
  const decoder = decoding.createDecoder(bytes)
  let at = 0
  let left = 0
  let origin = UNKNOWN
  let isFirst = true
  return () => {
    if (left > 0) {
      left--
      return origin
    }
    if (!decoding.hasContent(decoder)) return UNKNOWN
    try {
      if (isFirst) at = decoding.readVarUint(decoder)
      isFirst = false
      left = decoding.readVarUint(decoder) - 1
      at += decoding.readVarUint(decoder)
      const way = WAYS[decoding.readVarUint(decoder)] ?? "socket"
      const subject = decoding.readVarString(decoder)
      origin = {
        at,
        subject: subject === "" ? null : subject,
        via: way === "client" ? "agent" : way,
        ...((way === "agent" || way === "client") && readAgent(decoder)),
        ...(way === "client" && { client: decoding.readVarString(decoder) }),
      }
    } catch {
      decoder.pos = bytes.length
      left = 0
      origin = UNKNOWN
    }
    return origin
  }
}

function readAgent(decoder: decoding.Decoder): { agent?: string; onBehalfOf?: string } {
  const agent = decoding.readVarString(decoder)
  const onBehalfOf = decoding.readVarString(decoder)
  return { ...(agent !== "" && { agent }), ...(onBehalfOf !== "" && { onBehalfOf }) }
}

function isSame(one: Origin, other: Origin): boolean {
  return (
    one === other ||
    (one.at === other.at &&
      one.subject === other.subject &&
      one.via === other.via &&
      one.agent === other.agent &&
      one.onBehalfOf === other.onBehalfOf &&
      one.client === other.client)
  )
}
