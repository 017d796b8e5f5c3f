/**
 * The provider: keeps a Y.Doc the same as the document behind a URL, and says when that is true.
 *
 * It speaks the y-websocket dialect and has the shape of y-websocket's provider, so every editor binding takes it.
 * What it adds: a change counts as saved only when the room has it on its disk.
 *
 *     connection.ts  the socket that comes back      ledger.ts   what is saved
 *     missing.ts     what the room lacks             tabs.ts     other tabs of this browser
 *     awareness.ts   who is here                     offline.ts  the copy in IndexedDB
 *     token.ts       when a token ends
 *
 * **A connection opens.** We send step 1 and our awareness; the room sends its step 1, its step 2, and everybody's
 * awareness. With its step 2 we are synced; with both steps we know what it lacks, and send that. From then on the
 * two are level: changes go out as they are made, each burst followed by the question whether it is durable. A room
 * that sends no step 1 does not take changes from us.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { ObservableV2 } from "lib0/observable"
import type { CloseEvent } from "partysocket/ws"
import { applyAwarenessUpdate } from "y-protocols/awareness"
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import * as wire from "../wire/y-websocket.ts"
import { forgetOthers, type ProviderAwareness, tameAwareness, Voice } from "./awareness.ts"
import { type Address, Connection } from "./connection.ts"
import { isEmpty, lacksStructs, missingUpdate } from "./diff.ts"
import { Ledger } from "./ledger.ts"
import { type OfflineCopy, openOfflineCopy } from "./offline.ts"
import type { ProviderOptions } from "./options.ts"
import { TAB_GIVES, TAB_SAVES, Tabs } from "./tabs.ts"
import { readExpiry, renewalDelay } from "./token.ts"

export type { ProviderAwareness } from "./awareness.ts"
export type { WebSocketClass } from "./connection.ts"
export type { Params, ProviderOptions } from "./options.ts"

/** `connecting` from the start of an attempt until it opens or fails; `disconnected` also while one is waited for. */
export type Status = "connecting" | "connected" | "disconnected"

/** How the room ended a connection for good. */
export interface Closed {
  /** 4400–4499, see src/errors.ts. */
  readonly code: number
  readonly reason: string
}

export interface ProviderEvents {
  status: (event: { status: Status }) => void
  /** True after the room's step 2, on every connection; false when it is lost. */
  sync: (synced: boolean) => void
  /** The same under y-websocket's older name. */
  synced: (synced: boolean) => void
  /** Everything made here is on the room's disk. */
  saved: () => void
  /** The first change that is not. */
  unsaved: () => void
  /** The room refused a change: this connection only reads from now on, and no change is sent on it. */
  refused: (event: { reason: string }) => void
  /** `readOnly` has changed. */
  "read-only": (readOnly: boolean) => void
  /** A custom message from the room, see `send`. */
  message: (message: string) => void
  /** An update that came from the room. */
  update: (update: Uint8Array) => void
  /** Never emitted by the provider. Lexical listens to it: emit it with the new Y.Doc when you replace yours. */
  reload: (doc: Y.Doc) => void
  /** The room ended the connection with a code that is final. `connect()` tries again all the same. */
  closed: (event: Closed, provider: Provider) => void
  /** Each close, also of an attempt that failed. */
  "connection-close": (event: CloseEvent, provider: Provider) => void
  /** What went wrong: the socket's own event, or the error of a frame that can't be read or a token that can't be had. */
  "connection-error": (event: Event | Error, provider: Provider) => void
}

/** What one connection has brought so far. */
interface Session {
  /** Whether the document was empty when it opened. */
  readonly fresh: boolean
  /** The room's step 1, until it is answered. */
  stateVector: Uint8Array | null
  /** The room's step 2, until its step 1 is answered; null for a fresh document. */
  update: Uint8Array | null
  /** The room's step 2 has come. */
  synced: boolean
  /** The room has been told all it lacked. */
  level: boolean
  /** Why the room refused a change, if it did. */
  refused: string | null
  /** After a refusal the room has asked again for all it lacks, once. */
  forgiven: boolean
}

/** Updates merged into one frame: merging costs more than it saves in larger groups. */
const GROUP = 32

export class Provider extends ObservableV2<ProviderEvents> {
  readonly doc: Y.Doc
  readonly awareness: ProviderAwareness
  /** `url/docId`: the document's address, and the name of the tabs' channel and of the offline copy. */
  readonly name: string

  readonly #options: ProviderOptions
  readonly #url: string
  readonly #ledger: Ledger
  readonly #voice: Voice
  #status: Status = "disconnected"
  #saidReadOnly = false
  #connection: Connection | null = null
  #session: Session | null = null
  #tabs: Tabs | null = null
  #offline: Promise<OfflineCopy | null> | null = null
  #closed: Closed | null = null
  #destroyed = false

  /** Changes made in this turn, not sent yet. */
  #outgoing: Uint8Array[] = []
  #flushDue = false
  /** The document's clocks before the first unsaved change: client → clock. */
  #savedClocks: Map<number, number> = new Map()

  #triedFreshToken = false
  #renewal: ReturnType<typeof setTimeout> | undefined
  #resync: ReturnType<typeof setInterval> | undefined

  /**
   * @param url where the rooms are: `wss://host/docs`
   * @param docId which of them; a slash in it stays one
   */
  constructor(url: string, docId: string, doc: Y.Doc, options: ProviderOptions = {}) {
    super()
    const base = url.replace(/^http/, "ws").replace(/\/+$/, "")
    this.name = `${base}/${docId}`
    this.#url = `${base}/${docId.split("/").map(encodeURIComponent).join("/")}`
    this.#options = options
    this.doc = doc
    this.awareness = tameAwareness(doc, options.awareness)
    this.#ledger = new Ledger(isEmpty(doc) ? 0 : 1)
    this.#voice = new Voice(this.awareness, { room: this, onDue: () => this.#scheduleFlush() })
    doc.on("update", this.#onUpdate)
    doc.on("destroy", this.#onDocDestroy)
    if (options.connect !== false) this.connect()
  }

  get status(): Status {
    return this.#status
  }

  /** Whether this connection has brought everything the room had. */
  get synced(): boolean {
    return this.#session?.synced ?? false
  }

  /** Whether a change was made here, on this page or offline before, that may not be on the room's disk yet. */
  get hasUnsavedChanges(): boolean {
    return this.#ledger.hasUnsaved
  }

  /**
   * Whether the room takes no changes from this connection: it is synced and did not ask for any, or it has refused one.
   * False while nothing is known yet.
   */
  get readOnly(): boolean {
    const session = this.#session
    return session !== null && (session.refused !== null || (session.synced && !session.level))
  }

  /** Why the room refused a change on this connection; null if it did not. */
  get refused(): string | null {
    return this.#session?.refused ?? null
  }

  /** How the room ended the last connection for good; null if it did not. */
  get closed(): Closed | null {
    return this.#closed
  }

  /** Connect, and again after every loss, until `disconnect()` or a final close. Does nothing when it does so already. */
  connect(): void {
    if (this.#connection !== null || this.#destroyed) return
    const { WebSocketPolyfill, maxBackoffTime = 5_000, heartbeatInterval = 20_000, disableBc } = this.#options
    this.#closed = null
    this.#triedFreshToken = false
    this.#listenToPage()
    this.#offline ??= this.#openOffline()
    this.#connection = new Connection({
      address: () => this.#address(),
      isFinal: (code) => this.#isFinal(code),
      WebSocket: WebSocketPolyfill,
      maxBackoffMs: maxBackoffTime,
      heartbeatMs: heartbeatInterval,
      onAttempt: () => this.#setStatus("connecting"),
      onOpen: () => this.#opened(),
      onMessage: (message) => this.#received(message),
      onClose: (event, final) => this.#lost(event, final),
      onError: (event) => this.#report(event),
    })
    if (!disableBc) {
      this.#tabs ??= new Tabs(this.name, {
        doc: this.doc,
        awareness: this.awareness,
        onHandedOver: (update) => this.#adopt(wire.writeStep2(update), this.#savedClocks),
        onError: (error) => this.#report(error),
      })
    }
    this.#setStatus("connecting")
  }

  /** Stop, also while connecting or waiting to. Changes that are not saved stay, and go out after the next `connect()`. */
  disconnect(): void {
    const connection = this.#connection
    if (connection === null) return
    // What was changed in this turn is still to be sent.
    this.#flush()
    this.#endSession()
    this.#connection = null
    connection.close()
    this.#leaveTabs()
    globalThis.window?.removeEventListener("pagehide", this.#onPageHide)
    this.#setStatus("disconnected")
  }

  /** Disconnect and let go of the document. An awareness that was handed in lives on. */
  override destroy(): void {
    if (this.#destroyed) return
    this.disconnect()
    this.#leaveTabs()
    this.#destroyed = true
    this.doc.off("update", this.#onUpdate)
    this.doc.off("destroy", this.#onDocDestroy)
    this.#voice.stop()
    if (this.#options.awareness === undefined) this.awareness.destroy()
    globalThis.window?.removeEventListener("beforeunload", this.#onBeforeUnload)
    void this.#offline?.then((copy) => copy?.destroy())
    this.#giveUpSaving()
    super.destroy()
  }

  /**
   * Send a custom message to the room, which hands it to its `onCustomMessage`.
   * @returns whether it went out; without a connection it is dropped
   */
  send(message: string): boolean {
    return this.#send(wire.writeCustom(message))
  }

  /**
   * Resolves when every change made here is on the room's disk. Waits through disconnections.
   * @throws SyncError "forbidden" when the room refused a change or closed for good (4401: "unauthorized", 4404:
   * "deleted"); "closed" when the provider is destroyed
   */
  whenSaved(): Promise<void> {
    const saved = this.#ledger.whenSaved()
    this.#giveUpSaving()
    return saved
  }

  // ---- the connection

  async #address(): Promise<Address> {
    // What this browser has kept comes first: then only the difference is fetched.
    await this.#offline
    const { params, token } = this.#options
    const query = new URLSearchParams(typeof params === "function" ? await params() : params).toString()
    const bearer = typeof token === "function" ? await token() : token
    if (bearer !== undefined) this.#planRenewal(readExpiry(bearer))
    return {
      url: query === "" ? this.#url : `${this.#url}?${query}`,
      protocols: bearer === undefined ? ["yurt"] : ["yurt", bearer],
    }
  }

  #isFinal(code: number): boolean {
    if (code < 4400 || code > 4499) return false
    const mayRetry = code === 4401 && typeof this.#options.token === "function" && !this.#triedFreshToken
    if (mayRetry) this.#triedFreshToken = true
    return !mayRetry
  }

  #opened(): void {
    this.#session = {
      fresh: isEmpty(this.doc),
      stateVector: null,
      update: null,
      synced: false,
      level: false,
      refused: null,
      forgiven: false,
    }
    this.#sendStep1()
    const { resyncInterval = 0 } = this.#options
    if (resyncInterval > 0) this.#resync = setInterval(() => this.#sendStep1(), resyncInterval)
    this.#voice.restart()
    this.#setStatus("connected")
  }

  #received(message: string | Uint8Array): void {
    const session = this.#session
    if (session === null) return
    if (typeof message === "string") {
      const custom = wire.readCustom(message)
      if (custom !== null) this.emit("message", [custom])
      return
    }
    let frame: wire.Frame
    try {
      frame = wire.readFrame(message)
    } catch (error) {
      // What it carried is missing here now: only a new connection brings it.
      this.#report(error)
      this.#connection?.restart("bad frame")
      return
    }
    this.#take(frame, session)
  }

  #take(frame: wire.Frame, session: Session): void {
    switch (frame.type) {
      case "step-1":
        this.#takeStep1(frame.stateVector, session)
        break
      case "step-2":
        this.#takeStep2(frame.update, session)
        break
      case "update":
        this.#apply(frame.update)
        break
      case "awareness":
        applyAwarenessUpdate(this.awareness, frame.entries, this)
        break
      case "query":
        this.#voice.repeat()
        break
      case "refusal":
        this.#takeRefusal(frame.reason, session)
        break
      case "saved":
        this.#takeSaved(readVarUint(frame.payload))
        break
      case "notice":
        break
      case "probe":
        this.#send(wire.writeProbe(frame.nonce))
        break
      case "renewal":
        this.#planRenewal(readVarUint(frame.payload))
        break
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }

  #takeStep1(stateVector: Uint8Array, session: Session): void {
    if (session.refused !== null && !session.forgiven) {
      session.refused = null
      session.forgiven = true
    }
    session.stateVector = stateVector
    this.#answer(session)
  }

  #takeStep2(update: Uint8Array, session: Session): void {
    const first = !session.synced
    // The whole document, where there was nothing to compare it with: not worth keeping.
    session.update = session.fresh ? null : update
    session.synced = true
    this.#triedFreshToken = false
    try {
      this.#apply(update)
    } finally {
      // An observer that throws is the application's affair; the document has the update all the same.
      this.#answer(session)
      this.#emitReadOnly()
      if (first) this.#emitSync(true)
    }
  }

  /** Once the room has said what it has, tell it the rest. */
  #answer(session: Session): void {
    const { stateVector, update } = session
    if (stateVector === null || !session.synced || session.refused !== null) return
    const missing = this.#missing(session, stateVector, update)
    session.stateVector = null
    session.update = null
    session.level = true
    if (missing !== null) this.#send(wire.writeStep2(missing))
    this.#emitReadOnly()
    this.#scheduleFlush()
  }

  #missing({ level, fresh }: Session, stateVector: Uint8Array, update: Uint8Array | null): Uint8Array | null {
    // All there is came from the room.
    if (fresh && !level && !this.hasUnsavedChanges) return null
    if (update !== null) return missingUpdate(this.doc, { stateVector, update })
    // Level already, and asked again: something has not reached it, or all has by now.
    if (level && !lacksStructs(this.doc, stateVector)) return null
    return Y.encodeStateAsUpdate(this.doc, stateVector)
  }

  #apply(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this)
    this.emit("update", [update])
  }

  #takeRefusal(reason: string, session: Session): void {
    session.refused = reason
    // Its answer would only say that what was not refused is saved.
    this.#ledger.forgetQuestion()
    this.emit("refused", [{ reason }])
    this.#emitReadOnly()
    this.#giveUpSaving()
  }

  #takeSaved(question: number): void {
    if (this.#ledger.confirm(question)) this.emit("saved", [])
    else this.#scheduleFlush()
  }

  #lost(event: CloseEvent, final: boolean): void {
    this.#endSession()
    if (final) {
      this.#connection = null
      this.#closed = { code: event.code, reason: event.reason }
      this.#leaveTabs()
    }
    this.#setStatus("disconnected")
    this.emit("connection-close", [event, this])
    if (this.#closed === null) return
    this.#giveUpSaving()
    // Last, so that a listener may call connect().
    this.emit("closed", [this.#closed, this])
  }

  #endSession(): void {
    clearTimeout(this.#renewal)
    clearInterval(this.#resync)
    const session = this.#session
    if (session === null) return
    this.#handOver()
    this.#session = null
    this.#ledger.forgetQuestion()
    forgetOthers(this.awareness, this)
    this.#emitReadOnly()
    if (session.synced) this.#emitSync(false)
  }

  #send(frame: string | Uint8Array): boolean {
    return this.#session !== null && (this.#connection?.send(frame) ?? false)
  }

  #sendStep1(): void {
    this.#send(wire.writeStep1(Y.encodeStateVector(this.doc)))
  }

  // ---- changes made here

  readonly #onUpdate = (
    update: Uint8Array,
    origin: unknown,
    _doc: Y.Doc,
    transaction: Y.Transaction,
  ): void => {
    if (origin === this || origin === TAB_SAVES) return
    if (origin !== TAB_GIVES) {
      this.#count(transaction.beforeState)
      this.#outgoing.push(update)
      this.#scheduleFlush()
    } else this.#adopt(wire.writeUpdate(update), transaction.beforeState)
  }

  /** A change that is ours to save. */
  #count(clocksBefore: Map<number, number>): void {
    if (!this.#ledger.add()) return
    this.#savedClocks = clocksBefore
    this.emit("unsaved", [])
  }

  /** At the end of this turn: a burst of changes costs few frames, and one question. */
  #scheduleFlush(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    queueMicrotask(() => {
      this.#flushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    for (
      let changes = this.#outgoing.splice(0, GROUP);
      changes.length > 0;
      changes = this.#outgoing.splice(0, GROUP)
    ) {
      const [only] = changes
      const update = only !== undefined && changes.length === 1 ? only : Y.mergeUpdates(changes)
      // To a room that takes none as well, so that it says so; other tabs are spared such a change. Where it can't go
      // out yet, the answer to the next step 1 brings it.
      const sent = this.synced && this.refused === null && this.#send(wire.writeUpdate(update))
      if (!this.readOnly) this.#tabs?.tell(sent ? wire.writeUpdate(update) : wire.writeStep2(update))
    }
    const entry = this.#voice.next()
    if (entry !== null) {
      this.#send(wire.writeAwareness(entry))
      this.#tabs?.tell(wire.writeAwareness(entry))
    }
    const number = this.#takesChanges() ? this.#ledger.ask() : null
    if (number !== null) this.#send(wire.writeSaved(encodeVarUint(number)))
  }

  /** Whether a change that is sent now gets into the room. */
  #takesChanges(): boolean {
    return this.#session?.level === true && this.#session.refused === null
  }

  /** Everything since the last moment when all was saved. */
  #encodeUnsaved(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(this.#savedClocks))
  }

  #giveUpSaving(): void {
    const failure = this.#failure()
    if (failure !== null) this.#ledger.giveUp(failure)
  }

  /** Why nothing more will be saved as things stand, or null. */
  #failure(): SyncError | null {
    if (this.#destroyed) return new SyncError("closed", `The provider of ${this.name} is destroyed`)
    if (this.refused !== null)
      return new SyncError("forbidden", `${this.name} refused a change: ${this.refused}`)
    if (this.#closed === null) return null
    const { code, reason } = this.#closed
    const kind = code === 4401 ? "unauthorized" : code === 4404 ? "deleted" : "forbidden"
    return new SyncError(kind, `${this.name} closed for good: ${code} ${reason}`)
  }

  // ---- other tabs

  /** What may be lost with this tab, to whoever else is connected. */
  #handOver(): void {
    if (this.hasUnsavedChanges && this.#takesChanges()) this.#tabs?.handOver(this.#encodeUnsaved())
  }

  /** A change of another tab's that is ours to save now. */
  #adopt(frame: Uint8Array, clocksBefore: Map<number, number>): void {
    if (this.readOnly) return
    this.#flush()
    this.#count(clocksBefore)
    if (this.#takesChanges()) this.#send(frame)
    this.#scheduleFlush()
  }

  #leaveTabs(): void {
    this.#tabs?.leave()
    this.#tabs = null
  }

  // ---- the page

  #listenToPage(): void {
    globalThis.window?.addEventListener("pagehide", this.#onPageHide)
    // Only where asked for: the listener alone keeps a page out of the back/forward cache.
    if (this.#options.guardUnload) globalThis.window?.addEventListener("beforeunload", this.#onBeforeUnload)
  }

  readonly #onPageHide = (): void => {
    this.#flush()
    this.#handOver()
    this.#tabs?.sayFarewell()
  }

  readonly #onBeforeUnload = (event: BeforeUnloadEvent): void => {
    if (this.hasUnsavedChanges) event.preventDefault()
  }

  readonly #onDocDestroy = (): void => this.destroy()

  async #openOffline(): Promise<OfflineCopy | null> {
    const { offline = false } = this.#options
    if (offline === false) return null
    try {
      return await openOfflineCopy(offline === true ? this.name : offline, this.doc)
    } catch (error) {
      // The package is missing or IndexedDB is broken: say so, and go on without a copy.
      this.#report(error)
      return null
    }
  }

  // ---- the token

  #planRenewal(expiresAtMs: number | null): void {
    clearTimeout(this.#renewal)
    const { token } = this.#options
    const delayMs = expiresAtMs === null ? null : renewalDelay(expiresAtMs)
    if (delayMs === null || typeof token !== "function") return
    this.#renewal = setTimeout(() => void this.#renewToken(token), delayMs)
  }

  async #renewToken(token: () => string | Promise<string>): Promise<void> {
    const session = this.#session
    try {
      const fresh = await token()
      if (this.#session === session) this.#send(wire.writeRenewal(fresh))
    } catch (error) {
      // The room closes with 4401 when the old one ends, and the next attempt asks again.
      this.#report(error)
    }
  }

  // ---- events

  #setStatus(status: Status): void {
    if (this.#status === status) return
    this.#status = status
    this.emit("status", [{ status }])
  }

  #emitSync(synced: boolean): void {
    this.emit("sync", [synced])
    this.emit("synced", [synced])
  }

  #emitReadOnly(): void {
    if (this.#saidReadOnly === this.readOnly) return
    this.#saidReadOnly = this.readOnly
    this.emit("read-only", [this.readOnly])
  }

  #report(problem: unknown): void {
    const isKnown = problem instanceof Error || problem instanceof Event
    this.emit("connection-error", [isKnown ? problem : new Error(String(problem)), this])
  }
}

function readVarUint(payload: Uint8Array): number {
  return decoding.readVarUint(decoding.createDecoder(payload))
}

function encodeVarUint(number: number): Uint8Array {
  return encoding.encode((encoder) => encoding.writeVarUint(encoder, number))
}
