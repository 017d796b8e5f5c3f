/**
 * Presence: who is here, by socket. The newest awareness state of every client, and the one socket that
 * may change it.
 *
 *     entries = varUint(count) · count × (varUint(client id) varUint(clock) varString(state as JSON, "null" = gone))
 *
 * A client id belongs to the socket that speaks for it first with a live state (P1): stock y-websocket
 * re-sends every state it learns, also from other tabs through BroadcastChannel, so the socket that carries
 * an entry is often not its owner. One socket speaks for one live client. What it says of others is
 * dropped, and so is what is stale or malformed (P2).
 *
 * A client that reconnects can be back before its old socket's close is noticed. Its new socket has
 * no client of its own yet, so what it says is kept as a claim, and the claim comes true when the old socket
 * goes (or at once, where both have the same subject).
 *
 * @source y-protocols 1.0.7, awareness: an entry is newer when its clock is greater, or equal and its state null
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"

const MAX_CLOCK = 2 ** 31

/** Departed clients whose clock is remembered, so that another tab's late relay does not bring them back. */
const REMEMBERED = 1000

/** One client's awareness state: its JSON text, as it came. */
export interface Entry {
  readonly client: number
  readonly clock: number
  readonly state: string
}

/** What a frame of entries changed. */
export interface Noted {
  /** Clients whose entry is newer now: relay these. */
  readonly changed: readonly number[]
  /** The sender renewed its own, unchanged state: answer it, for stock clients live on the echo (P5). */
  readonly renewed: boolean
  /** Nothing in the frame was new: it echoes something the room sent, so its sender reads. */
  readonly echo: boolean
}

export class Presence<Socket> {
  readonly #limits: Limits
  readonly #subjectOf: (socket: Socket) => string | null
  readonly #entries = new Map<number, Entry & { readonly socket: Socket }>()
  readonly #own = new Map<Socket, number>()
  readonly #claims = new Map<number, Entry & { readonly socket: Socket }>()
  readonly #gone = new Map<number, number>()

  /** @param subjectOf who a socket speaks for; null where nobody can tell */
  constructor(limits: Limits, subjectOf: (socket: Socket) => string | null = () => null) {
    this.#limits = limits
    this.#subjectOf = subjectOf
  }

  /** How many are here. */
  get size(): number {
    return this.#entries.size
  }

  /** Every client that is here. */
  clients(): number[] {
    return [...this.#entries.keys()]
  }

  /** The entry this socket speaks for, or null: what an attachment keeps through a hibernation (P4). */
  entryOf(socket: Socket): Entry | null {
    const client = this.#own.get(socket)
    const entry = client === undefined ? undefined : this.#entries.get(client)
    return entry === undefined ? null : { client: entry.client, clock: entry.clock, state: entry.state }
  }

  /** The socket that speaks for this client now, or null. */
  speakerOf(client: number): Socket | null {
    return this.#entries.get(client)?.socket ?? null
  }

  /** Put back what an attachment kept. */
  restore(socket: Socket, entry: Entry): void {
    this.#entries.set(entry.client, { ...entry, socket })
    this.#own.set(socket, entry.client)
  }

  /**
   * Take a frame of awareness entries.
   * @throws SyncError bad-frame where the entries cannot be read as entries at all
   */
  note(socket: Socket, entries: Uint8Array): Noted {
    const changed: number[] = []
    let renewed = false
    let claimed = false
    for (const entry of readEntries(entries)) {
      if (!this.#isWellFormed(entry)) continue
      const before = this.#entries.get(entry.client)
      if (before !== undefined && before.socket !== socket && !this.#takesOver(socket, before)) {
        claimed = this.#claim(socket, entry) || claimed
        continue
      }
      if (!this.#isNews(entry, before)) continue
      if (entry.state === "null") {
        if (before === undefined) continue
        this.#remove(before)
        this.#gone.set(entry.client, entry.clock)
      } else {
        const own = this.#own.get(socket)
        if (own !== undefined && own !== entry.client) continue
        if (before !== undefined) this.#own.delete(before.socket)
        renewed = before?.state === entry.state
        this.#entries.set(entry.client, { ...entry, socket })
        this.#own.set(socket, entry.client)
        this.#gone.delete(entry.client)
      }
      changed.push(entry.client)
    }
    return { changed, renewed, echo: changed.length === 0 && !claimed }
  }

  /**
   * A socket has gone and takes exactly its own client with it (P3), unless a newer socket had claimed it.
   * @returns the clients whose entry changed: relay these
   */
  leave(socket: Socket): number[] {
    for (const [client, claim] of this.#claims) if (claim.socket === socket) this.#claims.delete(client)
    const client = this.#own.get(socket)
    const entry = client === undefined ? undefined : this.#entries.get(client)
    if (entry === undefined) return []
    this.#remove(entry)
    const claim = this.#claims.get(entry.client)
    this.#claims.delete(entry.client)
    if (claim !== undefined && claim.clock >= entry.clock && !this.#own.has(claim.socket)) {
      this.#entries.set(claim.client, claim)
      this.#own.set(claim.socket, claim.client)
    } else {
      this.#gone.set(entry.client, entry.clock)
      if (this.#gone.size > REMEMBERED) this.#gone.delete(this.#gone.keys().next().value!)
    }
    return [entry.client]
  }

  /** The entries of these clients, encoded by the room; a client that left is encoded as gone. */
  encode(clients: readonly number[]): Uint8Array {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, clients.length)
    for (const client of clients) {
      const entry = this.#entries.get(client)
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, entry?.clock ?? this.#gone.get(client) ?? 0)
      encoding.writeVarString(encoder, entry?.state ?? "null")
    }
    return encoding.toUint8Array(encoder)
  }

  #isNews(entry: Entry, before: Entry | undefined): boolean {
    const clock = before?.clock ?? this.#gone.get(entry.client) ?? -1
    return entry.clock > clock || (entry.clock === clock && entry.state === "null" && before !== undefined)
  }

  /** The same person on a new socket that has no client yet: a reconnect, faster than the old socket's close. */
  #takesOver(socket: Socket, before: { readonly socket: Socket }): boolean {
    const subject = this.#subjectOf(socket)
    return subject !== null && subject === this.#subjectOf(before.socket) && !this.#own.has(socket)
  }

  /** Only a socket without a client of its own may be the owner, come back. */
  #claim(socket: Socket, entry: Entry): boolean {
    if (this.#own.has(socket) || entry.state === "null") return false
    const before = this.#claims.get(entry.client)
    if (before !== undefined && before.socket === socket && before.clock >= entry.clock) return false
    this.#claims.set(entry.client, { ...entry, socket })
    return true
  }

  #remove(entry: { readonly client: number; readonly socket: Socket }): void {
    this.#entries.delete(entry.client)
    this.#own.delete(entry.socket)
  }

  #isWellFormed({ client, clock, state }: Entry): boolean {
    if (clock >= MAX_CLOCK || client > Number.MAX_SAFE_INTEGER) return false
    if (state === "null") return true
    // Its UTF-8 is at least as long as its UTF-16 and at most three times.
    if (state.length * 3 > this.#limits.awarenessBytes && utf8Length(state) > this.#limits.awarenessBytes)
      return false
    return isObject(state, this.#limits.awarenessDepth)
  }
}

const utf8 = new TextEncoder()

function utf8Length(text: string): number {
  return utf8.encode(text).length
}

/** JSON of an object nested no deeper than this. Depth is counted before `JSON.parse` sees it. */
function isObject(json: string, maxDepth: number): boolean {
  let depth = 0
  let quoted = false
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (quoted) {
      if (code === 0x5c) i++
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) return false
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === "object" && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** @throws SyncError bad-frame where counts and lengths do not fit the bytes */
function readEntries(bytes: Uint8Array): Entry[] {
  const decoder = decoding.createDecoder(bytes)
  const entries: Entry[] = []
  try {
    const count = decoding.readVarUint(decoder)
    for (let i = 0; i < count; i++) {
      const client = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      entries.push({ client, clock, state: decoding.readVarString(decoder) })
    }
  } catch (cause) {
    throw new SyncError("bad-frame", `Awareness entries of ${bytes.length} bytes end inside an entry`, {
      cause,
    })
  }
  if (decoding.hasContent(decoder)) {
    throw new SyncError("bad-frame", `Awareness entries of ${bytes.length} bytes have bytes left over`)
  }
  return entries
}
