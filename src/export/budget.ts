/** How long an export may become. A few bytes of formatting apply to any amount of text, so an export can be far longer than its document. */
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
  limits: {
    readonly exportFactor: number
    readonly exportSpareBytes: number
    readonly exportBytes: number
  } = LIMITS,
): number {
  return Math.min(limits.exportBytes, limits.exportFactor * documentBytes + limits.exportSpareBytes)
}
