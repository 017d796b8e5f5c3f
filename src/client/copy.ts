/**
 * The life of a provider's offline copy: opened for one person, with a record beside it of what is not saved yet, and
 * deleted with the document.
 */
import type * as Y from "yjs"
import type { OfflineCopy, OpenOfflineCopy, Unsaved } from "./options.ts"

/** How a copy is opened. */
export interface CopyOptions {
  readonly name: string
  readonly doc: Y.Doc
  readonly after: Promise<void> | undefined
  readonly onError: (problem: unknown) => void
}

/** One document's copy, from its opening on. */
export class DocumentCopy {
  /** Resolves once the copy is loaded or has failed to load, with the unsaved part of it; null where that is unknown. */
  readonly opened: Promise<Unsaved | null>
  readonly #copy: Promise<OfflineCopy | null>
  readonly #onError: (problem: unknown) => void
  /** Whether the document's changes may come from the copy. */
  isLoading = true

  /**
   * @param options.after the copy is opened once this has resolved
   * @param options.onError called where the copy fails; the provider goes on without it
   */
  constructor(open: OpenOfflineCopy, { name, doc, after, onError }: CopyOptions) {
    this.#onError = onError
    this.#copy = this.#guard(after === undefined ? open(name, doc) : after.then(() => open(name, doc)))
    this.opened = this.#copy.then((copy) => {
      this.isLoading = false
      return copy?.unsaved ?? null
    })
  }

  /** Writes down what is not saved. */
  record(unsaved: Unsaved): void {
    void this.#use((copy) => copy.record(unsaved))
  }

  /** Deletes it. */
  clear(): Promise<void> {
    return this.#use((copy) => copy.clear())
  }

  /** Stops following the document; the stored copy stays. */
  close(): Promise<void> {
    return this.#use((copy) => copy.close())
  }

  async #use(act: (copy: OfflineCopy) => Promise<void>): Promise<void> {
    await this.#guard(this.#copy.then((copy) => (copy === null ? null : act(copy))))
  }

  async #guard<Result>(promise: Promise<Result>): Promise<Result | null> {
    try {
      return await promise
    } catch (problem) {
      this.#onError(problem)
      return null
    }
  }
}
