/**
 * The provider: keeps a Y.Doc the same as the document behind a URL, and says when that is true.
 *
 * It speaks the y-websocket dialect and has the interface of y-websocket's provider, so every editor binding accepts it.
 * Beyond that, a change counts as saved only when the room has it on its disk.
 *
 *     session.ts     one connection's dialogue        connection.ts  the socket that comes back
 *     changes.ts     the way of a change              credentials.ts address and token; token.ts: what is in one
 *     ledger.ts      what is saved                    browser.ts     whose copy (copy.ts, offline.ts) and tabs
 *     diff.ts        what the room lacks                             (tabs.ts, channel.ts) these are; page.ts
 *     conflict.ts    other content under our ids;     awareness.ts   who is here
 *                    remake.ts: the way out           structs.ts     updates in parts
 *     readable.ts    whose fault an error is          versions.ts    the document's past
 *     fallback.ts    where no socket opens,           socket.ts      many documents on one connection
 *                    http-socket.ts                   events.ts · options.ts; above it react.ts, subdocuments.ts
 */
import { ObservableV2 } from "lib0/observable"
import { applyAwarenessUpdate } from "y-protocols/awareness"
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import * as wire from "../wire/y-websocket.ts"
import {
  forgetOthers,
  moveAwareness,
  openAwareness,
  PresenceSender,
  type ProviderAwareness,
} from "./awareness.ts"
import { Browser } from "./browser.ts"
import { Changes } from "./changes.ts"
import { type Address, Connection, type SocketClose, type Transport } from "./connection.ts"
import { Credentials, locate } from "./credentials.ts"
import { firstClocks } from "./diff.ts"
import { type Closed, type ProviderEvents, type Status, toError } from "./events.ts"
import type { ProviderOptions } from "./options.ts"
import type { Remade } from "./remake.ts"
import { readVarUint, Session } from "./session.ts"
import type { Socket } from "./socket.ts"
import { Versions } from "./versions.ts"

export type { ProviderAwareness } from "./awareness.ts"
export type { SocketClose, Transport, WebSocketClass } from "./connection.ts"
export type { Closed, Conflict, ProviderEvents, Status } from "./events.ts"
export type { OfflineCopy, OpenOfflineCopy, Params, ProviderOptions } from "./options.ts"
export type { Activity, Change, Moment, RolledBack, Span, Version, Versions, Who } from "./versions.ts"

/**
 * Keeps a Y.Doc the same as the document behind a URL.
 *
 * @example
 * const doc = new Y.Doc()
 * const provider = new Provider("wss://example.com/docs", "notes", doc, { token: () => fetchToken() })
 * provider.on("sync", (synced) => console.log(synced ? "up to date" : "not connected"))
 * doc.getText("t").insert(0, "hello")
 * await provider.whenSaved() // on the room's disk
 */
export class Provider extends ObservableV2<ProviderEvents> {
  /** Who is here: hand it to an editor binding. */
  readonly awareness: ProviderAwareness
  /** `url/docId`: the document's address, and the name of the tabs' channel and of the offline copy. */
  readonly name: string
  /** The document's past. */
  readonly versions: Versions

  readonly #options: ProviderOptions
  readonly #presence: PresenceSender
  readonly #credentials: Credentials
  readonly #browser: Browser
  readonly #changes: Changes
  readonly #onDocDestroy = (): void => this.destroy()
  #doc: Y.Doc
  #status: Status = "disconnected"
  #announced = { synced: false, readOnly: false }
  #connection: Connection | null = null
  #session: Session | null = null
  #closed: Closed | null = null
  #destroyed = false
  /** There was a conflict and nobody listened to `reload`, so the page shows a document that is no longer followed. */
  #isStale = false
  #resync: ReturnType<typeof setInterval> | undefined

  /**
   * @param at where the rooms are: `wss://host/docs`; or a `Socket` of `yurt/socket`, which others use as well
   * @param docId the document's id, as people write it, not percent-encoded; slashes stay slashes
   * @param doc the document to keep the same; what is in it already is sent as well
   * @throws SyncError "bad-id" where a segment of the id is `.` or `..`, which no URL can carry
   */
  constructor(at: string | Socket, docId: string, doc: Y.Doc, options: ProviderOptions = {}) {
    super()
    if (typeof at !== "string") options = { ...options, WebSocketPolyfill: at.Channel }
    const { name, address } = locate(typeof at === "string" ? at : at.url, docId)
    this.name = name
    this.#options = options
    this.#doc = doc
    this.awareness = openAwareness(doc, options.awareness)
    const onError = (problem: unknown) => this.#report(problem)
    this.#credentials = new Credentials(address, options, {
      onRenewed: (token) => void this.#send(wire.writeRenewal(token)),
      onError,
    })
    this.versions = new Versions({
      http: () => this.#credentials.http(),
      settle: () => (this.synced && !this.readOnly ? this.whenSaved() : Promise.resolve()),
    })
    this.#browser = new Browser(doc, {
      name,
      options,
      awareness: this.awareness,
      ledger: () => this.#changes.ledger,
      onUnsaved: (from) => this.#changes.count(new Map(), from),
      onHandedOver: (update) =>
        this.#changes.adopt(wire.writeStep2(update), this.#changes.ledger.savedClocks, firstClocks(update)),
      onConflict: () => this.#doubt(),
      onHide: () => {
        this.#changes.flush()
        this.#changes.handOver()
      },
      onError,
    })
    this.#presence = new PresenceSender(this.awareness, { room: this, onDue: () => this.#changes.schedule() })
    this.#changes = new Changes(doc, {
      room: this,
      browser: this.#browser,
      presence: this.#presence,
      session: () => this.#session,
      send: (frame) => this.#send(frame),
      isReadOnly: () => this.readOnly,
      onUnsaved: () => this.emit("unsaved", []),
    })
    doc.on("destroy", this.#onDocDestroy)
    if (options.connect !== false) this.connect()
  }

  /** The document; another one after a conflict, see the event `reload`. */
  get doc(): Y.Doc {
    return this.#doc
  }

  get status(): Status {
    return this.#status
  }

  /** What it goes over: a WebSocket, or HTTP where the network lets none through. */
  get transport(): Transport {
    return this.#connection?.transport ?? "websocket"
  }

  /** Whether this connection has brought everything the room had. */
  get synced(): boolean {
    return this.#session?.synced ?? false
  }

  /** Whether a change was made here, on this page or offline before, that may not be on the room's disk yet. */
  get hasUnsavedChanges(): boolean {
    return this.#changes.ledger.hasUnsaved
  }

  /**
   * Whether the room takes no changes from this page: it is synced and did not ask for any, has refused one, or has
   * ended the connection for good. False while nothing is known yet.
   */
  get readOnly(): boolean {
    return this.#closed !== null || this.#isStale || (this.#session?.readOnly ?? false)
  }

  /** Why the room refused a change on this connection; null if it did not. */
  get refused(): string | null {
    return this.#session?.refused ?? null
  }

  /** How the room ended the last connection for good; null if it did not. */
  get closed(): Closed | null {
    return this.#closed
  }

  /** Connect, and reconnect after every loss, until `disconnect()` or a final close. Does nothing where that is under way. */
  connect(): void {
    if (this.#connection !== null || this.#destroyed) return
    const { WebSocketPolyfill, maxBackoffTime = 5_000, heartbeatInterval = 20_000, fallback } = this.#options
    this.#closed = null
    this.#isStale = false
    this.#credentials.accept()
    this.#browser.listen()
    if (this.#credentials.user !== undefined) void this.#browser.actFor(this.#credentials.user)
    this.#connection = new Connection({
      address: () => this.#address(),
      isFinal: (code) => this.#credentials.isFinal(code),
      WebSocket: WebSocketPolyfill,
      mayFallBack: fallback ?? true,
      maxBackoffMs: maxBackoffTime,
      heartbeatMs: heartbeatInterval,
      onAttempt: () => this.#setStatus("connecting"),
      onOpen: () => this.#opened(),
      onMessage: (message) => this.#received(message),
      onClose: (event, final) => this.#lost(event, final),
      onError: (problem) => this.#report(problem),
    })
    this.#setStatus("connecting")
    this.#announce()
  }

  /** Close the connection, or end the attempt. Unsaved changes stay, and are sent after the next `connect()`. */
  disconnect(): void {
    const connection = this.#connection
    if (connection === null) return
    // Changes of this turn have not been sent yet.
    this.#changes.flush()
    this.#endSession()
    this.#connection = null
    connection.close()
    this.#browser.leaveTabs()
    this.#setStatus("disconnected")
  }

  /** Disconnect and release the document for good. An awareness that was handed in is not destroyed. */
  override destroy(): void {
    if (this.#destroyed) return
    this.disconnect()
    this.#destroyed = true
    this.#changes.stop()
    this.#doc.off("destroy", this.#onDocDestroy)
    this.#presence.stop()
    if (this.#options.awareness === undefined) this.awareness.destroy()
    this.#browser.close()
    this.#giveUpSaving()
    super.destroy()
  }

  /**
   * Send a custom message to the room's `onCustomMessage`.
   * @returns whether it was sent; without a connection it is dropped
   */
  send(message: string): boolean {
    return this.#send(wire.writeCustom(message))
  }

  /**
   * Resolves when every change made here is on the room's disk. Waits through disconnections.
   * @throws SyncError "forbidden" when the room takes no changes, refused one or closed for good (4401: "unauthorized",
   * 4404: "deleted"); "closed" when the provider is destroyed
   */
  whenSaved(): Promise<void> {
    const saved = this.#changes.ledger.whenSaved()
    this.#giveUpSaving()
    return saved
  }

  // ---- the connection

  async #address(): Promise<Address> {
    const address = await this.#credentials.address()
    // The browser's own copy is loaded first, so that only the difference is fetched.
    if (this.#connection !== null) await this.#browser.actFor(this.#credentials.user ?? null)
    return address
  }

  #opened(): void {
    const options = {
      doc: this.#doc,
      ledger: this.#changes.ledger,
      send: (frame: Uint8Array) => this.#connection?.send(frame) ?? false,
      apply: (update: Uint8Array) => this.#apply(update),
      onPhase: () => {
        if (this.synced) this.#credentials.accept()
        this.#announce()
      },
      onLevel: () => this.#changes.schedule(),
      onRefused: (reason: string) => this.emit("refused", [{ reason }]),
      onSaved: () => this.#savedAll(),
      onConflict: (remade: Remade) => this.#startAnew(remade),
      onAgreement: () => this.#browser.agree(),
      onFailure: (error: unknown) => this.#restart(error),
    }
    this.#session = new Session(options, this.#browser.inDoubt)
    const { resyncInterval = 0 } = this.#options
    if (resyncInterval > 0) this.#resync = setInterval(() => this.#session?.resync(), resyncInterval)
    this.#presence.restart()
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
    let frame: wire.Frame | null = null
    try {
      frame = wire.readFrame(message)
      this.#receive(frame, session)
    } catch (error) {
      void this.#judge(frame, error)
    }
  }

  #receive(frame: wire.Frame, session: Session): void {
    switch (frame.type) {
      case "awareness":
        applyAwarenessUpdate(this.awareness, frame.entries, this)
        break
      case "query":
        this.#presence.repeat()
        break
      case "notice":
        if (frame.code === "conflict") this.#doubt()
        this.emit("notice", [{ code: frame.code, message: frame.message }])
        break
      case "probe":
        this.#send(wire.writeProbe(frame.nonce))
        break
      case "renewal":
        this.#credentials.planRenewal(readVarUint(frame.payload))
        break
      default:
        session.receive(frame)
    }
  }

  /** A frame could not be handled: find out whether the frame or a listener is at fault. */
  async #judge(frame: wire.Frame | null, error: unknown): Promise<void> {
    const session = this.#session
    const isReadable = frame !== null && (await import("./readable.ts")).isReadable(frame)
    if (isReadable) {
      // A listener of the application threw: rethrow its error where it stops nothing of ours.
      setTimeout(() => {
        throw error
      })
    } else if (this.#session === session) this.#restart(error)
  }

  /** The content of the frame is missing here now, and only a new connection brings it. */
  #restart(error: unknown): void {
    this.#report(error)
    this.#connection?.restart("error")
  }

  #apply(update: Uint8Array): void {
    Y.applyUpdate(this.#doc, update, this)
    this.emit("update", [update])
  }

  #lost(event: SocketClose, final: boolean): void {
    if (final) this.#connection = null
    this.#endSession()
    if (final) this.#end({ code: event.code, reason: event.reason })
    this.#setStatus("disconnected")
    this.emit("connection-close", [event, this])
    // Last, so that a listener may call connect().
    if (this.#closed !== null) this.emit("closed", [this.#closed, this])
  }

  #end(closed: Closed): void {
    this.#closed = closed
    this.#browser.leaveTabs()
    if (closed.code === 4404) this.#browser.dropCopy()
    this.#announce()
  }

  #endSession(): void {
    this.#credentials.stopRenewal()
    clearInterval(this.#resync)
    if (this.#session === null) return
    this.#changes.handOver()
    this.#session = null
    this.#changes.ledger.forgetQuestion()
    forgetOthers(this.awareness, this)
    this.#announce()
  }

  #send(frame: string | Uint8Array): boolean {
    return this.#session !== null && (this.#connection?.send(frame) ?? false)
  }

  // ---- what is saved

  #savedAll(): void {
    this.#browser.record()
    this.emit("saved", [])
    this.#lockStale()
  }

  /** After a conflict without a listener, once all is saved: end, so that the page is loaded again. */
  #lockStale(): void {
    if (!this.#isStale) return
    this.disconnect()
    this.#end({ code: 4409, reason: "conflict" })
    if (this.#closed !== null) this.emit("closed", [this.#closed, this])
  }

  #giveUpSaving(): void {
    const failure = this.#failure()
    if (failure !== null) this.#changes.ledger.giveUp(failure)
  }

  /** Why nothing more will be saved as things stand, or null. */
  #failure(): SyncError | null {
    if (this.#destroyed) return new SyncError("closed", `The provider of ${this.name} is destroyed`)
    const reason = this.#session?.failure ?? null
    if (reason !== null) return new SyncError("forbidden", `${this.name} ${reason}`)
    return this.#closed === null ? null : toError(this.name, this.#closed)
  }

  /** After a conflict: go on with the document that was made again. */
  #startAnew({ doc, update, renamed }: Remade): void {
    const before = this.#doc
    this.#doc = doc
    doc.on("destroy", this.#onDocDestroy)
    this.#changes.replace(doc, renamed)
    moveAwareness(this.awareness, doc)
    this.#browser.replace(doc, wire.writeNotice("conflict", ""))
    this.#isStale = (this._observers.get("reload")?.size ?? 0) === 0
    this.#session?.replace(doc, update)
    this.emit("conflict", [{ before, doc, renamed }])
    this.emit("reload", [doc])
    if (!this.hasUnsavedChanges) this.#lockStale()
  }

  #doubt(): void {
    this.#browser.doubt()
    this.#session?.compare()
  }

  // ---- events

  #setStatus(status: Status): void {
    if (this.#status === status) return
    this.#status = status
    this.emit("status", [{ status, transport: this.transport }])
  }

  /** Emit what has changed of `readOnly` and `synced`, and reject `whenSaved` where nothing more will be saved. */
  #announce(): void {
    const { synced, readOnly } = this
    const before = this.#announced
    this.#announced = { synced, readOnly }
    this.#giveUpSaving()
    if (before.readOnly !== readOnly) this.emit("read-only", [readOnly])
    if (before.synced === synced) return
    this.emit("sync", [synced])
    this.emit("synced", [synced])
  }

  #report(problem: unknown): void {
    const told = typeof problem === "object" ? problem : new Error(String(problem))
    // reason: a socket throws or reports an Error or an Event, and Event has no class in React Native.
    this.emit("connection-error", [told as Event | Error, this])
  }
}
