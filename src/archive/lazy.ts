/**
 * Moving without a day of moving: an archive that asks the old backend for what it has never stored.
 *
 * A room that holds nothing looks into its archive before it answers anybody. Where that says "absent", the old backend is
 * asked, and what it has is stored here at once: from then on it is this archive's, and the old backend is not asked for it
 * again, by this room or any other. What was deleted here stays deleted, whatever the old backend still has.
 *
 * A 404 is "it never had one". Anything else that is no document, an outage or a page of a proxy, is a failure: the room
 * answers 503 and is asked again, and nobody starts empty over a document that exists [A9]. Its bytes are vetted before they
 * are kept, as every update is that comes from outside [W3]: what is refused stays where it is, and can be mended there.
 */
import "../start/quietly.ts"
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { exportBudget } from "../export/budget.ts"
import { jsonWithin } from "../export/json.ts"
import { textWithin } from "../export/text.ts"
import { LIMITS, type Limits, type UpdateLimits } from "../limits.ts"
import { vet } from "../update/vet.ts"
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
type LazyLimits = UpdateLimits &
  Pick<
    Limits,
    "legacyTimeoutMs" | "clients" | "documentWeight" | "exportFactor" | "exportSpareBytes" | "exportBytes"
  >

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
    return encoding === "v2" ? readSecond(bytes, limits.documentBytes) : bytes
  }
}

/** @throws SyncError "archive-unavailable" as soon as there are more */
async function readBounded(response: Response, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    // Leaving the loop ends the transfer.
    if (length > limitBytes) throw tooLong(limitBytes)
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

/**
 * An update of the second encoding in the first. There a count may stand for any number of equal structs, and a number for a
 * long name, so a few bytes can mean more than memory holds: it is read no further than the limit has room for in the first.
 *
 * @throws SyncError "archive-unavailable" where it would be longer
 */
function readSecond(update: Uint8Array, limitBytes: number): Uint8Array {
  let left = limitBytes
  const spend = (bytes: number) => {
    left -= bytes
    if (left < 0) throw tooLong(limitBytes)
  }
  class Bounded extends Y.UpdateDecoderV2 {
    override readInfo(): number {
      spend(2)
      return super.readInfo()
    }
    override readLeftID(): Y.ID {
      return spent(super.readLeftID())
    }
    override readRightID(): Y.ID {
      return spent(super.readRightID())
    }
    override readKey(): string {
      const key = super.readKey()
      spend(key.length + 1)
      return key
    }
    override readDsClock(): number {
      // Yjs keeps an object for each until all are read.
      spend(DELETE_BYTES)
      return super.readDsClock()
    }
  }
  const spent = (id: Y.ID) => {
    spend(lengthOf(id.client) + lengthOf(id.clock))
    return id
  }
  return Y.diffUpdateV2(update, NOTHING_KNOWN, Bounded, Y.UpdateEncoderV1)
}

/** A state vector of no clients. */
const NOTHING_KNOWN = Uint8Array.of(0)
/** What a delete takes in memory, bytes. A guess. */
const DELETE_BYTES = 32

/** Of a number in lib0's encoding, bytes. */
function lengthOf(number: number): number {
  return Math.ceil(Math.log2(number + 1) / 7) || 1
}

function tooLong(limitBytes: number): SyncError {
  return failed(`answered more than ${limitBytes} bytes`)
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
 * @throws SyncError "archive-unavailable" where the bytes are no safe update, or more than a room has memory for: a page that
 *   says 200, a file that was cut off, an attack
 */
function writeOf(update: Uint8Array, limits: LazyLimits): ArchiveWrite | null {
  // It is a whole document, which all of its clients have written.
  const verdict = vet(update, new Map(), { limits: { ...limits, newClients: limits.clients } })
  if (verdict.kind === "refuse") throw failed(`answered what is no safe Yjs update: ${verdict.reason}`)
  if (verdict.news === null && verdict.waiting === null) return null
  if (verdict.weight > limits.documentWeight)
    throw failed(
      `answered a document that takes about ${verdict.weight} bytes of memory; at most ${limits.documentWeight}`,
    )
  // Nothing was here before, so the vet has no doubts that only a document could settle.
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
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
