/**
 * How long an export may become.
 *
 * A few bytes of a document can apply to all of it (one format to every run of a text, one quote around every
 * paragraph), so an export can be hundreds of times as long as its document. Every writer spends from a budget before
 * it builds the next piece.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { LIMITS } from "../limits.ts"

/** What an export is about and how long it may become. */
export interface ExportOptions {
  /** One root by name; without it the whole document. "" is a name. */
  readonly root?: string
  /** How long the export may become, bytes; by default what `exportBudget` allows for the document's own size. */
  readonly budgetBytes?: number
}

/**
 * How long an export of a document may become, bytes.
 *
 * @param documentBytes the document as one Yjs V1 update
 */
export function exportBudget(
  documentBytes: number,
  limits: Readonly<Record<"exportFactor" | "exportSpareBytes" | "exportBytes", number>> = LIMITS,
): number {
  return Math.min(limits.exportBytes, limits.exportFactor * documentBytes + limits.exportSpareBytes)
}

/** What is left of the bytes that one export may take. A UTF-16 unit counts as one byte. */
export class Budget {
  readonly #bytes: number
  #left: number

  constructor(bytes: number) {
    this.#bytes = bytes
    this.#left = bytes
  }

  /** @throws SyncError "too-large" when less than this is left */
  spend(bytes: number): void {
    this.#left -= bytes
    if (this.#left >= 0) return
    throw new SyncError(
      "too-large",
      `In this format the document takes more than the ${this.#bytes} bytes an export of it may have; its formatting multiplies it.`,
    )
  }

  /** A budget of what is left, for what is built on the way and spent only when it is written. */
  ahead(): Budget {
    return new Budget(this.#left)
  }
}

/** The budget that an export begins with. Encodes the document to learn its size, unless `budgetBytes` is given. */
export function startBudget(doc: Y.Doc, { budgetBytes }: ExportOptions): Budget {
  return new Budget(budgetBytes ?? exportBudget(Y.encodeStateAsUpdate(doc).byteLength))
}

/**
 * What `write` gives, or null where it would outgrow its budget.
 *
 * @throws whatever else `write` throws
 */
export function within<Value>(write: () => Value): Value | null {
  try {
    return write()
  } catch (error) {
    if (error instanceof SyncError && error.code === "too-large") return null
    throw error
  }
}
