/**
 * What an operator's page asks, and a program as well: all under an admin's token. What shows the content of a document
 * (a value in quarantine) asks for the right to read it too, because an admin's right is none.
 */
import { authorize, withoutToken } from "../access/door.ts"
import { SyncError } from "../errors.ts"
import { parsePage } from "../http/body.ts"
import { type AdminOption, findPlace, type RouteOptions } from "../http/parties.ts"
import {
  type Ask,
  answerJson,
  type DocumentAsk,
  type DocumentMethod,
  type Resource,
} from "../http/resource.ts"
import { encodeGrant, GRANT_HEADER, INDEX_ROOM, type RoomRpc, unwrap } from "../rpc.ts"
import { writeMetrics } from "./counts.ts"
import { page } from "./page.ts"
import { dollars, dollarsToStore, PRICES } from "./prices.ts"
import { findLookout, type Line, requireLookout } from "./reports.ts"

/** The media type of OpenMetrics. @source OpenMetrics 1.0, "Protocol Negotiation" */
export const METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** Rooms that one request asks at once. */
const ASKED_AT_ONCE = 10
/** The longest range of days that costs are told of. */
const DAYS = 90

const documents: Resource = {
  about: "server",
  path: "/admin/documents",
  methods: { GET: { rights: "admin", answer: listDocuments } },
}

const audit: Resource = {
  about: "server",
  path: "/admin/audit",
  methods: {
    GET: {
      rights: "admin",
      async answer({ url, env, limits }) {
        const { searchParams } = url
        const ask = {
          ...parsePage(searchParams, limits.pageEntries),
          document: searchParams.get("document"),
          subject: searchParams.get("subject"),
        }
        if (ask.cursor !== null && !/^\d{1,15}$/.test(ask.cursor))
          throw new SyncError("bad-request", "cursor is none of this listing.")
        const { entries, cursor } = await requireLookout(env).audit(ask)
        return answerJson({
          entries: entries.map(({ at, ...entry }) => ({ at: new Date(at).toISOString(), ...entry })),
          cursor,
        })
      },
    },
  },
}

const costs: Resource = {
  about: "server",
  path: "/admin/costs",
  methods: {
    GET: {
      rights: "admin",
      async answer({ url, env }) {
        const days = url.searchParams.get("days") ?? "1"
        if (!/^\d{1,2}$/.test(days) || Number(days) < 1 || Number(days) > DAYS)
          throw new SyncError("bad-request", `days is a whole number from 1 to ${DAYS}.`)
        const found = await requireLookout(env).costs({ days: Number(days), limit: 100 })
        return answerJson({
          prices: PRICES,
          from: found.from,
          total: { ...found.total, dollars: dollars(found.total) },
          days: found.days.map(({ day, used }) => ({ day, ...used, dollars: dollars(used) })),
          documents: found.documents.map((cost) => ({
            ...cost,
            dollars: dollars(cost),
            dollarsToStoreADay: dollarsToStore(cost.bytes),
          })),
        })
      },
    },
  },
}

const metrics: Resource = {
  about: "server",
  path: "/metrics",
  methods: {
    GET: {
      rights: "admin",
      async answer({ env }) {
        return answerMetrics(writeMetrics(await requireLookout(env).samples()))
      },
    },
  },
}

const flushAll: Resource = {
  about: "server",
  path: "/admin/flush",
  methods: { POST: { rights: "admin", answer: flushSome } },
}

const subjects: Resource = {
  about: "server",
  path: "/admin/subjects/{sub}",
  methods: {
    GET: { rights: "admin", answer: findSubject },
    DELETE: { rights: "admin", answer: eraseSubject },
  },
}

/** Verbs of a desk as resources of a document. */
const inRooms: Resource[] = [
  onDocument("desk", {
    GET: { answer: async (ask) => answerJson(await operate(ask, "look")) },
  }),
  onDocument("watch", {
    GET: {
      opens: true,
      async answer({ request, room, grant }) {
        const bare = withoutToken(request)
        bare.headers.set(GRANT_HEADER, encodeGrant(grant))
        bare.headers.set("accept", "text/event-stream")
        return room.fetch(bare)
      },
    },
  }),
  onDocument("quarantine", { GET: { answer: showQuarantined } }),
  onDocument("read-only", {
    PUT: { answer: async (ask) => answerJson(await operate(ask, "read-only", { on: true })) },
    DELETE: { answer: async (ask) => answerJson(await operate(ask, "read-only", { on: false })) },
  }),
  onDocument("close", {
    POST: {
      async answer(ask) {
        return answerJson(await operate(ask, "close", { peer: ask.url.searchParams.get("peer") }))
      },
    },
  }),
  onDocument("compact", {
    POST: { answer: async (ask) => answerJson(await operate(ask, "compact")) },
  }),
  onDocument("recover", {
    POST: { answer: async (ask) => answerJson(await operate(ask, "recover")) },
  }),
]

/** What `routeDocuments(request, env, { admin })` adds. */
export const admin: AdminOption = {
  resources: [...page, documents, audit, costs, metrics, flushAll, subjects, ...inRooms],
  async note({ env, grant }, deed, whom) {
    const entry = { at: Date.now(), subject: grant?.subject ?? null, deed, detail: whom }
    try {
      await findLookout(env)?.note(null, entry)
    } catch (cause) {
      // It is done all the same, and whoever is told that it failed would not know.
      console.error(`admin: that ${deed} was not written down`, cause)
    }
  },
}

/** An answer in OpenMetrics. */
export function answerMetrics(text: string): Response {
  return new Response(text, { headers: { "content-type": METRICS_TYPE, "cache-control": "no-store" } })
}

function onDocument(
  name: string,
  methods: Readonly<Record<string, Omit<DocumentMethod, "rights">>>,
): Resource {
  const admins = Object.entries(methods).map(([method, how]) => [
    method,
    { rights: "admin" as const, ...how },
  ])
  return { about: "document", path: `/docs/{id}/-/${name}`, methods: Object.fromEntries(admins) }
}

async function operate({ room, grant }: DocumentAsk, verb: string, ask: object = {}): Promise<object> {
  return unwrap(room.operate(verb, ask, grant))
}

/** Bytes that were somebody's document. */
async function showQuarantined(ask: DocumentAsk): Promise<Response> {
  await authorize(ask.request, { id: ask.name, rights: "read" }, ask.env)
  const value = ask.url.searchParams.get("value") ?? ""
  if (!/^\d{1,15}$/.test(value))
    throw new SyncError("bad-request", "value is the number of one in quarantine.")
  const { bytes } = (await operate(ask, "quarantined", { value: Number(value) })) as { bytes: Uint8Array }
  return new Response(bytes as BodyInit, {
    headers: {
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="quarantined-${value}.bin"`,
      "cache-control": "no-store",
    },
  })
}

/**
 * The archive's index with what rooms have reported; `?search=` looks for a part of the id, `?only=open` and
 * `?only=trouble` ask the lookout alone, `?only=reported` for all that it knows.
 */
async function listDocuments({ url, env, options, limits }: Ask): Promise<Response> {
  const query = url.searchParams
  const { cursor, limit } = parsePage(query, limits.pageEntries)
  const search = (query.get("search") ?? "").normalize("NFC")
  const only = query.get("only")
  if (only !== null && !["open", "trouble", "reported"].includes(only))
    throw new SyncError("bad-request", `only is open, trouble or reported, not ${JSON.stringify(only)}.`)
  const lookout = findLookout(env)
  const fromLookout = async () => {
    const known = only === "open" || only === "trouble" ? only : null
    const { lines, cursor: next } = await requireLookout(env).lines({ only: known, search, cursor, limit })
    const shown = lines.map((line) => ({ id: line.document, ...sizeOf(line), line }))
    return answerJson({ documents: shown, cursor: next, source: "reports" })
  }
  if (only !== null) return fromLookout()
  const { rooms } = findPlace(env, { party: null, id: INDEX_ROOM }, options)
  const index = rooms.getByName(INDEX_ROOM)
  const wanted = search.toLowerCase()
  const found: { id: string; revision: number; bytes: number; updatedAt: string }[] = []
  let at = cursor
  try {
    for (let seen = 0; ; ) {
      // A page may be smaller than what it is filtered to, never larger: its cursor is its end.
      const size = Math.min(wanted === "" ? limit : 1_000, limits.pageEntries)
      const archived = await unwrap(index.list({ cursor: at, limit: size }))
      seen += archived.documents.length
      at = archived.cursor
      found.push(...archived.documents.filter(({ id }) => id.toLowerCase().includes(wanted)))
      if (at === null || found.length >= limit || seen >= limits.adminSearch) break
    }
  } catch (thrown) {
    // A server without an archive lists what its rooms have reported.
    if (thrown instanceof SyncError && thrown.code === "not-found" && lookout !== null) return fromLookout()
    throw thrown
  }
  const lines = new Map(
    ((await lookout?.linesOf(found.map(({ id }) => id))) ?? []).map((line) => [line.document, line]),
  )
  const shown = found.map((entry) => ({ ...entry, line: lines.get(entry.id) ?? null }))
  return answerJson({ documents: shown, cursor: at, source: "archive" })
}

function sizeOf({ revision, bytes, at }: Line) {
  return { revision, bytes, updatedAt: new Date(at).toISOString() }
}

/**
 * Write documents to the archive again, whatever it is thought to hold: some, from `?cursor=` on. The names come from what
 * rooms have reported, since an archive that was lost knows none, or with `?from=archive` from its index.
 */
async function flushSome({ url, env, options, limits, grant }: Ask): Promise<Response> {
  const { searchParams } = url
  const cursor = searchParams.get("cursor")
  const isArchive = searchParams.get("from") === "archive"
  const { rooms } = findPlace(env, { party: null, id: INDEX_ROOM }, options)
  const limit = limits.adminBatch
  const found = isArchive
    ? await unwrap(rooms.getByName(INDEX_ROOM).list({ cursor, limit }))
    : await requireLookout(env).lines({ only: null, search: "", cursor, limit })
  const names =
    "lines" in found ? found.lines.map(({ document }) => document) : found.documents.map(({ id }) => id)
  const failed: { document: string; message: string }[] = []
  await eachAtOnce(names, async (name) => {
    try {
      const { archivedRevision } = await unwrap(roomOf(name, env, options).flush(grant!))
      if (archivedRevision === null) failed.push({ document: name, message: "the archive did not take it" })
    } catch (thrown) {
      failed.push({ document: name, message: messageOf(thrown) })
    }
  })
  return answerJson({ flushed: names.length - failed.length, failed, cursor: found.cursor })
}

/** Where somebody has been, and what is known of them there. */
async function findSubject({ url, env, options, limits, grant, item }: Ask): Promise<Response> {
  checkTraced(limits.auditMs)
  const cursor = url.searchParams.get("cursor")
  const ask = { subject: subjectOf(item, limits.subjectLength), cursor, limit: limits.adminBatch }
  const lookout = requireLookout(env)
  const { documents, cursor: next } = await lookout.traces(ask)
  const found: object[] = []
  await eachAtOnce(documents, async ({ document, at }) => {
    const seenAt = new Date(at).toISOString()
    try {
      const traces = await unwrap(
        roomOf(document, env, options).operate("person", { subject: ask.subject }, grant!),
      )
      found.push({ document, seenAt, ...traces })
    } catch (thrown) {
      found.push({ document, seenAt, error: messageOf(thrown) })
    }
  })
  return answerJson({ subject: ask.subject, documents: found, cursor: next })
}

/**
 * Forget somebody: in every room that they have been in, and in the audit, another name stands in the place of theirs. 200
 * where all is done; 202 where it is to be asked again, because there are more, or some have failed.
 */
async function eraseSubject(ask: Ask): Promise<Response> {
  const { env, options, limits, grant, item } = ask
  const subject = subjectOf(item, limits.subjectLength)
  checkTraced(limits.auditMs)
  const lookout = requireLookout(env)
  const { documents, cursor } = await lookout.traces({ subject, cursor: null, limit: limits.adminBatch })
  const as = `erased-${crypto.randomUUID()}`
  const failed: { document: string; message: string }[] = []
  await eachAtOnce(documents, async ({ document }) => {
    try {
      await unwrap(roomOf(document, env, options).operate("erase", { subject, as }, grant!))
      await lookout.erase({ subject, document, as })
    } catch (thrown) {
      // Of a document that was deleted nothing is left but what the audit says.
      if (thrown instanceof SyncError && thrown.code === "not-found")
        return lookout.erase({ subject, document, as })
      failed.push({ document, message: messageOf(thrown) })
    }
  })
  const isDone = cursor === null && failed.length === 0
  if (isDone) {
    await lookout.erase({ subject, document: null, as })
    const entry = { at: Date.now(), subject: grant?.subject ?? null, deed: "erased", detail: as } as const
    await lookout.note(null, entry)
  }
  return answerJson(
    { as, erased: documents.length - failed.length, failed, done: isDone },
    isDone ? 200 : 202,
  )
}

/** Whoever is told that somebody is erased relies on it. @throws SyncError closed where nothing is known of where anybody was */
function checkTraced(auditMs: number): void {
  if (auditMs > 0) return
  throw new SyncError("closed", "LIMIT_AUDIT_MS is 0, so nobody knows where somebody has been.")
}

/** @throws SyncError bad-request */
function subjectOf(item: string, subjectLength: number): string {
  if (item.length > 0 && item.length <= subjectLength) return item
  throw new SyncError("bad-request", `A subject has 1 to ${subjectLength} characters.`)
}

/** The room of a document's name, of whichever party. @throws SyncError not-found */
function roomOf(name: string, env: object, options: RouteOptions): RoomRpc {
  const [, party = null, id = name] = /^\/([^/]+)\/(.*)$/s.exec(name) ?? []
  return findPlace(env, { party, id }, options).rooms.getByName(name)
}

async function eachAtOnce<Item>(items: readonly Item[], ask: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items]
  const askNext = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await ask(item)
  }
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askNext))
}

function messageOf(thrown: unknown): string {
  return thrown instanceof SyncError ? thrown.message : "The room failed; the fault is logged."
}
