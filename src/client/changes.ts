/** The way of a local change: it is counted, told to the other tabs, sent to the room, and asked about. */
import * as Y from "yjs"
import * as wire from "../wire/y-websocket.ts"
import type { PresenceSender } from "./awareness.ts"
import type { Browser } from "./browser.ts"
import { firstClocks, isEmpty } from "./diff.ts"
import { type Clocks, Ledger } from "./ledger.ts"
import type { Session } from "./session.ts"
import { TAB_GIVES, TAB_SAVES } from "./tabs.ts"

/** Updates merged into one frame: merging costs more than it saves in larger groups. */
const GROUP = 32

const NO_CLOCKS: Clocks = new Map()

/** What the changes of a document need of the provider. */
export interface ChangesOptions {
  /** The origin of what the room has brought. */
  readonly room: unknown
  readonly browser: Browser
  readonly presence: PresenceSender
  readonly session: () => Session | null
  /** @returns whether it went out */
  readonly send: (frame: Uint8Array) => boolean
  readonly isReadOnly: () => boolean
  /** The first change that is not saved. */
  readonly onUnsaved: () => void
}

/** Follows the local changes of one document. */
export class Changes {
  readonly ledger = new Ledger()
  readonly #options: ChangesOptions
  #doc: Y.Doc
  /** Changes made in this turn, not sent yet. */
  #outgoing: Uint8Array[] = []
  #isFlushDue = false

  /** Starts to follow the document. Content that is in it already counts as unsaved. */
  constructor(doc: Y.Doc, options: ChangesOptions) {
    this.#options = options
    this.#doc = doc
    if (!isEmpty(doc)) {
      const { clientID, store } = doc
      this.ledger.add(NO_CLOCKS, store.clients.has(clientID) ? new Map([[clientID, 0]]) : NO_CLOCKS)
    }
    doc.on("update", this.#onUpdate)
  }

  /** Count a change that this tab has to save. @param from see `Ledger.add` */
  count(before: Clocks, from: Clocks): void {
    if (!this.ledger.add(before, from)) return
    this.#options.browser.record()
    this.#options.onUnsaved()
  }

  /** Take over a change of another tab, to save it. @param frame carries it to the room */
  adopt(frame: Uint8Array, before: Clocks, from: Clocks): void {
    const { isReadOnly, session, send } = this.#options
    if (isReadOnly()) return
    this.flush()
    this.count(before, from)
    if (session()?.takesChanges) send(frame)
    this.schedule()
  }

  /** Flush at the end of this turn: a burst of changes costs few frames, and one question. */
  schedule(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    queueMicrotask(() => {
      this.#isFlushDue = false
      this.flush()
    })
  }

  /** Send the gathered changes, and ask whether they are saved. */
  flush(): void {
    const { browser, presence, send, isReadOnly } = this.#options
    const session = this.#options.session()
    // Each time, for another tab may have written down that all is saved.
    if (this.#outgoing.length > 0) browser.record()
    for (
      let changes = this.#outgoing.splice(0, GROUP);
      changes.length > 0;
      changes = this.#outgoing.splice(0, GROUP)
    ) {
      const [only] = changes
      const update = only !== undefined && changes.length === 1 ? only : Y.mergeUpdates(changes)
      // Other tabs are spared a change that the room does not take. Where one can't go out yet, the answer to the next
      // step 1 brings it.
      const isSent = session?.sendsChanges === true && send(wire.writeUpdate(update))
      if (!isReadOnly()) browser.tell(isSent ? wire.writeUpdate(update) : wire.writeStep2(update))
    }
    const entry = presence.next()
    if (entry !== null) {
      send(wire.writeAwareness(entry))
      browser.tell(wire.writeAwareness(entry))
    }
    session?.askSaved()
  }

  /** Hand unsaved changes over to the other tabs, since this one may close. */
  handOver(): void {
    if (!this.ledger.hasUnsaved || this.#options.session()?.takesChanges !== true) return
    const before = Y.encodeStateVector(new Map(this.ledger.savedClocks))
    this.#options.browser.handOver(() => Y.encodeStateAsUpdate(this.#doc, before))
  }

  /** Follow another document, which has the unsaved changes under other client ids. */
  replace(doc: Y.Doc, renamed: Clocks): void {
    this.stop()
    this.#doc = doc
    this.#outgoing = []
    for (const [client, fresh] of renamed) this.ledger.rename(client, fresh)
    doc.on("update", this.#onUpdate)
  }

  /** Stop following the document. */
  stop(): void {
    this.#doc.off("update", this.#onUpdate)
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown, _: Y.Doc, transaction: Y.Transaction): void => {
    const { room, browser, session } = this.#options
    if (origin === room || origin === TAB_SAVES) return
    const { local, beforeState } = transaction
    if (origin === TAB_GIVES) {
      // At the first contact another tab gives all it has: most of that the room knows.
      const from = beforeState.size > 0 ? firstClocks(update) : NO_CLOCKS
      this.adopt(wire.writeUpdate(update), beforeState, from)
    } else if (local || !browser.isLoading) {
      this.count(beforeState, local ? firstClocks(update, this.#doc.clientID) : NO_CLOCKS)
      this.#outgoing.push(update)
      session()?.noteChange(local)
      this.schedule()
    }
  }
}
