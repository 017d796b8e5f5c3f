/**
 * The ledger of local changes: how many were made, and up to which one the room has them on its disk.
 *
 * Numbers, not bytes: what a room lacks after a reconnect is found by comparing documents, so a change can neither
 * be counted twice nor be lost here. At most one question is under way; the next covers all that came meanwhile.
 */
export class Ledger {
  #made: number
  #saved = 0
  #asked: number | null = null

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

  /** The number to ask the room about now, or null: nothing to ask, or an answer is still on its way. */
  ask(): number | null {
    if (!this.hasUnsaved || this.#asked !== null) return null
    this.#asked = this.#made
    return this.#asked
  }

  /** The room's answer. @returns whether everything is saved with it */
  confirm(number: number): boolean {
    // An answer nobody waits for proves nothing.
    if (number !== this.#asked) return false
    this.#saved = number
    this.#asked = null
    return !this.hasUnsaved
  }

  /** The connection is gone, and with it the question under way. */
  forgetQuestion(): void {
    this.#asked = null
  }
}
