/**
 * The other tabs of this browser that have the same document open. They hear each change through a
 * BroadcastChannel, in the frames of the wire; the question is who sends it to the room.
 *
 *     update   the tab that made it has sent it, and sees to it that it is saved
 *     step 2   the room may lack this: what is new in it here is ours to save as well
 *     saved    carries an update whose tab has lost its connection, or closes, before it was saved: ours now
 *     notice   "conflict": what this browser holds is not what the room holds, see conflict.ts; compare
 *     step 1 · awareness · query   as on the wire
 *
 * So a change is lost only if every tab that holds it is gone, and a second tab costs the room nothing while the
 * first is connected. Stock y-websocket publishes on the same channel and knows all of these but the last two.
 */
import { type Awareness, applyAwarenessUpdate } from "y-protocols/awareness"
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import * as wire from "../wire/y-websocket.ts"
import { encodeLeaving, encodeOwnEntry } from "./awareness.ts"
import * as channels from "./channel.ts"
import { isAhead, isEmpty } from "./diff.ts"

/** Origin of what another tab made and sees to itself. */
export const TAB_SAVES = Symbol("tab saves")

/** Origin of what another tab has and the room may lack. */
export const TAB_GIVES = Symbol("tab gives")

/** What is shared with other tabs, and the callbacks of the tabs. */
export interface TabsOptions {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  /** An update that is ours to save from now on; the document has it. */
  readonly onHandedOver: (update: Uint8Array) => void
  /** Another tab has found a conflict with the room. */
  readonly onConflict: () => void
  readonly onError: (error: unknown) => void
}

/** The channel to the other tabs. */
export class Tabs {
  readonly #channel: string
  readonly #options: TabsOptions

  /** Joins the tabs on this channel and asks them for what they have. */
  constructor(channel: string, options: TabsOptions) {
    this.#channel = channel
    this.#options = options
    channels.subscribe(channel, this.#onMessage)
    this.tell(wire.writeStep1(Y.encodeStateVector(options.doc)))
    this.tell(wire.writeQuery())
    this.#tellOwnEntry()
  }

  tell(frame: Uint8Array): void {
    channels.publish(this.#channel, frame, this)
  }

  /** An update that may be lost with this tab. */
  handOver(update: Uint8Array): void {
    this.tell(wire.writeSaved(update))
  }

  /** Remove our cursor in the other tabs only: a page that is hidden now may come back. */
  tellLeaving(): void {
    this.tell(wire.writeAwareness(encodeLeaving(this.#options.awareness)))
  }

  leave(): void {
    this.tellLeaving()
    channels.unsubscribe(this.#channel, this.#onMessage)
  }

  #tellOwnEntry(): void {
    const entry = encodeOwnEntry(this.#options.awareness)
    if (entry !== null) this.tell(wire.writeAwareness(entry))
  }

  readonly #onMessage = (message: Uint8Array, origin: unknown): void => {
    if (origin === this) return
    try {
      this.#receive(wire.readFrame(message))
    } catch (error) {
      this.#options.onError(error)
    }
  }

  #receive(frame: wire.Frame): void {
    const { doc, awareness } = this.#options
    switch (frame.type) {
      case "step-1": {
        const stateVector = Y.encodeStateVector(doc)
        if (!isEmpty(doc)) this.tell(wire.writeStep2(Y.encodeStateAsUpdate(doc, frame.stateVector)))
        if (isAhead(frame.stateVector, stateVector)) this.tell(wire.writeStep1(stateVector))
        break
      }
      case "step-2":
        Y.applyUpdate(doc, frame.update, TAB_GIVES)
        break
      case "update":
        Y.applyUpdate(doc, frame.update, TAB_SAVES)
        break
      case "saved":
        // As a rule it is here already, from an `update`: Yjs would not tell of it again.
        Y.applyUpdate(doc, frame.payload, TAB_SAVES)
        this.#options.onHandedOver(frame.payload)
        break
      case "awareness":
        applyAwarenessUpdate(awareness, frame.entries, TAB_SAVES)
        break
      case "query":
        this.#tellOwnEntry()
        break
      case "notice":
        if (frame.code === "conflict") this.#options.onConflict()
        break
      case "refusal":
      case "renewal":
      case "probe":
        // Between a room and one connection.
        break
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }
}
