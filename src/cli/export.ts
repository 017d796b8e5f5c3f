/**
 * `yurt export` and `yurt backup`: every document as a file, in a folder. They are the same, but that a backup is of
 * updates, which alone can be restored, and drops what was deleted meanwhile.
 *
 *     DIR/acme/plan.ydoc       the document acme/plan, as one Yjs V1 update; .json, .md, .txt or .html in other formats
 *     DIR/yurt-documents.jsonl which file is which document, at which revision
 *
 * Or, with `--layout`, in the store of another server, from which that one starts, or by REST into a service.
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
import type { OpenSource, Source } from "./sources/source.ts"
import { type Command, CommandError, readArgs, say } from "./terminal.ts"
import { compareDocuments } from "./verify.ts"

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

/** Stores of other servers that can be written, and how they are read again; each is loaded when it is asked for. */
const LAYOUTS: Readonly<
  Record<string, { write: () => Promise<OpenLayout>; read: () => Promise<OpenSource> }>
> = {
  "hocuspocus-sqlite": {
    write: async () => (await import("./layouts/hocuspocus-sqlite.ts")).writeHocuspocusSqlite,
    read: async () => (await import("./sources/hocuspocus-sqlite.ts")).openHocuspocusSqlite,
  },
  "hocuspocus-s3": {
    write: async () => (await import("./layouts/hocuspocus-s3.ts")).writeHocuspocusS3,
    read: async () => (await import("./sources/hocuspocus-s3.ts")).openHocuspocusS3,
  },
  "y-leveldb": {
    write: async () => (await import("./layouts/y-leveldb.ts")).writeYLeveldb,
    read: async () => (await import("./sources/y-leveldb.ts")).openYLeveldb,
  },
  "y-sweet": {
    write: async () => (await import("./layouts/y-sweet.ts")).writeYSweet,
    read: async () => (await import("./sources/y-sweet.ts")).openYSweet,
  },
  "tiptap-cloud": {
    write: async () => (await import("./layouts/tiptap-cloud.ts")).writeTiptapCloud,
    read: async () => (await import("./sources/tiptap-cloud.ts")).openTiptapCloud,
  },
  liveblocks: {
    write: async () => (await import("./layouts/liveblocks.ts")).writeLiveblocks,
    read: async () => (await import("./sources/liveblocks.ts")).openLiveblocks,
  },
}

/** A line of the journal of such an export. */
interface Put {
  readonly id: string
  readonly to: string
  readonly revision: number
}

const usage = `yurt export --from URL --to DIR [--format update | --layout LAYOUT] [--only PREFIX] [--prefix PREFIX]
            [--verify] [--journal FILE] [--token TOKEN] [--env FILE]
  --to      a folder; with --layout the file, folder or s3://BUCKET[/PREFIX] of another server, or the https:// of a service
  --format  update (.ydoc, which can be imported again), json, markdown, text or html
  --layout  as another server keeps them: ${Object.keys(LAYOUTS).join(", ")}
  --only    documents whose id begins with this
  --prefix  taken off each id, with --layout: acme/ makes acme/notes notes; the others are left out
  --verify  with --layout, afterwards read each document there and compare it with this server's: structs and deletions
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
        verify: { type: "boolean" },
      }),
    },
  })
  const { from, to, only } = values
  const given = values as { readonly [Name in "format" | "layout" | "prefix" | "journal"]?: string } & {
    readonly verify?: boolean
  }
  const format = given.format ?? "update"
  if (from === undefined || to === undefined)
    throw new CommandError("usage", "--from names the server, --to the folder.", usage)
  const { layout, prefix = "", journal = `yurt-export-${layout}.jsonl` } = given
  if (layout !== undefined) {
    const known = Object.hasOwn(LAYOUTS, layout) ? LAYOUTS[layout] : undefined
    if (known === undefined || format !== "update")
      throw new CommandError("usage", `--layout is one of ${Object.keys(LAYOUTS).join(", ")}.`, usage)
    const settings = readSettings(values.env)
    const plan = { remote: Remote.at(from, values), only: only || prefix, prefix, to, journal }
    const [open, openAgain] = [await known.write(), await known.read()]
    const store = await open(to, settings)
    const put = await exportInto(store, plan).finally(() => store.close())
    if (given.verify === true)
      await verifyIn(await openAgain(to, { also: [], settings, ids: null }), { ...plan, put })
    return
  }
  if (given.verify === true) throw new CommandError("usage", "--verify is for --layout.", usage)
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

/** Put every document into a store of another server. @returns by their names there, at which revision each is put */
async function exportInto(
  store: Layout,
  { remote, only, prefix, to, journal }: Plan,
): Promise<Map<string, number>> {
  const done = new Journal<Put>(journal)
  const put = new Map<string, number>()
  async function* listed() {
    for await (const entry of remote.list())
      if (entry.id.startsWith(only) && entry.id.startsWith(prefix)) yield entry
  }
  await forEachDocument(listed(), async ({ id, revision }) => {
    const name = id.slice(prefix.length)
    const before = done.get(id)
    // A store that was thrown away gets everything again.
    const isThere = before?.to === to && before.revision === revision && (await store.has(name))
    if (isThere) {
      put.set(name, revision)
      return "unchanged"
    }
    const found = await remote.export(id, "update")
    if (found === null) return "deleted meanwhile"
    await store.write(name, found.body)
    const line = { id, to, revision: found.revision ?? revision }
    done.add(line)
    put.set(name, line.revision)
    return "written"
  })
  return put
}

/**
 * Read what was put there, by the reader that would import it.
 * @throws CommandError "incomplete" where something is not there
 */
async function verifyIn(
  source: Source,
  { remote, prefix, to, put }: Plan & { readonly put: ReadonlyMap<string, number> },
): Promise<void> {
  const missing = new Set(put.keys())
  async function* wanted() {
    for await (const document of source.documents()) if (missing.delete(document.id)) yield document
  }
  await forEachDocument(wanted(), async ({ id, read }) => {
    const there = await read()
    const here = await remote.export(prefix + id, "update")
    if (here === null) return "deleted meanwhile"
    const comparison = compareDocuments(here.body, there)
    if (comparison === "contains") return "contained, with more that was written there"
    if (comparison === "equal") return "equal"
    if (here.revision !== put.get(id)) return "changed here meanwhile"
    throw new CommandError("incomplete", "not all of it is there")
  }).finally(() => source.close())
  if (missing.size > 0) throw new CommandError("incomplete", `${to} has no ${[...missing].join(", ")}.`)
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
