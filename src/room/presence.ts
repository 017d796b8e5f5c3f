/**
 * Presence: who is here, by socket. The newest awareness state of every client, and the one socket that may change it.
 *
 * A client id belongs to the socket that speaks for it first with a live state (P1): stock y-websocket re-sends every
 * state it learns, also from other tabs through BroadcastChannel, so the socket that carries an entry is often not its
 * owner. One socket speaks for one live client. What it says of others is dropped, and so is what is stale or malformed
 * (P2); of a state of its own that is not taken, its sender is told.
 *
 * A client that reconnects can be back before the close of its old socket is noticed. Its new socket speaks for no client
 * yet, so its entry is kept as a claim, which is granted when the old socket goes (or at once, where both sockets have the
 * same subject).
 *
 * A socket without the right to presence announces its client too. Nobody is shown the entry, but it tells under which id
 * the socket writes, and it answers read probes.
 *
 * Over 450 lines: every rule above looks at the same table of entries and claims.
 */
import type { ErrorCode } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { type Entry, isGone, type RawEntry, readEntries, writeEntries } from "../wire/awareness.ts"

/** The outcome of a frame of entries. */
export interface Noted {
  /** Clients whose entry is newer now: relay these to everyone but the sender. */
  readonly changed: readonly number[]
  /** Clients that nobody speaks for any more, shown before or not. */
  readonly withdrawn: readonly number[]
  /** Nothing but the clock of `changed` has moved: relay at once, without a timer. */
  readonly renewal: boolean
  /** Answer the sender with `NO_ENTRIES`: stock clients reconnect after 30 s in which they hear nothing (P5). */
  readonly answer: boolean
  /** The sender has read up to the last probe. */
  readonly proof: boolean
  /** A state of the sender's own that was not taken, said once in `answerMs`. What it showed before stands. */
  readonly refused: RefusedState | null
}

/** Why a state was not taken. */
export interface RefusedState {
  readonly client: number
  /** Its size, bytes of JSON. */
  readonly bytes: number
  readonly code: ErrorCode
  /** A plain sentence for the client. */
  readonly message: string
}

/** What a socket's attachment keeps of its entry through a hibernation (P4). */
export interface Kept {
  readonly client: number
  readonly clock: number
  /** null: too large for an attachment; it lies on the shelf. */
  readonly state: string | null
  readonly visible: boolean
}

/** Storage for states that are too large for an attachment, so that they survive a hibernation: one row a client. */
export interface Shelf {
  put(client: number, state: string): void
  get(client: number): string | null
  drop(client: number): void
}

interface Shown<Socket> extends Entry {
  readonly socket: Socket
  /** Of `state`, as UTF-8. */
  readonly bytes: number
  readonly visible: boolean
}

/** A question that only a peer that reads can answer: this client's clock, moved by a random number. */
interface Probe {
  readonly client: number
  /** The first clock from here on is the answer, right or wrong: a peer has one guess. */
  readonly fromClock: number
  readonly clock: number
}

/** Who is here: the awareness entries of a room, by the socket that speaks for each. */
export class Presence<Socket> {
  readonly #limits: Limits
  readonly #subjectOf: (socket: Socket) => string | null
  readonly #shelf: Shelf | null
  readonly #entries = new Map<number, Shown<Socket>>()
  readonly #own = new Map<Socket, number>()
  /** At most one a socket. */
  readonly #claims = new Map<Socket, Shown<Socket>>()
  /** Clocks of clients that have left. */
  readonly #gone = new Map<number, number>()
  readonly #probes = new Map<Socket, Probe>()
  readonly #answeredAtMs = new Map<Socket, number>()
  readonly #refusedAtMs = new Map<Socket, number>()
  /** The states that lie on the shelf. */
  readonly #shelved = new Map<number, string>()
  /** Of all entries and claims. */
  #bytes = 0

  /**
   * @param options.subjectOf who a socket speaks for; null where nobody can tell
   * @param options.shelf where large states survive a hibernation; without one they do not
   */
  constructor(
    limits: Limits,
    {
      subjectOf = () => null,
      shelf = null,
    }: { subjectOf?: (socket: Socket) => string | null; shelf?: Shelf | null } = {},
  ) {
    this.#limits = limits
    this.#subjectOf = subjectOf
    this.#shelf = shelf
  }

  /** Every client that is shown. */
  clients(): number[] {
    const shown: number[] = []
    for (const { client, visible } of this.#entries.values()) if (visible) shown.push(client)
    return shown
  }

  /** The client id this socket speaks for, shown or not; null before it has announced one. */
  announcedBy(socket: Socket): number | null {
    return this.#own.get(socket) ?? null
  }

  /** The socket that speaks for this client now, shown or not; null: none. */
  speakerOf(client: number): Socket | null {
    return this.#entries.get(client)?.socket ?? null
  }

  /** What this socket's attachment is to keep (P4). Puts a large state on the shelf, once. */
  keep(socket: Socket): Kept | null {
    const entry = this.#entryOf(socket)
    if (entry === null) return null
    const { client, clock, state, bytes, visible } = entry
    if (bytes <= this.#limits.attachmentStateBytes) {
      this.#unshelve(client)
      return { client, clock, state, visible }
    }
    if (this.#shelf !== null && this.#shelved.get(client) !== state) {
      this.#shelf.put(client, state)
      this.#shelved.set(client, state)
    }
    return { client, clock, state: null, visible }
  }

  /** Put back what an attachment kept, when the room has woken. A newer entry of another socket stands. */
  restore(socket: Socket, { client, clock, state: kept, visible }: Kept): void {
    const before = this.#entries.get(client)
    if (this.#own.has(socket) || (before !== undefined && before.clock >= clock)) return
    const state = kept ?? this.#shelf?.get(client) ?? null
    if (state === null) return this.#bury(client, clock)
    if (kept === null) this.#shelved.set(client, state)
    this.#put({ client, clock, state, bytes: utf8.encode(state).length, socket, visible })
  }

  /**
   * Take a frame of awareness entries.
   *
   * @param options.visible whether others may be shown it; else it is known, and shown to nobody
   * @param options.nowMs the wall clock
   * @throws SyncError "bad-frame" where the entries cannot be read as entries at all, "too-large" where they are more
   *   than the room has sockets
   */
  note(
    socket: Socket,
    entries: Uint8Array,
    { visible = true, nowMs = Date.now() }: { visible?: boolean; nowMs?: number } = {},
  ): Noted {
    const { sockets, awarenessSpare } = this.#limits
    const frame = readEntries(entries, { maxEntries: sockets + awarenessSpare })
    const changed: number[] = []
    const withdrawn: number[] = []
    let renews = true
    let proof = false
    let taken = 0
    let refused: RefusedState | null = null
    for (const entry of newestOf(frame)) {
      if (this.#isProof(socket, entry)) proof = true
      const was = this.#entries.get(entry.client)
      const outcome = this.#take(socket, entry, visible)
      if (outcome === "dropped") continue
      if (outcome !== "taken") {
        refused = outcome
        continue
      }
      taken++
      const is = this.#entries.get(entry.client)
      if (was?.visible === true || is?.visible === true) changed.push(entry.client)
      if (is === undefined) withdrawn.push(entry.client)
      if (was?.state !== is?.state || was?.visible !== is?.visible) renews = false
    }
    renews &&= taken > 0
    if (refused !== null) {
      if (nowMs - (this.#refusedAtMs.get(socket) ?? Number.NEGATIVE_INFINITY) < this.#limits.answerMs)
        refused = null
      else this.#refusedAtMs.set(socket, nowMs)
    }
    // What is shown to nobody is in no attachment, so after a sleep of the room its renewal cannot be told from news.
    const isUnknown = !this.#answeredAtMs.has(socket) && (!visible || taken === 0)
    const answer = this.#isAnswerDue(socket, nowMs) || renews || isUnknown || refused !== null
    if (answer) this.#answeredAtMs.set(socket, nowMs)
    return { changed, withdrawn, renewal: renews && changed.length > 0, answer, proof, refused }
  }

  /**
   * Show this socket's client to nobody any more: its right to presence has ended.
   * @returns the clients whose entry changed: relay these to everyone but this socket
   */
  hide(socket: Socket): number[] {
    const claim = this.#claims.get(socket)
    if (claim !== undefined) this.#claims.set(socket, { ...claim, visible: false })
    const entry = this.#entryOf(socket)
    if (entry === null || !entry.visible) return []
    this.#entries.set(entry.client, { ...entry, visible: false })
    return [entry.client]
  }

  /**
   * A socket has gone and takes exactly its own client with it (P3), unless a newer socket had claimed it.
   * @returns the clients whose entry changed: relay these
   */
  leave(socket: Socket): number[] {
    this.#probes.delete(socket)
    this.#answeredAtMs.delete(socket)
    this.#refusedAtMs.delete(socket)
    this.#dropClaim(socket)
    const entry = this.#entryOf(socket)
    if (entry === null) return []
    this.#remove(entry)
    const claim = this.#claimOf(entry)
    if (claim === null) this.#bury(entry.client, entry.clock)
    else {
      this.#dropClaim(claim.socket)
      this.#put(claim)
    }
    return entry.visible || claim?.visible === true ? [entry.client] : []
  }

  /** The entries of these clients, encoded by the room; a client that left or is not shown is encoded as gone. */
  encode(clients: readonly number[]): Uint8Array {
    return writeEntries(
      clients.map((client) => {
        const entry = this.#entries.get(client)
        const clock = entry?.clock ?? this.#gone.get(client) ?? 0
        return { client, clock, state: entry?.visible === true ? entry.state : "null" }
      }),
    )
  }

  /**
   * Ask a stock client to show that it reads: entries to send to this socket alone. y-protocols keeps its own state when
   * somebody says that it is gone, and contradicts with the clock after the one it was given, which a peer that does not
   * read would have to guess; it has one guess a probe. A socket that has announced no client is told of one that came and
   * went in one breath: nobody is ever shown it, and stock clients pass on what they learn. `note` then returns `proof`.
   *
   * @returns null while the last probe is not answered yet
   */
  probe(socket: Socket): Uint8Array | null {
    if (this.#probes.has(socket)) return null
    const { probeReach, probeRange, awarenessClock } = this.#limits
    const ahead = probeReach + (randomUint32() % probeRange)
    const own = this.#entryOf(socket)
    if (own !== null && own.clock + ahead + 1 < awarenessClock) {
      const { client } = own
      const clock = own.clock + ahead
      this.#probes.set(socket, { client, fromClock: own.clock + probeReach, clock })
      return writeEntries([{ client, clock, state: "null" }])
    }
    const client = randomUint32()
    this.#probes.set(socket, { client, fromClock: 0, clock: ahead })
    return writeEntries([
      { client, clock: ahead, state: "{}" },
      { client, clock: ahead, state: "null" },
    ])
  }

  #isProof(socket: Socket, { client, clock, state }: RawEntry): boolean {
    const probe = this.#probes.get(socket)
    if (probe === undefined || client !== probe.client || clock < probe.fromClock) return false
    this.#probes.delete(socket)
    return clock === probe.clock + (isGone(state) ? 0 : 1)
  }

  #take(socket: Socket, entry: RawEntry, visible: boolean): "taken" | "dropped" | RefusedState {
    const { client, clock, state } = entry
    if (clock >= this.#limits.awarenessClock || client > Number.MAX_SAFE_INTEGER) return "dropped"
    const before = this.#entries.get(client)
    if (before !== undefined && before.socket !== socket) {
      if (isGone(state)) return "dropped"
      if (!this.#takesOver(socket, before, visible)) {
        this.#claim(socket, entry, visible)
        return "dropped"
      }
    }
    if (!this.#isNews(entry, before)) return "dropped"
    if (isGone(state)) {
      if (before === undefined) return "dropped"
      this.#remove(before)
      this.#bury(client, clock)
      return "taken"
    }
    const own = this.#own.get(socket)
    if (own !== undefined && own !== client) return "dropped"
    const text = this.#readState(entry, before)
    if (typeof text !== "string") return text
    this.#dropClaim(socket)
    this.#put({ client, clock, state: text, bytes: state.length, socket, visible })
    return "taken"
  }

  #isNews({ client, clock, state }: RawEntry, before: Entry | undefined): boolean {
    const known = before?.clock ?? this.#gone.get(client) ?? -1
    return clock > known || (clock === known && isGone(state) && before !== undefined)
  }

  /**
   * The same person on a new socket that has no client yet: a reconnect, faster than the old socket's close. And an id
   * that is not shown gives way to someone who may show it.
   */
  #takesOver(socket: Socket, before: Shown<Socket>, visible: boolean): boolean {
    if (this.#own.has(socket)) return false
    if (visible && !before.visible) return true
    const subject = this.#subjectOf(socket)
    return subject !== null && subject === this.#subjectOf(before.socket)
  }

  /** Only a socket without a client of its own may be the owner, come back. */
  #claim(socket: Socket, entry: RawEntry, visible: boolean): void {
    if (this.#own.has(socket)) return
    const { client, clock } = entry
    // With the same clock it is an echo of what the room has sent.
    if (clock <= (this.#entries.get(client)?.clock ?? -1)) return
    const before = this.#claims.get(socket)
    if (before?.client === client && before.clock >= clock) return
    const state = this.#readState(entry, before)
    if (typeof state !== "string") return
    this.#dropClaim(socket)
    this.#claims.set(socket, { client, clock, state, bytes: entry.state.length, socket, visible })
    this.#bytes += entry.state.length
  }

  #dropClaim(socket: Socket): void {
    this.#bytes -= this.#claims.get(socket)?.bytes ?? 0
    this.#claims.delete(socket)
  }

  /** The newest claim that goes beyond this entry. */
  #claimOf({ client, clock }: Entry): Shown<Socket> | null {
    let newest: Shown<Socket> | null = null
    for (const claim of this.#claims.values()) {
      if (claim.client === client && claim.clock > (newest?.clock ?? clock)) newest = claim
    }
    return newest
  }

  #entryOf(socket: Socket): Shown<Socket> | null {
    const client = this.#own.get(socket)
    return client === undefined ? null : (this.#entries.get(client) ?? null)
  }

  #put(entry: Shown<Socket>): void {
    const before = this.#entries.get(entry.client)
    if (before !== undefined) {
      this.#own.delete(before.socket)
      this.#bytes -= before.bytes
    }
    this.#entries.set(entry.client, entry)
    this.#own.set(entry.socket, entry.client)
    this.#gone.delete(entry.client)
    this.#bytes += entry.bytes
  }

  #remove({ client, socket, bytes }: Shown<Socket>): void {
    this.#entries.delete(client)
    this.#own.delete(socket)
    this.#bytes -= bytes
    this.#unshelve(client)
  }

  #bury(client: number, clock: number): void {
    this.#gone.delete(client)
    this.#gone.set(client, clock)
    if (this.#gone.size > this.#limits.departedClients) this.#gone.delete(this.#gone.keys().next().value!)
  }

  #unshelve(client: number): void {
    if (this.#shelved.delete(client)) this.#shelf?.drop(client)
  }

  #isAnswerDue(socket: Socket, nowMs: number): boolean {
    const answeredAtMs = this.#answeredAtMs.get(socket)
    // What it was sent when it connected was the first answer.
    if (answeredAtMs === undefined) this.#answeredAtMs.set(socket, nowMs)
    return answeredAtMs !== undefined && nowMs - answeredAtMs >= this.#limits.answerMs
  }

  #readState({ client, state }: RawEntry, before: Shown<Socket> | undefined): string | RefusedState {
    const { awarenessBytes, presenceBytes, awarenessDepth } = this.#limits
    const bytes = state.length
    const refuse = (code: ErrorCode, message: string) => ({ client, bytes, code, message })
    if (bytes > awarenessBytes) {
      return refuse("too-large", `An awareness state of ${bytes} bytes; at most ${awarenessBytes}`)
    }
    if (this.#bytes - (before?.bytes ?? 0) + bytes > presenceBytes) {
      return refuse("too-large", `All awareness states of a room have ${presenceBytes} bytes at most`)
    }
    const text = decodeUtf8(state)
    if (text !== null && (text === before?.state || isObject(text, awarenessDepth))) return text
    return refuse("bad-frame", `An awareness state is a JSON object, at most ${awarenessDepth} levels deep`)
  }
}

/** Each client's newest entry of a frame: what lies between is not relayed, so it is not decoded either. */
function newestOf(frame: readonly RawEntry[]): Iterable<RawEntry> {
  if (frame.length === 1) return frame
  const newest = new Map<number, RawEntry>()
  for (const entry of frame) {
    const before = newest.get(entry.client)
    const isNewer =
      before === undefined ||
      entry.clock > before.clock ||
      (entry.clock === before.clock && isGone(entry.state))
    if (isNewer) newest.set(entry.client, entry)
  }
  return newest.values()
}

const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return null
  }
}

function randomUint32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!
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
