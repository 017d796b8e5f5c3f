/**
 * `yurt export` and `yurt backup`: every document as a file, in a folder. They are the same, but that a backup is of
 * updates, which alone can be restored, and drops what was deleted meanwhile.
 *
 *     DIR/acme/plan.ydoc       the document acme/plan, as one Yjs V1 update; .json, .md, .txt or .html in other formats
 *     DIR/yurt-documents.jsonl which file is which document, at which revision
 *
 * A second run fetches what has changed since: it goes on after a break, and keeps a backup up to date.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { forEachDocument } from "./crew.ts"
import { Journal } from "./journal.ts"
import { REMOTE_OPTIONS, REMOTE_USAGE, Remote } from "./remote.ts"
import { type Command, CommandError, readArgs, say } from "./terminal.ts"

/** The name of the list of files in an exported folder. */
export const MANIFEST = "yurt-documents.jsonl"

/** A line of that list. `file` is relative to the folder; null: the document was deleted since. */
export interface Exported {
  readonly id: string
  readonly file: string | null
  readonly revision: number
}

/** Formats, and what their files are called. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  update: "ydoc",
  json: "json",
  markdown: "md",
  text: "txt",
  html: "html",
}

/** The longest name of a file, characters; most disks take 255 bytes. */
const NAME_LENGTH = 180

const usage = `yurt export --from URL --to DIR [--format update] [--only PREFIX] [--token TOKEN] [--env FILE]
  --format  update (.ydoc, which can be imported again), json, markdown, text or html
  --only    documents whose id begins with this
${REMOTE_USAGE}
A second run into the same folder fetches what has changed.`

const backupUsage = `yurt backup --from URL --to DIR [--only PREFIX] [--token TOKEN] [--env FILE]
  --only   documents whose id begins with this
${REMOTE_USAGE}
A second run into the same folder fetches what has changed, and drops what was deleted. yurt restore reads it.`

/** `yurt export` */
export const exporting: Command = {
  summary: "fetch every document into a folder, in any format",
  usage,
  run: (args) => run(args, usage),
}

/** `yurt backup` */
export const backup: Command = {
  summary: "fetch every document into a folder, to be restored",
  usage: backupUsage,
  run: (args) => run(args, backupUsage),
}

async function run(args: string[], usage: string): Promise<void> {
  const isBackup = usage === backupUsage
  const { values } = readArgs(usage, {
    args,
    options: {
      ...REMOTE_OPTIONS,
      from: { type: "string" },
      to: { type: "string" },
      only: { type: "string", default: "" },
      ...(!isBackup && { format: { type: "string" } }),
    },
  })
  const { from, to, only } = values
  const format = "format" in values && typeof values.format === "string" ? values.format : "update"
  if (from === undefined || to === undefined)
    throw new CommandError("usage", "--from names the server, --to the folder.", usage)
  const extension = Object.hasOwn(EXTENSIONS, format) ? EXTENSIONS[format]! : null
  if (extension === null)
    throw new CommandError(
      "usage",
      `--format ${format}: there are ${Object.keys(EXTENSIONS).join(", ")}.`,
      usage,
    )
  const remote = Remote.at(from, values)
  const manifest = new Journal<Exported>(join(to, MANIFEST))
  /** Files by their names in small letters: some disks know no others. */
  const taken = new Map<string, string>()
  for (const { id, file } of manifest.lines) if (file !== null) taken.set(file.toLowerCase(), id)
  const seen = new Set<string>()

  async function* listed() {
    for await (const entry of remote.list()) {
      if (!entry.id.startsWith(only)) continue
      seen.add(entry.id)
      yield entry
    }
  }
  await forEachDocument(listed(), async ({ id, revision }) => {
    const before = manifest.get(id)
    const isHere = before?.file != null && existsSync(join(to, before.file))
    // Not "at least": a room that lost its storage counts anew.
    if (isHere && before.file!.endsWith(`.${extension}`) && before.revision === revision) return "unchanged"
    const found = await remote.export(id, format)
    if (found === null) return "deleted meanwhile"
    const file = freeName(id, { extension, taken })
    writeWhole(join(to, file), found.body)
    manifest.add({ id, file, revision: found.revision ?? revision })
    return "fetched"
  })
  if (!isBackup) return
  let dropped = 0
  for (const { id, file, revision } of [...manifest.lines]) {
    if (file === null || seen.has(id) || !id.startsWith(only)) continue
    // The list is written some seconds after the document; one that is not in it may only be new.
    if ((await remote.export(id, "state-vector")) !== null) continue
    rmSync(join(to, file), { force: true })
    manifest.add({ id, file: null, revision })
    dropped++
  }
  if (dropped > 0) say(`${dropped} were deleted on the server, and are dropped here.`)
}

/** The file of a document, relative to the folder: its id, written so that every disk takes it. */
function freeName(
  id: string,
  { extension, taken }: { extension: string; taken: Map<string, string> },
): string {
  const segments = id.split("/").map((segment) => {
    const name = encodeURIComponent(segment).replaceAll("*", "%2A").replace(/^\./, "%2E")
    const digest = createHash("sha256").update(segment).digest("hex").slice(0, 12)
    return name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}~${digest}` : name
  })
  // A document of a party begins with a slash, and would leave the folder.
  const base = segments[0] === "" ? ["~parties", ...segments.slice(1)].join("/") : segments.join("/")
  for (let n = 1; ; n++) {
    const file = `${base}${n === 1 ? "" : `~${n}`}.${extension}`
    const owner = taken.get(file.toLowerCase())
    if (owner !== undefined && owner !== id) continue
    taken.set(file.toLowerCase(), id)
    return file
  }
}

/** A file that is there whole or not at all, whatever happens meanwhile. */
function writeWhole(path: string, body: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.part`, body)
  renameSync(`${path}.part`, path)
}
