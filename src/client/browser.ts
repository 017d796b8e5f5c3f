/** What one person has of a document in this browser: the offline copy, and the other tabs that show it. */

import type { Awareness } from "y-protocols/awareness"
import type * as Y from "yjs"
import { hasChannels } from "./channel.ts"
import { DocumentCopy } from "./copy.ts"
import { isEmpty } from "./diff.ts"
import type { Clocks, Ledger } from "./ledger.ts"
import type { ProviderOptions } from "./options.ts"
import { listenToWindow } from "./page.ts"
import { Tabs } from "./tabs.ts"

/** What is shared, and the callbacks of the browser. */
export interface BrowserOptions {
  /** The document's address. */
  readonly name: string
  readonly options: ProviderOptions
  readonly ledger: () => Ledger
  readonly awareness: Awareness
  /** The copy holds changes that may not be saved. @param from see `Ledger.unsavedFrom` */
  readonly onUnsaved: (from: Clocks) => void
  /** Another tab leaves us an update to save; the document has it. */
  readonly onHandedOver: (update: Uint8Array) => void
  /** Another tab has found a conflict with the room. */
  readonly onConflict: () => void
  /** The page is hidden, perhaps for good. */
  readonly onHide: () => void
  readonly onError: (problem: unknown) => void
}

/** The tabs and the copy of the person who uses this page. */
export class Browser {
  readonly #options: BrowserOptions
  #doc: Y.Doc
  /** Whose tabs and copy these are; undefined before that is known. */
  #user: string | null | undefined
  #tabs: Tabs | null = null
  #copy: DocumentCopy | null = null
  /** Resolves when the last copy is gone: another of the same name is not opened before. */
  #copyGone: Promise<void> | undefined
  /** The document may be in conflict with the room's: until that is clear, it is not shared with other tabs. */
  inDoubt = false
  #stopListening: (() => void)[] = []

  constructor(doc: Y.Doc, options: BrowserOptions) {
    this.#doc = doc
    this.#options = options
  }

  /** Whether a change of the document's may come from the copy. */
  get isLoading(): boolean {
    return this.#copy?.isLoading === true
  }

  /** Share the document with this person's other tabs, and open their copy of it. @returns when that is loaded */
  async actFor(user: string | null): Promise<void> {
    if (this.#user !== user) {
      this.leaveTabs()
      this.#copyGone = this.#copy?.close()
      this.#copy = null
      this.#user = user
    }
    const { options, onError } = this.#options
    const name = user === null ? this.#options.name : `${encodeURIComponent(user)} ${this.#options.name}`
    if (this.#copy === null && options.offline !== undefined) {
      this.#copy = new DocumentCopy(options.offline, { name, doc: this.#doc, after: this.#copyGone, onError })
      void this.#load(this.#copy)
    }
    if (!options.disableBc && !this.inDoubt && hasChannels()) {
      this.#tabs ??= new Tabs(name, { ...this.#options, doc: this.#doc })
    }
    await this.#copy?.opened
  }

  /** Hear when the page is hidden or left. */
  listen(): void {
    if (this.#stopListening.length > 0) return
    const { options, ledger, onHide } = this.#options
    this.#stopListening.push(
      listenToWindow("pagehide", () => {
        onHide()
        this.#tabs?.tellLeaving()
      }),
    )
    // Only where asked for: the listener alone keeps a page out of the back/forward cache.
    if (!options.guardUnload) return
    this.#stopListening.push(
      listenToWindow("beforeunload", (event) => {
        if (ledger().hasUnsaved) event.preventDefault()
      }),
    )
  }

  /** Send a frame to the other tabs. */
  tell(frame: Uint8Array): void {
    this.#tabs?.tell(frame)
  }

  /** Leave to the other tabs what may be lost with this one. */
  handOver(update: () => Uint8Array): void {
    this.#tabs?.handOver(update())
  }

  leaveTabs(): void {
    this.#tabs?.leave()
    this.#tabs = null
  }

  /** Write down beside the copy what is not saved in it. */
  record(): void {
    const ledger = this.#options.ledger()
    this.#copy?.record({ isUnsaved: ledger.hasUnsaved, from: new Map(ledger.unsavedFrom) })
  }

  /** Share nothing with other tabs until `agree` or `replace`. */
  doubt(): void {
    this.inDoubt = true
    this.leaveTabs()
  }

  /** The document is as the room's. */
  agree(): void {
    this.inDoubt = false
    void this.actFor(this.#user ?? null)
  }

  /** Go on with another document: the copy of the old one goes, and the other tabs are told to compare theirs. */
  replace(doc: Y.Doc, conflict: Uint8Array): void {
    this.tell(conflict)
    this.leaveTabs()
    this.dropCopy()
    this.#doc = doc
    this.agree()
    this.record()
  }

  /** Delete the copy. */
  dropCopy(): void {
    this.#copyGone = this.#copy?.clear()
    this.#copy = null
  }

  /** Let go of everything; the copy stays. */
  close(): void {
    this.leaveTabs()
    void this.#copy?.close()
    for (const stop of this.#stopListening.splice(0)) stop()
  }

  async #load(copy: DocumentCopy): Promise<void> {
    const unsaved = await copy.opened
    if (this.#copy !== copy) return
    // Where nobody has written down what is saved, all that was kept may be nowhere else.
    const isUnsaved = unsaved === null ? !isEmpty(this.#doc) : unsaved.isUnsaved
    if (isUnsaved) this.#options.onUnsaved(unsaved?.from ?? new Map())
    else this.record()
  }
}
