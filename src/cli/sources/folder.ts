/**
 * A folder with a file a document: what `yurt export` and `yurt backup` write, or files made by hand.
 *
 * `acme/plan.ydoc` is the document `acme/plan`, percent-decoded, as one Yjs V1 update (`.bin` and `.update` too). A
 * `.json` file is an object of roots: a string becomes a text, a list an array, an object a map.
 */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Y from "yjs"
import { type Exported, MANIFEST } from "../export.ts"
import { Journal } from "../journal.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument } from "./source.ts"

const DOCUMENT_FILE = /\.(ydoc|bin|update|json)$/

/** Open a folder of files. */
export const openFolder: OpenSource = async (where) => {
  if (!existsSync(where) || !statSync(where).isDirectory())
    throw new CommandError("bad-source", `${where} is no folder.`)
  const path = join(where, MANIFEST)
  const listed = existsSync(path) ? [...new Journal<Exported>(path).lines] : null
  const files =
    listed === null
      ? readdirSync(where, { recursive: true, encoding: "utf8" })
          .map((name) => name.replaceAll("\\", "/"))
          .filter((name) => DOCUMENT_FILE.test(name))
          .map((file) => ({ id: idOf(file), file }))
      : listed.flatMap(({ id, file }) => (file === null ? [] : [{ id, file }]))
  files.sort((one, other) => (one.id < other.id ? -1 : 1))
  return {
    documents: () => files.map(({ id, file }) => documentOf(id, join(where, file))),
    close: async () => {},
  }
}

function idOf(file: string): string {
  const encoded = file.replace(DOCUMENT_FILE, "")
  try {
    return decodeURIComponent(encoded)
  } catch {
    // A % in a name that nobody encoded.
    return encoded
  }
}

function documentOf(id: string, path: string): SourceDocument {
  const read = () => {
    try {
      return readFileSync(path)
    } catch (thrown) {
      throw new CommandError("bad-source", `${path} cannot be read: ${(thrown as Error).message}.`)
    }
  }
  if (!path.endsWith(".json")) return { id, read: async () => read() }
  return { id, create: true, read: async () => updateOfJson(id, path, read()) }
}

/** A document with these roots. The same file makes the same update, whoever makes it. */
function updateOfJson(id: string, path: string, bytes: Buffer): Uint8Array {
  let roots: unknown
  try {
    roots = JSON.parse(bytes.toString("utf8"))
  } catch (thrown) {
    throw new CommandError("bad-source", `${path} is not JSON: ${(thrown as Error).message}.`)
  }
  if (typeof roots !== "object" || roots === null || Array.isArray(roots))
    throw new CommandError("bad-source", `${path} is not an object whose keys are the roots of a document.`)
  const doc = new Y.Doc()
  doc.clientID = createHash("sha256").update(id).update("\0").update(bytes).digest().readUInt32BE()
  doc.transact(() => {
    for (const [root, value] of Object.entries(roots)) {
      if (typeof value === "string") doc.getText(root).insert(0, value)
      else if (Array.isArray(value)) doc.getArray<unknown>(root).insert(0, value.map(sharedOf))
      else if (typeof value === "object" && value !== null) fill(doc.getMap(root), value)
      else
        throw new CommandError(
          "bad-source",
          `${path}: the root ${root} is neither a text, a list nor an object.`,
        )
    }
  })
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return update
}

type Shared = Y.Array<unknown> | Y.Map<unknown> | string | number | boolean | null

/** Lists and objects inside become shared types, so that people can change their parts at once. */
function sharedOf(value: unknown): Shared {
  if (Array.isArray(value)) {
    const list = new Y.Array<unknown>()
    list.push(value.map(sharedOf))
    return list
  }
  if (typeof value !== "object" || value === null) return value as string | number | boolean | null
  return fill(new Y.Map(), value)
}

function fill(map: Y.Map<unknown>, value: object): Y.Map<unknown> {
  for (const [key, item] of Object.entries(value)) map.set(key, sharedOf(item))
  return map
}
