/** What the rows of the hostile table are made of. */
import { randomBytes } from "node:crypto"
import { type Approach, type Ask, ask, type Target, visit, Wire, webSocketFrame } from "./attacker.ts"
import * as b from "./bytes.ts"

export interface Row {
  /** The end of a sentence that begins with "survives". */
  readonly what: string
  /** What the attacker must get, see attacker.ts; where there are several, any of them. */
  readonly gets: string | readonly string[]
  readonly attack: (target: Target) => Promise<string>
  /** The update that the attack is made of, where it is one that any client id may bring to any document. */
  readonly update?: (own: number) => Uint8Array
  /** The server may grow by this much at most while it is attacked, MB. Default: GROWTH_MB. */
  readonly growthMb?: number
  /** A letter takes at most this long from one of the honest to another meanwhile, ms. Default: LATENCY_MS. */
  readonly latencyMs?: number
  /** What it leaves in the document would slow the rows after it: the honest move to another room. */
  readonly spoils?: boolean
  /** On the server without a key, which lets in localhost alone. */
  readonly open?: boolean
}

export const MB = 1024 * 1024
/**
 * What any row may make the server grow by, MB. A guess: the largest frame there may be is held a few times over while it
 * is passed on and refused, and without a limit V8 lets garbage lie.
 */
export const GROWTH_MB = 400
/** How long any row may hold up a letter of somebody else's, ms: the 90 MB of one row take as long to arrive. */
export const LATENCY_MS = 5_000
/** A place in the root that the honest write into. */
export const ROOT = { root: "text" }

/** Client ids of the attacker's, one a row. */
let lastClient = 900_000_000
export const client = (): number => ++lastClient

type Message = Uint8Array | string

/** Frames on a socket of the room. */
export function frames(
  what: string,
  gets: Row["gets"],
  make: (target: Target) => Message | Message[],
  approach?: Approach,
): Row {
  const attack = (target: Target) =>
    visit(target, (attacker) => attacker.send(...[make(target)].flat()), approach)
  return { what, gets, attack }
}

/** One update. */
export function updates(what: string, gets: Row["gets"], make: (own: number) => Uint8Array): Row {
  return { ...frames(what, gets, () => b.updateFrame(make(client()))), update: make }
}

/** An HTTP request. */
export function http(what: string, gets: Row["gets"], asked: Ask | ((target: Target) => Ask)): Row {
  return { what, gets, attack: (target) => ask(target, typeof asked === "function" ? asked(target) : asked) }
}

/** Bytes on an open WebSocket, below the frames; then an honest question. */
export function wire(what: string, gets: Row["gets"], ...chunks: Uint8Array[]): Row {
  return {
    ...{ what, gets },
    async attack(target) {
      const one = new Wire(target)
      try {
        await one.upgrade(target)
        const payload = randomBytes(8)
        one.write(...chunks, webSocketFrame(b.saved(payload)))
        return await one.outcome(payload)
      } finally {
        one.end()
      }
    },
  }
}

/** Bytes on an open WebSocket that leave the platform waiting; meanwhile another one knocks. */
export function stall(what: string, ...chunks: Uint8Array[]): Row {
  return {
    ...{ what, gets: "open" },
    async attack(target) {
      const one = new Wire(target)
      try {
        await one.upgrade(target)
        one.write(...chunks)
        return await visit(target, () => {})
      } finally {
        one.end()
      }
    },
  }
}

/** Bytes on a fresh TCP connection. */
export function knock(
  what: string,
  gets: Row["gets"],
  make: (target: Target) => string | Promise<string>,
): Row {
  return {
    ...{ what, gets },
    async attack(target) {
      const one = new Wire(target)
      try {
        one.write(await make(target))
        return await one.answer(target)
      } finally {
        one.end()
      }
    },
  }
}

/** A stock client's WebSocket knocks with this approach: ours would be told the reason by a close. */
export function enter(
  what: string,
  gets: Row["gets"],
  approach: Approach | ((target: Target) => Promise<Approach>),
): Row {
  const attack = async (target: Target) =>
    visit(target, () => {}, {
      protocols: [],
      ...(typeof approach === "function" ? await approach(target) : approach),
    })
  return { what, gets, attack }
}
