/**
 * The ledger of local changes: how many were made, and up to which one the room has them on its disk.
 *
 * Numbers, not bytes: what a room lacks after a reconnect is found by comparing documents, so a change can neither
 * be counted twice nor be lost here. At most one question is under way; the next covers all that came meanwhile.
 */

/** A clock for each client id. */
export type Clocks = ReadonlyMap<number, number>

/** Counts the changes made here, and keeps the promises about them. */
export class Ledger {
  #made = 0
  #saved = 0
  /** The question under way, and how many changes it covers. */
  #asked: { readonly question: number; readonly made: number } | null = null
  #questions = 0
  #waiting: { resolve: () => void; reject: (failure: Error) => void }[] = []
  #savedClocks: Clocks = new Map()
  readonly #unsavedFrom = new Map<number, number>()

  get hasUnsaved(): boolean {
    return this.#made > this.#saved
  }

  /** The document's clocks before the first unsaved change. */
  get savedClocks(): Clocks {
    return this.#savedClocks
  }

  /** Of each client id under which unsaved structs were made here: the clock of the first of them. */
  get unsavedFrom(): Clocks {
    return this.#unsavedFrom
  }

  /**
   * A change was made here.
   * @param before the document's clocks before it
   * @param from the clocks of its first new structs, of those known to be made here
   * @returns whether everything was saved before it
   */
  add(before: Clocks, from: Clocks): boolean {
    if (!this.hasUnsaved) this.#savedClocks = before
    for (const [client, clock] of from) {
      this.#unsavedFrom.set(client, Math.min(clock, this.#unsavedFrom.get(client) ?? clock))
    }
    this.#made++
    return this.#made === this.#saved + 1
  }

  /** A question for the room, or null: nothing to ask, or an answer is still on its way. Its number never comes again. */
  ask(): number | null {
    if (!this.hasUnsaved || this.#asked !== null) return null
    this.#asked = { question: ++this.#questions, made: this.#made }
    return this.#asked.question
  }

  /** The room's answer. @returns whether everything is saved with it */
  confirm(question: number): boolean {
    // An answer nobody waits for any more proves nothing.
    if (this.#asked?.question !== question) return false
    this.#saved = this.#asked.made
    this.#asked = null
    if (this.hasUnsaved) return false
    this.confirmAll()
    return true
  }

  /** The room has all there is, as a comparison has shown. */
  confirmAll(): void {
    this.#saved = this.#made
    this.#asked = null
    this.#unsavedFrom.clear()
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  /** The unsaved structs of the first client id were made again under the second, from clock 0 on. */
  rename(client: number, fresh: number): void {
    this.#unsavedFrom.delete(client)
    this.#unsavedFrom.set(fresh, 0)
  }

  /** The question under way does not count: its connection is gone, or what it was about was refused. */
  forgetQuestion(): void {
    this.#asked = null
  }

  /** Resolves when everything is saved. */
  whenSaved(): Promise<void> {
    if (!this.hasUnsaved) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** As things stand nothing more will be saved: whoever waits is told why. */
  giveUp(failure: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(failure)
  }
}
