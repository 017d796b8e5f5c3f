/** `/docs/{id}/-/versions`, `-/diff`, `-/blame`, `-/activity`, `-/rollback`, `-/prune`, `-/copy`: a document's past. */
import { authorize } from "../access/door.ts"
import { SyncError } from "../errors.ts"
import { toHtml, toMarkdown } from "../history/marking.ts"
import type { Limits } from "../limits.ts"
import { unwrap } from "../rpc.ts"
import { parsePage, readBody } from "./body.ts"
import { findPlace } from "./parties.ts"
import { parseId } from "./paths.ts"
import { answerJson, type DocumentAsk, noDocument, type Resource } from "./resource.ts"

/** A page that shows what people wrote, on the origin of the API: see document.ts. */
const PAGE_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}

const versions: Resource = {
  about: "document",
  path: "/docs/{id}/-/versions",
  methods: {
    GET: {
      rights: "read",
      async answer({ room, url, grant, limits }) {
        const page = parsePage(url.searchParams, limits.pageEntries)
        return answerJson(await unwrap(room.past("versions", page, grant)))
      },
    },
    POST: {
      rights: "write",
      async answer(ask) {
        const { name = null, meta, at = null } = await readObject(ask)
        const made = await unwrap(
          ask.room.past(
            "createVersion",
            { name: textOf(name, "name"), meta, at: textOf(at, "at") },
            ask.grant,
          ),
        )
        return answerJson(made, 201)
      },
    },
  },
}

const version: Resource = {
  about: "document",
  path: "/docs/{id}/-/versions/{v}",
  methods: {
    GET: {
      rights: "read",
      async answer({ room, item, grant }) {
        return answerJson(await unwrap(room.past("version", { id: item }, grant)))
      },
    },
    PATCH: {
      rights: "write",
      async answer(ask) {
        const { name, meta } = await readObject(ask)
        const change = { id: ask.item, meta, ...(name !== undefined && { name: textOf(name, "name") }) }
        return answerJson(await unwrap(ask.room.past("changeVersion", change, ask.grant)))
      },
    },
    DELETE: {
      rights: "write",
      async answer({ room, item, grant }) {
        await unwrap(room.past("forgetVersion", { id: item }, grant))
        return new Response(null, { status: 204 })
      },
    },
  },
}

const restored: Resource = {
  about: "document",
  path: "/docs/{id}/-/versions/{v}/restore",
  methods: {
    POST: {
      rights: "write",
      async answer(ask) {
        const { root = null } = await readObject(ask)
        return answerJson(
          await unwrap(ask.room.past("restore", { id: ask.item, root: textOf(root, "root") }, ask.grant)),
        )
      },
    },
  },
}

const diff: Resource = {
  about: "document",
  path: "/docs/{id}/-/diff",
  methods: {
    GET: {
      rights: "read",
      async answer({ room, url, grant }) {
        const query = url.searchParams
        const format = query.get("format") ?? "json"
        if (!["json", "markdown", "html"].includes(format))
          throw new SyncError(
            "bad-request",
            `Unknown format ${JSON.stringify(format)}; known: json, markdown, html.`,
          )
        const from = query.get("from")
        if (from === null)
          throw new SyncError("bad-request", "from is missing: a revision, a time or a version.")
        const found = await unwrap(
          room.past("diff", { from, to: query.get("to"), root: query.get("root") }, grant),
        )
        if (format === "json") return answerJson(found)
        const isHtml = format === "html"
        return new Response(isHtml ? toHtml(found.roots) : toMarkdown(found.roots), {
          headers: { ...PAGE_HEADERS, "content-type": `text/${format};charset=utf-8` },
        })
      },
    },
  },
}

const blame: Resource = {
  about: "document",
  path: "/docs/{id}/-/blame",
  methods: {
    GET: {
      rights: "read",
      async answer({ room, url, grant }) {
        const root = url.searchParams.get("root")
        if (root === null) throw new SyncError("bad-request", "root is missing: whose words in which root?")
        const at = url.searchParams.get("at")
        return answerJson(await unwrap(room.past("blame", { root, at }, grant)))
      },
    },
  },
}

const activity: Resource = {
  about: "document",
  path: "/docs/{id}/-/activity",
  methods: {
    GET: {
      rights: "read",
      async answer({ room, url, grant, limits }) {
        const query = url.searchParams
        const order = query.get("order") ?? "desc"
        if (order !== "asc" && order !== "desc")
          throw new SyncError("bad-request", `order is asc or desc, not ${JSON.stringify(order)}.`)
        const ask = {
          ...parsePage(query, limits.pageEntries),
          from: query.get("from"),
          to: query.get("to"),
          by: query.get("by"),
          via: query.get("via"),
          groupMs: readGroup(query.get("group"), limits),
          newestFirst: order === "desc",
        }
        return answerJson(await unwrap(room.past("activity", ask, grant)))
      },
    },
  },
}

const rollback: Resource = {
  about: "document",
  path: "/docs/{id}/-/rollback",
  methods: {
    POST: {
      rights: "write",
      async answer(ask) {
        const { by = null, via = null, from = null, to = null, dryRun = false } = await readObject(ask)
        if (typeof dryRun !== "boolean") throw new SyncError("bad-request", "dryRun is true or false.")
        const wanted = {
          by: textOf(by, "by"),
          via: textOf(via, "via"),
          from: textOf(from, "from"),
          to: textOf(to, "to"),
          dryRun,
        }
        return answerJson(await unwrap(ask.room.past("rollback", wanted, ask.grant)))
      },
    },
  },
}

const prune: Resource = {
  about: "document",
  path: "/docs/{id}/-/prune",
  methods: {
    POST: {
      rights: "write",
      async answer(ask) {
        const before = textOf((await readObject(ask)).before ?? null, "before")
        if (before === null)
          throw new SyncError("bad-request", "before is missing: a revision, a time or a version.")
        return answerJson(await unwrap(ask.room.past("prune", { before }, ask.grant)))
      },
    },
  },
}

const copy: Resource = {
  about: "document",
  path: "/docs/{id}/-/copy",
  methods: { POST: { rights: "read", answer: copyDocument } },
}

/** The rows of the table of resources that are about the past. */
export const history: readonly Resource[] = [
  versions,
  version,
  restored,
  diff,
  blame,
  activity,
  rollback,
  prune,
  copy,
]

/** The copy is another document, whose past begins with it. Whoever makes it must be allowed to write there. */
async function copyDocument(ask: DocumentAsk): Promise<Response> {
  const { request, env, options, limits, grant, room, name } = ask
  const { to = null, at = null } = await readObject(ask)
  const wanted = textOf(to, "to")
  if (wanted === null) throw new SyncError("bad-request", "to is missing: the id of the copy.")
  const id = parseId(encodeURIComponent(wanted), limits.idBytes)
  // In the same party: the room there is of the same kind.
  const party = /^\/([^/]+)\//.exec(name)?.[1] ?? null
  const place = findPlace(env, { party, id }, options)
  const there = await authorize(request, { id: place.name, rights: "write" }, env)
  const exported = await unwrap(
    room.export(
      { format: "update", accept: null, root: null, ifNoneMatch: null, at: textOf(at, "at") },
      grant,
    ),
  )
  if (exported?.body === null || exported === null) throw noDocument(name)
  const update = new Uint8Array(await new Response(exported.body as BodyInit).arrayBuffer())
  const conditions = { ifMatch: null, ifNoneMatch: "*", isCopy: true }
  try {
    const { revision } = await unwrap(place.rooms.getByName(place.name).merge(update, there, conditions))
    return answerJson({ id, revision }, 201)
  } catch (thrown) {
    if (thrown instanceof SyncError && thrown.code === "precondition-failed")
      throw new SyncError("conflict", `There is a document ${id} already.`)
    throw thrown
  }
}

/** A JSON object in the body; an empty body is an empty one. @throws SyncError "bad-request" | "too-large" */
async function readObject({ request, limits }: DocumentAsk): Promise<Record<string, unknown>> {
  const body = await readBody(request, limits.pastBodyBytes)
  if (body.length === 0) return {}
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(body))
  } catch {
    parsed = null
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new SyncError("bad-request", "The body is a JSON object.")
  return parsed as Record<string, unknown>
}

/** @throws SyncError "bad-request" */
function textOf(value: unknown, name: string): string | null {
  if (value === null || typeof value === "string") return value
  throw new SyncError("bad-request", `${name} is a string, not ${JSON.stringify(value).slice(0, 100)}.`)
}

/** @throws SyncError "bad-request" */
function readGroup(text: string | null, { activityPauseMs, activityPauseCeilingMs }: Limits): number {
  if (text === null) return activityPauseMs
  if (/^\d{1,9}$/.test(text) && Number(text) <= activityPauseCeilingMs) return Number(text)
  throw new SyncError(
    "bad-request",
    `group is a pause in ms, 0 to ${activityPauseCeilingMs}, not ${JSON.stringify(text)}.`,
  )
}
