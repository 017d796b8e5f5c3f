/** A document in the format someone asked for. */
import * as Y from "yjs"
import { toJson } from "../export/json.ts"
import { toText } from "../export/text.ts"
import { SyncError } from "../errors.ts"
import type { Format } from "./formats.ts"

/**
 * @param want.root one root by name; null: the whole document
 * @returns Yjs V1 bytes for "update" and "state-vector", a string for the others
 * @throws SyncError "not-found" where there is no such root
 */
export function render(doc: Y.Doc, { format, root }: { format: Format; root: string | null }): Uint8Array | string {
  switch (format) {
    case "update":
      return Y.encodeStateAsUpdate(doc)
    case "state-vector":
      return Y.encodeStateVector(doc)
    case "json":
      return JSON.stringify(root === null ? toJson(doc) : toJson(doc, { root }))
    case "text":
      return toText(doc, root === null ? {} : { root })
    default:
      throw new SyncError("bad-request", `Unknown format ${format}`)
  }
}
