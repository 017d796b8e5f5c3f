/**
 * Moving without a day of moving: an archive that asks the old backend for what it has never stored.
 *
 * A room that holds nothing looks into its archive before it answers anybody. Where that says "absent", the old backend is
 * asked, and what it has is stored here at once: from then on it is this archive's, and the old backend is not asked for it
 * again, by this room or any other. What was deleted here stays deleted, whatever the old backend still has.
 *
 * A 404 is "it never had one". Anything else that is no document, an outage or a page of a proxy, is a failure: the room
 * answers 503 and is asked again, and nobody starts empty over a document that exists [A9].
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { exportBudget } from "../export/budget.ts"
import { jsonWithin } from "../export/json.ts"
import { textWithin } from "../export/text.ts"
import { LIMITS, type Limits } from "../limits.ts"
import { discreet } from "./abortable.ts"
import type { Archive, ArchiveLookup, ArchiveWrite } from "./archive.ts"
import { isLocalHost } from "./local.ts"

/**
 * What the old backend has of a document: its whole state as one Yjs V1 update, or null where it never had one.
 *
 * @param signal aborts when the room waits no longer
 * @throws anything where it cannot say
 */
export type AskLegacy = (id: string, signal: AbortSignal) => Promise<Uint8Array | null>

/** The writer of what was taken over: a room's first store takes its place, as it takes any other lineage's. */
const WRITER = "legacy"

/** The limits that matter here. */
type LazyLimits = Pick<Limits, "legacyTimeoutMs" | "exportFactor" | "exportSpareBytes" | "exportBytes">

/**
 * The same archive, which asks for what it never had.
 *
 * @param archive gives documents back; the contract holds for the two as for it alone
 * @param ask `legacyUrl(…)`, or a function of your own: a query to the old database, an object of a bucket
 * @throws SyncError "internal" where the archive keeps only what people read
 * @example archive = lazyArchive(d1Archive(env.DB), legacyUrl({ url: "https://old.example.com/export/{id}" }))
 */
export function lazyArchive(archive: Archive, ask: AskLegacy, limits: LazyLimits = LIMITS): Archive {
  if (archive.keeps === "readable")
    throw new SyncError(
      "internal",
      `The archive ${archive.name} gives no document back, so what is asked of the old backend would be kept nowhere.`,
    )

  async function takeOver(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
    const update = await inTime((within) => ask(id, within), { signal, limits })
    if (update === null) return { kind: "absent" }
    const write = writeOf(update, limits)
    if (write === null) return { kind: "absent" }
    // Whoever else has asked meanwhile may have stored first: what stands there now is the document, for both.
    await archive.store(id, write, null, signal)
    return archive.load(id, signal)
  }

  return discreet({
    name: archive.name,
    ...(archive.keeps && { keeps: archive.keeps }),
    ...(archive.segments && { segments: archive.segments }),
    async load(id, signal) {
      const found = await archive.load(id, signal)
      return found.kind === "absent" ? takeOver(id, signal) : found
    },
    store: (id, document, expected, signal) => archive.store(id, document, expected, signal),
    remove: (id, mark, expected, signal) => archive.remove(id, mark, expected, signal),
    list: (page, signal) => archive.list(page, signal),
  })
}

/** Where the old backend answers. */
export interface LegacyUrlOptions {
  /** `{id}` stands for the document's id, percent-encoded, a slash as %2F. https, or http on this machine. */
  readonly url: string
  /** Sent with each request: `{ authorization: "Bearer …" }`. */
  readonly headers?: Readonly<Record<string, string>>
  /** "v2": it answers what `encodeStateAsUpdateV2` writes. */
  readonly encoding?: "v1" | "v2"
  readonly limits?: Pick<Limits, "documentBytes">
}

/**
 * Ask over HTTP: `GET` answers 200 with the document's update, or 404 or 204 where it never had one.
 *
 * @throws SyncError "internal" where the URL has no `{id}` or is not encrypted
 */
export function legacyUrl({
  url,
  headers = {},
  encoding = "v1",
  limits = LIMITS,
}: LegacyUrlOptions): AskLegacy {
  if (!url.includes("{id}") || !URL.canParse(url))
    throw new SyncError("internal", `The old backend's URL ${url} is none, or has no {id} in it.`)
  const { protocol, hostname } = new URL(url)
  if (protocol !== "https:" && !(protocol === "http:" && isLocalHost(hostname)))
    throw new SyncError(
      "internal",
      `The old backend's URL begins with ${protocol}//${hostname}: it needs https`,
    )
  return async (id, signal) => {
    const target = url.replaceAll("{id}", () => encodeURIComponent(id))
    // A redirect would carry the headers to somebody else, and most often leads to a page to sign in.
    const response = await fetch(target, { headers, redirect: "manual", signal })
    if (response.status === 404 || response.status === 204) {
      await response.body?.cancel()
      return null
    }
    if (response.status !== 200) {
      await response.body?.cancel()
      throw failed(`answered ${response.status}`)
    }
    const bytes = await readBounded(response, limits.documentBytes)
    return encoding === "v2" ? Y.convertUpdateFormatV2ToV1(bytes) : bytes
  }
}

/** @throws SyncError "archive-unavailable" as soon as there are more */
async function readBounded(response: Response, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    // Leaving the loop ends the transfer.
    if (length > limitBytes) throw failed(`answered more than ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** An answer before the limit, or a failure that says who was silent. */
async function inTime<Answer>(
  act: (signal: AbortSignal) => Promise<Answer>,
  { signal, limits: { legacyTimeoutMs } }: { signal: AbortSignal; limits: LazyLimits },
): Promise<Answer> {
  const late = new AbortController()
  // Cleared when the call ends: a timer left behind keeps a Durable Object awake.
  const timer = setTimeout(
    () => late.abort(failed(`did not answer within ${legacyTimeoutMs} ms`)),
    legacyTimeoutMs,
  )
  try {
    return await act(AbortSignal.any([signal, late.signal]))
  } catch (thrown) {
    if (signal.aborted) throw signal.reason
    if (late.signal.aborted) throw late.signal.reason
    if (thrown instanceof SyncError) throw thrown
    throw failed("could not be asked", thrown)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * What is stored of it; null where it holds nothing.
 * @throws SyncError "archive-unavailable" where the bytes are no update: a page that says 200, a file that was cut off
 */
function writeOf(update: Uint8Array, limits: LazyLimits): ArchiveWrite | null {
  const doc = new Y.Doc()
  try {
    Y.applyUpdate(doc, update)
  } catch (thrown) {
    throw failed("answered what is no Yjs update", thrown)
  }
  const isEmpty = doc.store.clients.size === 0 && doc.store.pendingStructs === null
  if (isEmpty) return null
  return {
    update,
    sidecar: null,
    writer: WRITER,
    revision: 1,
    updatedAtMs: Date.now(),
    json: () => jsonWithin(doc, exportBudget(update.length, limits)),
    text: () => textWithin(doc, exportBudget(update.length, limits)),
  }
}

function failed(what: string, cause?: unknown): SyncError {
  return new SyncError("archive-unavailable", `The old backend ${what}`, { cause })
}
