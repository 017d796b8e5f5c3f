/** A document in the format someone asked for. */
import * as Y from "yjs"
import { exportDocument } from "./export.ts"
import type { Format } from "./formats.ts"

/**
 * @param want.root one root by name; null: the whole document
 * @returns Yjs V1 bytes for "update" and "state-vector", a string for the others
 * @throws SyncError "not-found" where there is no such root, "not-acceptable" where the root is nothing of that kind
 */
export function render(
  doc: Y.Doc,
  { format, root }: { format: Format; root: string | null },
): Uint8Array | string {
  switch (format) {
    case "update":
      return Y.encodeStateAsUpdate(doc)
    case "state-vector":
      return Y.encodeStateVector(doc)
    default:
      return exportDocument(doc, format, root === null ? {} : { root })
  }
}
