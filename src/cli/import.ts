/**
 * `yurt import` and `yurt restore`: documents of another server, or of a folder, into this one.
 *
 * Merging an update twice changes nothing, so a run may be repeated. What is done stands in a journal in the current
 * folder, by which a run that was stopped goes on, and a later one brings only what has changed at the source.
 */
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { forEachDocument } from "./crew.ts"
import { Journal } from "./journal.ts"
import { bringVersions, type Keeping } from "./past.ts"
import { REMOTE_OPTIONS, REMOTE_USAGE, Remote } from "./remote.ts"
import { readSettings } from "./settings.ts"
import type { OpenSource, Source, SourceDocument } from "./sources/source.ts"
import { type Command, CommandError, readArgs, say } from "./terminal.ts"
import { compareDocuments, isEmptyUpdate, readJson } from "./verify.ts"

/** What can be read, and where it is; each reader is loaded when it is asked for. */
const SOURCES: Readonly<Record<string, { where: string; load: () => Promise<OpenSource> }>> = {
  folder: { where: "DIR", load: async () => (await import("./sources/folder.ts")).openFolder },
  "hocuspocus-sqlite": {
    where: "FILE",
    load: async () => (await import("./sources/hocuspocus-sqlite.ts")).openHocuspocusSqlite,
  },
  "hocuspocus-s3": {
    where: "s3://BUCKET[/PREFIX] or DIR",
    load: async () => (await import("./sources/hocuspocus-s3.ts")).openHocuspocusS3,
  },
  "y-leveldb": { where: "DIR", load: async () => (await import("./sources/y-leveldb.ts")).openYLeveldb },
  "y-sweet": {
    where: "DIR or s3://BUCKET[/PREFIX]",
    load: async () => (await import("./sources/y-sweet.ts")).openYSweet,
  },
  "y-redis": {
    where: "redis://… postgres://… s3://…, each that there is",
    load: async () => (await import("./sources/y-redis.ts")).openYRedis,
  },
  yhub: {
    where: "postgres://… [s3://…] [redis://…]",
    load: async () => (await import("./sources/yhub.ts")).openYhub,
  },
  "tiptap-cloud": {
    where: "https://YOUR_APP_ID.collab.tiptap.cloud (TIPTAP_TOKEN or TIPTAP_SECRET)",
    load: async () => (await import("./sources/tiptap-cloud.ts")).openTiptapCloud,
  },
  liveblocks: {
    where: "https://api.liveblocks.io (LIVEBLOCKS_SECRET_KEY)",
    load: async () => (await import("./sources/liveblocks.ts")).openLiveblocks,
  },
  "y-durableobjects": { where: "https://…/{id} or wss://…/{id}, with --ids", load: loadAddress },
  "y-websocket": {
    where: "wss://…/{id}, with --ids: any server that speaks its protocol",
    load: loadAddress,
  },
}

async function loadAddress(): Promise<OpenSource> {
  return (await import("./sources/address.ts")).openAddress
}

/** A line of the journal: the document that was brought, and where to. */
interface Done {
  readonly id: string
  readonly to: string
  /** Of the source's update, hex. */
  readonly sha256: string
}

const usage = `yurt import KIND WHERE… --to URL [--prefix PREFIX] [--only ID] [--ids FILE] [--versions hourly] [--verify]
            [--dry-run] [--journal FILE] [--token TOKEN] [--env FILE]
  KIND WHERE
${Object.entries(SOURCES)
  .map(([kind, { where }]) => `    ${kind.padEnd(18)} ${where}`)
  .join("\n")}
  --prefix   put before each id: acme/ makes notes acme/notes
  --only     this document alone; may be given several times
  --ids      a file with an id a line, for a server that has no list
  --versions what the source has kept of earlier states: hourly (those with a name, and the newest of each hour),
             all or none
  --verify   afterwards compare each document with the source: its structs, its state vector and its JSON
  --dry-run  read everything, change nothing
  --journal  where to keep what is done (yurt-import-KIND.jsonl)
${REMOTE_USAGE}
Of s3://, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL_S3 are read, from the environment
or the file of variables. It may be stopped and started again, and repeated.`

const restoreUsage = `yurt restore --from DIR --to URL [--only ID] [--replace] [--verify] [--token TOKEN] [--env FILE]
  --from     a folder that yurt backup has written
  --only     this document alone; may be given several times
  --replace  the document as it was then: what was written since is deleted. Without it, the two are merged
  --verify   afterwards compare each document with the backup, struct by struct
${REMOTE_USAGE}`

/** `yurt import` */
export const importing: Command = {
  summary: "bring documents from another server, or from a folder",
  usage,
  async run(args) {
    const { values, positionals } = readArgs(usage, {
      args,
      allowPositionals: true,
      options: {
        ...REMOTE_OPTIONS,
        to: { type: "string" },
        prefix: { type: "string", default: "" },
        only: { type: "string", multiple: true, default: [] },
        verify: { type: "boolean", default: false },
        "dry-run": { type: "boolean", default: false },
        ids: { type: "string" },
        versions: { type: "string", default: "hourly" },
        journal: { type: "string" },
      },
    })
    const [kind = "", where, ...also] = positionals
    const source = Object.hasOwn(SOURCES, kind) ? SOURCES[kind] : undefined
    if (source === undefined || where === undefined)
      throw new CommandError("usage", `Which of ${Object.keys(SOURCES).join(", ")}, and where is it?`, usage)
    const { to, prefix, only, verify, versions } = values
    if (versions !== "all" && versions !== "hourly" && versions !== "none")
      throw new CommandError("usage", `--versions ${versions}: there are hourly, all and none.`, usage)
    const isDry = values["dry-run"]
    if (to === undefined && !isDry) throw new CommandError("usage", "--to names the server.", usage)
    const remote = to === undefined || isDry ? null : Remote.at(to, values)
    const journal = values.journal ?? `yurt-import-${kind}.jsonl`
    const open = await source.load()
    const ids = values.ids === undefined ? null : readIds(values.ids)
    const opened = await open(where, { also, settings: readSettings(values.env), ids })
    await bring(opened, where, { kind, remote, prefix, only, verify, versions, journal, replace: false })
  },
}

/** `yurt restore` */
export const restore: Command = {
  summary: "bring back documents that yurt backup has fetched",
  usage: restoreUsage,
  async run(args) {
    const { values } = readArgs(restoreUsage, {
      args,
      options: {
        ...REMOTE_OPTIONS,
        from: { type: "string" },
        to: { type: "string" },
        only: { type: "string", multiple: true, default: [] },
        replace: { type: "boolean", default: false },
        verify: { type: "boolean", default: false },
      },
    })
    const { from, to, only, replace, verify } = values
    if (from === undefined || to === undefined)
      throw new CommandError("usage", "--from names the folder, --to the server.", restoreUsage)
    const { openFolder } = await import("./sources/folder.ts")
    const remote = Remote.at(to, values)
    const opened = await openFolder(from, { also: [], settings: readSettings(values.env), ids: null })
    await bring(opened, from, {
      kind: "folder",
      remote,
      prefix: "",
      only,
      verify,
      // A restore that is repeated is meant: the server may have lost everything again.
      journal: null,
      replace,
      versions: "none",
    })
  },
}

/** @throws CommandError "bad-config" where there is no such file */
function readIds(path: string): string[] {
  if (!existsSync(path))
    throw new CommandError("bad-config", `--ids names ${path}, and there is no such file.`)
  const lines = readFileSync(path, "utf8").split(/\r?\n/)
  return [...new Set(lines.filter((line) => line !== ""))]
}

interface Plan {
  readonly kind: string
  /** null: change nothing. */
  readonly remote: Remote | null
  readonly prefix: string
  /** Empty: all. */
  readonly only: readonly string[]
  readonly verify: boolean
  readonly replace: boolean
  readonly versions: Keeping
  readonly journal: string | null
}

async function bring(source: Source, where: string, plan: Plan): Promise<void> {
  const { remote, prefix, only } = plan
  const journal = remote === null || plan.journal === null ? null : new Journal<Done>(plan.journal)
  const missing = new Set(only)
  async function* wanted(): AsyncGenerator<SourceDocument> {
    for await (const document of source.documents()) {
      if (only.length > 0 && !missing.delete(document.id)) continue
      yield document
    }
  }
  let brought = 0
  let late = 0
  try {
    await forEachDocument(wanted(), async (document) => {
      const update = await document.read()
      const id = prefix + document.id
      const isNothing = isEmpty(id, update)
      if (remote === null) return isNothing ? "empty" : "readable"
      const sha256 = createHash("sha256").update(update).digest("hex")
      const done = journal?.get(id)
      const isDone = done?.sha256 === sha256 && done.to === remote.url
      if (!isDone && plan.versions !== "none" && document.versions !== undefined) {
        const versions = await document.versions()
        const past = await bringVersions(remote, { id, kind: plan.kind, versions, keeping: plan.versions })
        brought += past.brought
        late += past.late
      }
      if (isNothing) return "empty"
      const outcome = isDone ? "there already" : await put(remote, { ...document, id, update }, plan.replace)
      if (!isDone) journal?.add({ id, to: remote.url, sha256 })
      if (!plan.verify || document.create === true) return outcome
      return await verified(remote, { id, update })
    })
  } finally {
    await source.close()
  }
  if (brought > 0) say(`${brought} versions were brought.`)
  if (late > 0) say(`${late} versions were not: their documents had gone on here before.`)
  if (missing.size > 0) throw new CommandError("incomplete", `${where} has no ${[...missing].join(", ")}.`)
  if (remote === null) say("Nothing was changed.")
}

/** @throws CommandError "bad-source" where the bytes are no update */
function isEmpty(id: string, update: Uint8Array): boolean {
  try {
    return isEmptyUpdate(update)
  } catch (thrown) {
    throw new CommandError("bad-source", `${id} is no Yjs V1 update: ${(thrown as Error).message}`)
  }
}

async function put(
  remote: Remote,
  { id, update, create = false }: { id: string; update: Uint8Array; create?: boolean },
  replace: boolean,
): Promise<string> {
  if (replace) {
    const held = await remote.export(id, "update")
    if (held !== null && compareDocuments(update, held.body) === "equal") return "as it was"
    if (held !== null) await remote.remove(id)
  }
  const outcome = await remote.merge(id, update, { create })
  if (outcome === "exists") return "there already, and left"
  return outcome === "waiting" ? "brought, and wait for something they lack" : "brought"
}

/** How often a document is looked at again that changes between two looks. */
const LOOKS = 4

/** @throws CommandError "incomplete" where the server does not have all of it, or shows something else */
async function verified(remote: Remote, { id, update }: { id: string; update: Uint8Array }): Promise<string> {
  for (let look = 1; ; look++) {
    const held = await remote.export(id, "update")
    const comparison = compareDocuments(update, held?.body ?? null)
    if (comparison === "differs") throw new CommandError("incomplete", "the server does not have all of it")
    if (comparison === "contains") return "contained, with more that was written here"
    const wanted = readJson(update)
    // Longer than anybody would write it: then there is none to compare.
    if (wanted === null) return "equal"
    const shown = await remote.export(id, "json")
    if (shown?.revision !== held?.revision && look < LOOKS) continue
    const json: unknown = shown === null ? {} : JSON.parse(new TextDecoder().decode(shown.body))
    if (isDeepStrictEqual(json, wanted)) return "equal"
    throw new CommandError("incomplete", "the server has all of it, and shows it as other JSON")
  }
}
