/**
 * `yurt export` and `yurt backup`: every document as a file, in a folder. They are the same, but that a backup is of
 * updates, which alone can be restored, and drops what was deleted meanwhile.
 *
 *     DIR/acme/plan.ydoc       the document acme/plan, as one Yjs V1 update; .json, .md, .txt or .html in other formats
 *     DIR/yurt-documents.jsonl which file is which document, at which revision
 *
 * Or, with `--layout`, in the store of another server, from which that one starts.
 *
 * A second run fetches what has changed since: it goes on after a break, and keeps a backup up to date.
 */
import { createHash } from "node:crypto"
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { forEachDocument } from "./crew.ts"
import { Journal } from "./journal.ts"
import type { Layout, OpenLayout } from "./layouts/layout.ts"
import { writeWhole } from "./place.ts"
import { REMOTE_OPTIONS, REMOTE_USAGE, Remote } from "./remote.ts"
import { readSettings } from "./settings.ts"
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

/** Stores of other servers that can be written; each writer is loaded when it is asked for. */
const LAYOUTS: Readonly<Record<string, () => Promise<OpenLayout>>> = {
  "hocuspocus-sqlite": async () => (await import("./layouts/hocuspocus-sqlite.ts")).writeHocuspocusSqlite,
  "hocuspocus-s3": async () => (await import("./layouts/hocuspocus-s3.ts")).writeHocuspocusS3,
  "y-leveldb": async () => (await import("./layouts/y-leveldb.ts")).writeYLeveldb,
  "y-sweet": async () => (await import("./layouts/y-sweet.ts")).writeYSweet,
}

/** A line of the journal of such an export. */
interface Put {
  readonly id: string
  readonly to: string
  readonly revision: number
}

const usage = `yurt export --from URL --to DIR [--format update | --layout LAYOUT] [--only PREFIX] [--prefix PREFIX]
            [--journal FILE] [--token TOKEN] [--env FILE]
  --to      a folder; with --layout the file, folder or s3://BUCKET[/PREFIX] of another server
  --format  update (.ydoc, which can be imported again), json, markdown, text or html
  --layout  as another server keeps them: ${Object.keys(LAYOUTS).join(", ")}
  --only    documents whose id begins with this
  --prefix  taken off each id, with --layout: acme/ makes acme/notes notes; the others are left out
  --journal where to keep what is done, with --layout (yurt-export-LAYOUT.jsonl)
${REMOTE_USAGE}
A second run to the same place fetches what has changed.`

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
      ...(!isBackup && {
        format: { type: "string" },
        layout: { type: "string" },
        prefix: { type: "string" },
        journal: { type: "string" },
      }),
    },
  })
  const { from, to, only } = values
  const given = values as { readonly [Name in "format" | "layout" | "prefix" | "journal"]?: string }
  const format = given.format ?? "update"
  if (from === undefined || to === undefined)
    throw new CommandError("usage", "--from names the server, --to the folder.", usage)
  const { layout, prefix = "", journal = `yurt-export-${layout}.jsonl` } = given
  if (layout !== undefined) {
    const load = Object.hasOwn(LAYOUTS, layout) ? LAYOUTS[layout] : undefined
    if (load === undefined || format !== "update")
      throw new CommandError("usage", `--layout is one of ${Object.keys(LAYOUTS).join(", ")}.`, usage)
    const open = await load()
    const store = await open(to, readSettings(values.env))
    const plan = { remote: Remote.at(from, values), only: only || prefix, prefix, to, journal }
    return exportInto(store, plan).finally(() => store.close())
  }
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
  const counts = await forEachDocument(listed(), async ({ id, revision }) => {
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
  // The archive lists them, which a room tells every 30 s.
  if (counts.size === 0) say("What was written in the last half minute may not be listed yet.")
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

interface Plan {
  readonly remote: Remote
  /** Ids begin with it. */
  readonly only: string
  /** It is taken off the ids. */
  readonly prefix: string
  readonly to: string
  readonly journal: string
}

/** Put every document into a store of another server. */
async function exportInto(store: Layout, { remote, only, prefix, to, journal }: Plan): Promise<void> {
  const done = new Journal<Put>(journal)
  async function* listed() {
    for await (const entry of remote.list())
      if (entry.id.startsWith(only) && entry.id.startsWith(prefix)) yield entry
  }
  await forEachDocument(listed(), async ({ id, revision }) => {
    const name = id.slice(prefix.length)
    const before = done.get(id)
    // A store that was thrown away gets everything again.
    const isThere = before?.to === to && before.revision === revision && (await store.has(name))
    if (isThere) return "unchanged"
    const found = await remote.export(id, "update")
    if (found === null) return "deleted meanwhile"
    await store.write(name, found.body)
    done.add({ id, to, revision: found.revision ?? revision })
    return "written"
  })
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
