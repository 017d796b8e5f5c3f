/**
 * The whole document, as it is sent to a newcomer. The bytes are kept while nothing is written, so that many newcomers at
 * once, for example after a deploy, share one copy of a large document.
 */
import type { Replica } from "./replica.ts"

/** Keeps the bytes that a newcomer is sent: the whole document as consecutive updates. */
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

  /** Drop the bytes: the document has changed, or nobody is connected. */
  forget(): void {
    this.#updates = null
  }
}
