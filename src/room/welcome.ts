/**
 * What a newcomer is told: the whole document. Kept while nothing is written, so that a crowd that comes at once, after
 * a deploy say, shares one copy of a large document.
 */
import type { Replica } from "./replica.ts"

/** The whole document as updates that follow one another. */
export class Welcome {
  readonly #replica: Replica
  #updates: readonly Uint8Array[] | null = null

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** At least one update. */
  updates(): readonly Uint8Array[] {
    this.#updates ??= this.#replica.whole()
    return this.#updates
  }

  /** The document has changed, or nobody is there to be welcomed. */
  forget(): void {
    this.#updates = null
  }
}
