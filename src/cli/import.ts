/**
 * `yurt import` and `yurt restore`: documents of another server, or of a folder, into this one.
 *
 * Merging an update twice changes nothing, so a run may be repeated. What is done stands in a journal in the current
 * folder, by which a run that was stopped goes on, and a later one brings only what has changed at the source.
 */
import { createHash } from "node:crypto"
import { forEachDocument } from "./crew.ts"
import { Journal } from "./journal.ts"
import { REMOTE_OPTIONS, REMOTE_USAGE, Remote } from "./remote.ts"
import type { OpenSource, SourceDocument } from "./sources/source.ts"
import { type Command, CommandError, readArgs, say } from "./terminal.ts"
import { compareDocuments, isEmptyUpdate } from "./verify.ts"

/** Layouts that can be read; each reader is loaded when it is asked for. */
const SOURCES: Readonly<Record<string, () => Promise<OpenSource>>> = {
  folder: async () => (await import("./sources/folder.ts")).openFolder,
  "hocuspocus-sqlite": async () => (await import("./sources/hocuspocus-sqlite.ts")).openHocuspocusSqlite,
  "y-leveldb": async () => (await import("./sources/y-leveldb.ts")).openYLeveldb,
  "y-sweet": async () => (await import("./sources/y-sweet.ts")).openYSweet,
}

/** A line of the journal: the document that was brought, and where to. */
interface Done {
  readonly id: string
  readonly to: string
  /** Of the source's update, hex. */
  readonly sha256: string
}

const usage = `yurt import KIND WHERE --to URL [--prefix PREFIX] [--only ID] [--verify] [--dry-run]
            [--journal FILE] [--token TOKEN] [--env FILE]
  KIND       ${Object.keys(SOURCES).join(", ")}
  WHERE      its file or folder
  --prefix   put before each id: acme/ makes notes acme/notes
  --only     this document alone; may be given several times
  --verify   afterwards compare each document with the source, struct by struct
  --dry-run  read everything, change nothing
  --journal  where to keep what is done (yurt-import-KIND.jsonl)
${REMOTE_USAGE}
It may be stopped and started again, and repeated.`

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
        journal: { type: "string" },
      },
    })
    const [kind = "", where] = positionals
    const load = Object.hasOwn(SOURCES, kind) ? SOURCES[kind] : undefined
    if (load === undefined || where === undefined)
      throw new CommandError("usage", `Which of ${Object.keys(SOURCES).join(", ")}, and where is it?`, usage)
    const { to, prefix, only, verify } = values
    const isDry = values["dry-run"]
    if (to === undefined && !isDry) throw new CommandError("usage", "--to names the server.", usage)
    const remote = to === undefined || isDry ? null : Remote.at(to, values)
    const journal = values.journal ?? `yurt-import-${kind}.jsonl`
    const open = await load()
    await bring(open, where, { remote, prefix, only, verify, journal, replace: false })
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
    await bring(openFolder, from, {
      remote: Remote.at(to, values),
      prefix: "",
      only,
      verify,
      // A restore that is repeated is meant: the server may have lost everything again.
      journal: null,
      replace,
    })
  },
}

interface Plan {
  /** null: change nothing. */
  readonly remote: Remote | null
  readonly prefix: string
  /** Empty: all. */
  readonly only: readonly string[]
  readonly verify: boolean
  readonly replace: boolean
  readonly journal: string | null
}

async function bring(open: OpenSource, where: string, plan: Plan): Promise<void> {
  const { remote, prefix, only } = plan
  const journal = remote === null || plan.journal === null ? null : new Journal<Done>(plan.journal)
  const source = await open(where)
  const missing = new Set(only)
  async function* wanted(): AsyncGenerator<SourceDocument> {
    for await (const document of source.documents()) {
      if (only.length > 0 && !missing.delete(document.id)) continue
      yield document
    }
  }
  try {
    await forEachDocument(wanted(), async (document) => {
      const update = await document.read()
      const id = prefix + document.id
      if (isEmpty(id, update)) return "empty"
      if (remote === null) return "readable"
      const sha256 = createHash("sha256").update(update).digest("hex")
      const done = journal?.get(id)
      const isDone = done?.sha256 === sha256 && done.to === remote.url
      const outcome = isDone ? "there already" : await put(remote, { ...document, id, update }, plan.replace)
      if (!isDone) journal?.add({ id, to: remote.url, sha256 })
      if (!plan.verify || document.create === true) return outcome
      return await verified(remote, { id, update })
    })
  } finally {
    await source.close()
  }
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

/** @throws CommandError "incomplete" where the server does not have all of it */
async function verified(remote: Remote, { id, update }: { id: string; update: Uint8Array }): Promise<string> {
  const held = await remote.export(id, "update")
  switch (compareDocuments(update, held?.body ?? null)) {
    case "equal":
      return "equal"
    case "contains":
      return "contained, with more that was written here"
    case "differs":
      throw new CommandError("incomplete", "the server does not have all of it")
  }
}
