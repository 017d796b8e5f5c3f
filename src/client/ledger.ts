/**
 * The ledger of local changes: how many were made, and up to which one the room has them on its disk.
 *
 * Numbers, not bytes: what a room lacks after a reconnect is found by comparing documents, so a change can neither
 * be counted twice nor be lost here. At most one question is under way; the next covers all that came meanwhile.
 */
export class Ledger {
  #made: number
  #saved = 0
  /** The question under way, and how many changes it covers. */
  #asked: { readonly question: number; readonly made: number } | null = null
  #questions = 0
  #waiting: { resolve: () => void; reject: (failure: Error) => void }[] = []

  /** @param made how many changes exist already that may be nowhere else */
  constructor(made: number) {
    this.#made = made
  }

  get hasUnsaved(): boolean {
    return this.#made > this.#saved
  }

  /** A change was made here. @returns whether everything was saved before it */
  add(): boolean {
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
    for (const { resolve } of this.#waiting.splice(0)) resolve()
    return true
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
