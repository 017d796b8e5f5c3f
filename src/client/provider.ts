/**
 * The provider: keeps a Y.Doc in the browser the same as the document behind a URL, and says when that is true.
 *
 * It speaks the y-websocket dialect and has the shape of y-websocket's provider, so every editor binding takes it.
 * What it adds: a change counts as saved only when the room has it on its disk.
 *
 *     connection.ts  the socket that comes back      ledger.ts     what is saved
 *     missing.ts     what the room lacks             awareness.ts  who is here
 *     token.ts       when a token ends
 *
 * **A connection opens.** We send step 1 and our awareness; the room sends its step 1, its step 2, and everybody's
 * awareness. With its step 2 we are synced; with both steps we know what it lacks, and send that. Only from then
 * on do changes go out as they are made, each burst followed by the question whether it is durable.
 *
 * **Another tab of this browser** hears each change through a BroadcastChannel. Who sends it to the room?
 * `update`: the tab that made the change has sent it, and sees to it that it is saved. `step 2`: the room may lack
 * this, for that tab has no connection; what is new in it, a tab that is connected sends on and counts as its own.
 * `saved`: that tab has lost its connection, or is being closed, before this update was saved; whoever is connected
 * sends it again. So a change is lost only if every tab that holds it is gone, with `offline` not even then; and a
 * second tab costs nothing while the first is connected.
 */
import * as tabs from "lib0/broadcastchannel"
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { ObservableV2 } from "lib0/observable"
import type { CloseEvent } from "partysocket/ws"
import { type Awareness, applyAwarenessUpdate } from "y-protocols/awareness"
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import * as wire from "../wire/y-websocket.ts"
import {
  type AwarenessChange,
  encodeFarewell,
  encodeOwnEntry,
  forgetOthers,
  isRenewalDue,
  type ProviderAwareness,
  tameAwareness,
} from "./awareness.ts"
import { type Address, Connection, type WebSocketClass } from "./connection.ts"
import { Ledger } from "./ledger.ts"
import { isAhead, isEmpty, lacksStructs, missingUpdate } from "./missing.ts"
import { readExpiry, renewalDelay } from "./token.ts"

export type { ProviderAwareness } from "./awareness.ts"
export type { WebSocketClass } from "./connection.ts"

/** Query parameters of the socket's URL. */
export type Params = Record<string, string>

export interface ProviderOptions {
  /** Connect at once. Default true. */
  connect?: boolean | undefined
  /** Presence of your own making; default a new one. Its timer is stopped: the room says who leaves. */
  awareness?: Awareness | undefined
  /** Query parameters, or a function that is asked for them at each attempt. */
  params?: Params | (() => Params | Promise<Params>) | undefined
  /**
   * A JWT, or a function that is asked for one at each attempt and shortly before the last one expires. With a
   * function, a room that closes with 4401 gets one more attempt with a fresh token.
   */
  token?: string | (() => string | Promise<string>) | undefined
  /** Another WebSocket class than the global one, for example that of `ws`. */
  WebSocketPolyfill?: WebSocketClass | undefined
  /** Do not talk to other tabs of this browser. Default false. */
  disableBc?: boolean | undefined
  /** No wait between two attempts is longer, ms. Default 5,000. */
  maxBackoffTime?: number | undefined
  /** Ask the room for what is missing here this often, ms. Default never: it sends what happens as it happens. */
  resyncInterval?: number | undefined
  /** Ping the room this often, ms; the ping does not wake it. Default 20,000. */
  heartbeatInterval?: number | undefined
  /**
   * Keep the document in this browser's IndexedDB (needs the package y-indexeddb, loaded only then): true, or the
   * database's name. It is opened at the first `connect()`, before the socket.
   */
  offline?: boolean | string | undefined
  /** Ask before the page is left with unsaved changes. Default false. */
  guardUnload?: boolean | undefined
}

/** `connecting` from the start of an attempt until it opens or fails; `disconnected` also while one is waited for. */
export type Status = "connecting" | "connected" | "disconnected"

/** How a connection ended for good. */
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
  /** The room refused a change: this connection only reads from now on, and nothing more is sent on it. */
  refused: (event: { reason: string }) => void
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
  /** What went wrong: the socket's own event, or the error of a frame that can't be read. */
  "connection-error": (event: Event | Error, provider: Provider) => void
}

/** What one connection has brought so far. */
interface Session {
  /** The room's step 1, until it is answered. */
  stateVector: Uint8Array | null
  /** The room's step 2, until its step 1 is answered. */
  update: Uint8Array | null
  /** Whether the document was empty before that step 2. */
  fresh: boolean
  synced: boolean
  /** Whether the room has been told all it lacked: from here on changes go out one by one. */
  level: boolean
  /** Why the room refused a change, if it did. */
  refused: string | null
}

/** What this browser has kept may take this long to load before the socket opens without it, ms. A guess. */
const OFFLINE_MS = 3_000

/** Origin of what another tab made and sees to itself. */
const TAB_SAVES = Symbol("made in another tab")

/** Origin of what another tab has and the room may lack. */
const TAB_GIVES = Symbol("given by another tab")

export class Provider extends ObservableV2<ProviderEvents> {
  readonly doc: Y.Doc
  readonly awareness: ProviderAwareness
  /** `url/docId`, as given. */
  readonly name: string

  readonly #options: ProviderOptions
  readonly #url: string
  readonly #ledger: Ledger
  #status: Status = "disconnected"
  #connection: Connection | null = null
  #session: Session | null = null
  #closed: Closed | null = null
  #destroyed = false

  /** The document as it was when the first unsaved change was made: client → clock. */
  #savedState: Map<number, number> = new Map()
  readonly #savers = new Set<{ resolve: () => void; reject: (error: SyncError) => void }>()
  /** Clients whose awareness state really changed in the event at hand. */
  #changed: readonly number[] = []
  #presenceDue: "no" | "if changed" | "always" = "no"
  /** The last own awareness state sent on this connection, as JSON, and when. */
  #said = "null"
  #saidAtMs = 0
  #flushDue = false

  #triedFreshToken = false
  #renewal: ReturnType<typeof setTimeout> | undefined
  #resync: ReturnType<typeof setInterval> | undefined
  #inTabs = false
  #offline: Promise<{ destroy(): Promise<void> } | null> | null = null

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
    doc.on("update", this.#onUpdate)
    doc.on("destroy", this.#onDocDestroy)
    this.awareness.on("change", this.#onPresenceChange)
    this.awareness.on("update", this.#onPresence)
    if (options.connect !== false) this.connect()
  }

  get status(): Status {
    return this.#status
  }

  /** Whether this connection has brought everything the room had. */
  get synced(): boolean {
    return this.#session?.synced ?? false
  }

  /** Whether a change was made here, offline or in this connection, that may not be on the room's disk yet. */
  get hasUnsavedChanges(): boolean {
    return this.#ledger.hasUnsaved
  }

  /** Why the room refused a change on this connection; null if it did not. */
  get refused(): string | null {
    return this.#session?.refused ?? null
  }

  /** How the room ended the last connection for good; null if it did not. */
  get closed(): Closed | null {
    return this.#closed
  }

  /** Connect, and reconnect until `disconnect()`, or until the room closes for good. Does nothing when it does already. */
  connect(): void {
    if (this.#connection !== null || this.#destroyed) return
    this.#closed = null
    this.#triedFreshToken = false
    globalThis.window?.addEventListener("pagehide", this.#onPageHide)
    // Only where asked for: the listener alone keeps a page out of the back/forward cache.
    if (this.#options.guardUnload) globalThis.window?.addEventListener("beforeunload", this.#onBeforeUnload)
    this.#offline ??= this.#openOffline()
    const { WebSocketPolyfill, maxBackoffTime = 5_000, heartbeatInterval = 20_000 } = this.#options
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
      onError: (event) => this.emit("connection-error", [event, this]),
    })
    this.#setStatus("connecting")
    this.#joinTabs()
  }

  /** Stop, also while connecting or waiting to. Local changes stay, and go out after the next `connect()`. */
  disconnect(): void {
    const connection = this.#connection
    if (connection === null) return
    this.#connection = null
    connection.close()
    this.#endSession()
    this.#leaveTabs()
    this.#setStatus("disconnected")
  }

  /** Disconnect and let go of the document. An awareness that was handed in lives on. */
  override destroy(): void {
    if (this.#destroyed) return
    this.disconnect()
    this.#destroyed = true
    this.doc.off("update", this.#onUpdate)
    this.doc.off("destroy", this.#onDocDestroy)
    this.awareness.off("change", this.#onPresenceChange)
    this.awareness.off("update", this.#onPresence)
    if (this.#options.awareness === undefined) this.awareness.destroy()
    globalThis.window?.removeEventListener("pagehide", this.#onPageHide)
    globalThis.window?.removeEventListener("beforeunload", this.#onBeforeUnload)
    void this.#offline?.then((database) => database?.destroy())
    this.#giveUpSaving(this.#failure())
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
   * Resolves when every change made so far is on the room's disk. Waits through disconnections.
   * @throws SyncError "forbidden" when the room refused a change, or the code of a connection that was closed for
   * good; "closed" when the provider was destroyed
   */
  whenSaved(): Promise<void> {
    if (!this.hasUnsavedChanges) return Promise.resolve()
    const failure = this.#failure()
    if (failure !== null) return Promise.reject(failure)
    return new Promise((resolve, reject) => this.#savers.add({ resolve, reject }))
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
      stateVector: null,
      update: null,
      fresh: false,
      synced: false,
      level: false,
      refused: null,
    }
    this.#said = "null"
    this.#sendStep1()
    const { resyncInterval = 0 } = this.#options
    if (resyncInterval > 0) this.#resync = setInterval(() => this.#sendStep1(), resyncInterval)
    // A clock ahead of what the old connection said: others must not take this entry for a late echo of that.
    const state = this.awareness.getLocalState()
    if (state !== null) this.awareness.setLocalState(state)
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
      this.emit("connection-error", [asError(error), this])
      this.#connection?.restart("bad frame")
      return
    }
    this.#take(frame, session)
  }

  #take(frame: wire.Frame, session: Session): void {
    switch (frame.type) {
      case "step-1":
        session.stateVector = frame.stateVector
        this.#answer(session)
        break
      case "step-2": {
        session.update = frame.update
        session.fresh = isEmpty(this.doc)
        const first = !session.synced
        session.synced = true
        this.#triedFreshToken = false
        try {
          this.#apply(frame.update)
        } finally {
          // An observer that throws is the application's affair; the document has the update all the same.
          this.#answer(session)
          if (first) this.#emitSync(true)
        }
        break
      }
      case "update":
        this.#apply(frame.update)
        break
      case "awareness":
        applyAwarenessUpdate(this.awareness, frame.entries, this)
        break
      case "query":
        this.#sayPresence("always")
        break
      case "refusal":
        this.#refuse(frame.reason, session)
        break
      case "saved":
        // After a refusal it would only say that what was not refused is saved.
        if (session.refused !== null) break
        if (this.#ledger.confirm(decoding.readVarUint(decoding.createDecoder(frame.payload))))
          this.#allSaved()
        else this.#scheduleFlush()
        break
      case "renewal":
        this.#planRenewal(decoding.readVarUint(decoding.createDecoder(frame.payload)))
        break
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }

  /** Once the room has said what it has, tell it the rest. */
  #answer(session: Session): void {
    const { stateVector, update } = session
    if (stateVector === null || !session.synced || session.refused !== null) return
    const missing = this.#missing(session, { stateVector, update })
    session.stateVector = null
    session.update = null
    session.level = true
    if (missing !== null) this.#send(wire.writeStep2(missing))
    this.#scheduleFlush()
  }

  #missing(
    { level, fresh }: Session,
    room: { stateVector: Uint8Array; update: Uint8Array | null },
  ): Uint8Array | null {
    // All there is came from the room.
    if (fresh && !level && !this.hasUnsavedChanges) return null
    if (room.update !== null) return missingUpdate(this.doc, { ...room, update: room.update })
    // A step 1 without a step 2: the room asks again, because something has not reached it.
    return lacksStructs(this.doc, room.stateVector) ? Y.encodeStateAsUpdate(this.doc, room.stateVector) : null
  }

  #apply(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this)
    this.emit("update", [update])
  }

  #refuse(reason: string, session: Session): void {
    session.refused = reason
    this.#handOver()
    this.emit("refused", [{ reason }])
    this.#giveUpSaving(this.#failure())
  }

  #lost(event: CloseEvent, final: boolean): void {
    if (final) {
      this.#connection = null
      this.#closed = { code: event.code, reason: event.reason }
    }
    this.#endSession()
    this.#setStatus("disconnected")
    this.emit("connection-close", [event, this])
    if (this.#closed === null) return
    this.#leaveTabs()
    this.#giveUpSaving(this.#failure())
    // Last, so that a listener may call connect().
    this.emit("closed", [this.#closed, this])
  }

  #endSession(): void {
    clearTimeout(this.#renewal)
    clearInterval(this.#resync)
    const session = this.#session
    if (session === null) return
    this.#session = null
    this.#ledger.forgetQuestion()
    this.#handOver()
    forgetOthers(this.awareness, this)
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
    this.#count(transaction.beforeState)
    const sent = this.#sendChange(update)
    if (origin === TAB_GIVES || this.refused !== null) return
    this.#tellTabs(sent ? wire.writeUpdate(update) : wire.writeStep2(update))
  }

  /** A change that is this tab's to save. */
  #count(before: Map<number, number>): void {
    if (!this.#ledger.add()) return
    this.#savedState = before
    this.emit("unsaved", [])
  }

  /** @returns whether it went out now; otherwise it goes with the next connection's step 2 */
  #sendChange(update: Uint8Array): boolean {
    const session = this.#session
    if (session === null || !session.level || session.refused !== null) return false
    const sent = this.#send(wire.writeUpdate(update))
    this.#scheduleFlush()
    return sent
  }

  /** What follows a burst: the question whether it is durable, and the newest awareness state, once each. */
  #scheduleFlush(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    queueMicrotask(() => {
      this.#flushDue = false
      this.#flushPresence()
      const session = this.#session
      if (session === null || !session.level || session.refused !== null) return
      const number = this.#ledger.ask()
      if (number === null) return
      this.#send(wire.writeSaved(encoding.encode((encoder) => encoding.writeVarUint(encoder, number))))
    })
  }

  #allSaved(): void {
    for (const { resolve } of this.#savers) resolve()
    this.#savers.clear()
    this.emit("saved", [])
  }

  #giveUpSaving(failure: SyncError | null): void {
    if (failure === null) return
    for (const { reject } of this.#savers) reject(failure)
    this.#savers.clear()
  }

  /** Why nothing more will be saved as things stand, or null. */
  #failure(): SyncError | null {
    if (this.#destroyed) return new SyncError("closed", `The provider of ${this.name} is destroyed`)
    if (this.refused !== null) {
      return new SyncError("forbidden", `The room ${this.name} refused a change: ${this.refused}`)
    }
    if (this.#closed === null) return null
    const { code, reason } = this.#closed
    const kind = code === 4401 ? "unauthorized" : code === 4404 ? "deleted" : "forbidden"
    return new SyncError(kind, `The room ${this.name} closed for good (${code} ${reason})`)
  }

  // ---- presence

  readonly #onPresenceChange = ({ updated }: AwarenessChange): void => {
    this.#changed = updated
  }

  readonly #onPresence = ({ added, updated, removed }: AwarenessChange, origin: unknown): void => {
    const own = this.awareness.clientID
    if (added.includes(own) || updated.includes(own) || removed.includes(own)) {
      // Somebody else spoke for us, so Awareness has moved our clock past theirs: contradict, though we say nothing new.
      this.#sayPresence(origin === "local" ? "if changed" : "always")
    }
    const renewed = updated.some((client) => client !== own && !this.#changed.includes(client))
    this.#changed = []
    if (origin === this && renewed) this.#answerRenewal()
  }

  #sayPresence(when: "if changed" | "always"): void {
    if (this.#presenceDue !== "always") this.#presenceDue = when
    this.#scheduleFlush()
  }

  #flushPresence(): void {
    const when = this.#presenceDue
    this.#presenceDue = "no"
    const state = JSON.stringify(this.awareness.getLocalState())
    if (when === "no" || state === (when === "always" ? "null" : this.#said)) return
    const frame = wire.writeAwareness(encodeOwnEntry(this.awareness))
    this.#said = state
    this.#saidAtMs = Date.now()
    this.#send(frame)
    this.#tellTabs(frame)
  }

  #answerRenewal(): void {
    const state = this.awareness.getLocalState()
    if (state === null || this.#session === null || !isRenewalDue(this.#saidAtMs)) return
    this.awareness.setLocalState(state)
    this.#sayPresence("always")
  }

  // ---- other tabs of this browser

  #joinTabs(): void {
    if (this.#options.disableBc || this.#inTabs) return
    this.#inTabs = true
    tabs.subscribe(this.name, this.#onTab)
    this.#tellTabs(wire.writeStep1(Y.encodeStateVector(this.doc)))
    this.#tellTabs(wire.writeQuery())
    if (this.awareness.getLocalState() !== null) {
      this.#tellTabs(wire.writeAwareness(encodeOwnEntry(this.awareness)))
    }
  }

  #leaveTabs(): void {
    if (!this.#inTabs) return
    this.#tellTabs(wire.writeAwareness(encodeFarewell(this.awareness)))
    this.#inTabs = false
    tabs.unsubscribe(this.name, this.#onTab)
  }

  #tellTabs(frame: Uint8Array): void {
    if (this.#inTabs) tabs.publish(this.name, frame, this)
  }

  readonly #onTab = (data: ArrayBuffer | Uint8Array, origin: unknown): void => {
    if (origin === this) return
    try {
      this.#takeFromTab(wire.readFrame(new Uint8Array(data)))
    } catch (error) {
      this.emit("connection-error", [asError(error), this])
    }
  }

  #takeFromTab(frame: wire.Frame): void {
    switch (frame.type) {
      case "step-1": {
        const ours = Y.encodeStateVector(this.doc)
        if (!isEmpty(this.doc))
          this.#tellTabs(wire.writeStep2(Y.encodeStateAsUpdate(this.doc, frame.stateVector)))
        if (isAhead(frame.stateVector, ours)) this.#tellTabs(wire.writeStep1(ours))
        break
      }
      case "step-2":
        Y.applyUpdate(this.doc, frame.update, TAB_GIVES)
        break
      case "update":
        Y.applyUpdate(this.doc, frame.update, TAB_SAVES)
        break
      case "saved": {
        // Handed over. It is in this document already, as a rule, so Yjs would not tell of it again.
        const before = Y.decodeStateVector(Y.encodeStateVector(this.doc))
        Y.applyUpdate(this.doc, frame.payload, TAB_SAVES)
        this.#count(before)
        this.#sendChange(frame.payload)
        break
      }
      case "awareness":
        applyAwarenessUpdate(this.awareness, frame.entries, TAB_SAVES)
        break
      case "query":
        if (this.awareness.getLocalState() !== null) {
          this.#tellTabs(wire.writeAwareness(encodeOwnEntry(this.awareness)))
        }
        break
      case "refusal":
      case "renewal":
        // Between a room and one connection.
        break
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }

  /** What may be lost with this tab, to whoever is connected: a `saved` frame that carries the update to be saved. */
  #handOver(): void {
    if (!this.hasUnsavedChanges) return
    this.#tellTabs(wire.writeSaved(Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(this.#savedState))))
  }

  // ---- the page

  readonly #onPageHide = (): void => {
    this.#handOver()
    this.#tellTabs(wire.writeAwareness(encodeFarewell(this.awareness)))
  }

  readonly #onBeforeUnload = (event: BeforeUnloadEvent): void => {
    if (this.hasUnsavedChanges) event.preventDefault()
  }

  readonly #onDocDestroy = (): void => this.destroy()

  async #openOffline(): Promise<{ destroy(): Promise<void> } | null> {
    const { offline = false } = this.#options
    if (offline === false || globalThis.indexedDB === undefined) return null
    try {
      const { IndexeddbPersistence } = await import("y-indexeddb")
      const database = new IndexeddbPersistence(offline === true ? this.name : offline, this.doc)
      // Where the browser forbids IndexedDB it may never answer; that must not keep the socket from opening.
      await Promise.race([database.whenSynced, new Promise((resolve) => setTimeout(resolve, OFFLINE_MS))])
      return database
    } catch (error) {
      this.emit("connection-error", [asError(error), this])
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
      this.emit("connection-error", [asError(error), this])
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
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
