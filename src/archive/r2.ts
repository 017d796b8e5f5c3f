/**
 * The archive in R2, or any bucket behind an R2 binding: one object a document. Its body is the update, then the
 * sidecar, then a stamp; its metadata says the version and where the update ends. Whoever knows nothing of that reads
 * the body as a Yjs update all the same: Yjs ignores what follows one. A deleted document leaves an object that says so.
 */

import type { R2Bucket, R2Object, R2PutOptions } from "@cloudflare/workers-types"
import { LIMITS, type Limits } from "../limits.ts"
import { abortable, discreet } from "./abortable.ts"
import type { Archive, ArchiveEntry, ArchiveLookup, ArchivePage, IndexPage, Version } from "./archive.ts"
import { r2Segments, SEGMENTS } from "./r2-segments.ts"
import { documentWrite, type Held, judgeSwap, markWrite, type Write } from "./swap.ts"
import { compareIds, justBefore, pageRange } from "./within.ts"

/** What `r2Archive` may be told. */
export interface R2Options {
  /** Put before every key: one bucket for several things. */
  prefix?: string
  /** The numbers of the deployment, from `readLimits(env)`. */
  limits?: Limits
}

/**
 * Keep documents in an R2 bucket. Key: prefix + id.
 *
 * R2 has no transaction; it has conditional puts. A write looks what is there and puts on condition that nothing
 * changed since. An object that somebody put by hand is a document too: its writer is null.
 *
 * @example archive = r2Archive(env.BUCKET, { prefix: "documents/" })
 * @source R2 Workers API: `onlyIf`, `customMetadata`; one write a second to one key
 */
export function r2Archive(bucket: R2Bucket, { prefix = "", limits = LIMITS }: R2Options = {}): Archive {
  async function load(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
    const object = await abortable(() => bucket.get(prefix + id), signal)
    if (object === null) return { kind: "absent" }
    const body = new Uint8Array(await abortable(() => object.arrayBuffer(), signal))
    const { updateBytes, sidecarBytes } = object.customMetadata ?? {}
    const end = updateBytes === undefined ? body.length : Number(updateBytes)
    const sidecar = sidecarBytes === undefined ? null : body.slice(end, end + Number(sidecarBytes))
    const { writer, revision, deleted } = heldIn(object)
    if (deleted) return { kind: "deleted", version: { writer, revision }, sidecar }
    return { kind: "found", document: { update: body.subarray(0, end), sidecar, writer, revision } }
  }

  /** Put a document or a mark in place of what is held, if it may take its place. */
  async function swap(
    { id, write, expected }: { id: string; write: Write; expected: Version | null },
    signal: AbortSignal,
  ): Promise<"stored" | "conflict"> {
    const body = bodyOf(write)
    const customMetadata = {
      ...(write.writer !== null && { writer: write.writer }),
      revision: String(write.revision),
      updateBytes: String(write.update.length),
      ...(write.sidecar !== null && { sidecarBytes: String(write.sidecar.length) }),
      updated: new Date(write.updatedAtMs).toISOString(),
      ...(write.deleted && { deleted: "true" }),
    }
    for (let attempt = 1; attempt <= limits.archiveAttempts; attempt++) {
      const object = await abortable(() => bucket.head(prefix + id), signal)
      const verdict = judgeSwap(write, { held: object && heldIn(object), expected })
      if (verdict !== "replace") return verdict
      const options: R2PutOptions = { onlyIf: unchangedSince(object), customMetadata }
      const done = await abortable(() => bucket.put(prefix + id, body, options), signal)
      if (done !== null) return "stored"
    }
    throw new Error(`R2: ${prefix + id} was written ${limits.archiveAttempts} times between a look and a put`)
  }

  async function list(page: IndexPage, signal: AbortSignal): Promise<ArchivePage> {
    const { limit } = page
    const { from, not, before } = pageRange(page)
    const documents: ArchiveEntry[] = []
    // R2 begins after a key.
    let after = not === "" ? justBefore(from) : not
    // R2 may return fewer than asked for, and some of them deleted.
    while (true) {
      const startAfter = after === null ? {} : { startAfter: prefix + after }
      const listed = await abortable(
        () => bucket.list({ prefix, include: ["customMetadata"], ...startAfter }),
        signal,
      )
      let isCut = listed.truncated
      for (const object of listed.objects) {
        after = object.key.slice(prefix.length)
        // Parts of pasts: the next page begins after all of them.
        if (after.startsWith(SEGMENTS)) {
          after = `${SEGMENTS}\u{10ffff}`
          isCut = true
          break
        }
        if (compareIds(after, before) >= 0) return { documents, cursor: null }
        if (heldIn(object).deleted) continue
        // One more than the page shows that there is a next page.
        if (documents.length === limit) return { documents, cursor: documents.at(-1)!.id }
        documents.push({
          id: after,
          revision: Number(object.customMetadata?.revision ?? 0),
          bytes: Number(object.customMetadata?.updateBytes ?? object.size),
          updatedAt: object.customMetadata?.updated ?? object.uploaded.toISOString(),
        })
      }
      if (!isCut) return { documents, cursor: null }
    }
  }

  return discreet({
    name: "r2",
    segments: r2Segments(bucket, prefix),
    load,
    store: (id, document, expected, signal) => swap({ id, write: documentWrite(document), expected }, signal),
    remove: (id, mark, expected, signal) => swap({ id, write: markWrite(mark), expected }, signal),
    list,
  })
}

/** The version an object has. One that was put by hand has none: when it was put tells it from the next one. */
function heldIn({ customMetadata, uploaded }: R2Object): Held {
  return {
    writer: customMetadata?.writer ?? null,
    revision: Number(customMetadata?.revision ?? uploaded.getTime()),
    deleted: customMetadata?.deleted === "true",
  }
}

/** Update, sidecar, and 16 random bytes: R2 makes the etag, the put's condition, from the body and not the metadata. */
function bodyOf({ update, sidecar }: Write): Uint8Array {
  const stamp = crypto.getRandomValues(new Uint8Array(16))
  const body = new Uint8Array(update.length + (sidecar?.length ?? 0) + stamp.length)
  body.set(update)
  if (sidecar !== null) body.set(sidecar, update.length)
  body.set(stamp, body.length - stamp.length)
  return body
}

/** The condition under which a put may replace what a look found. */
function unchangedSince(held: R2Object | null): NonNullable<R2PutOptions["onlyIf"]> {
  return held === null ? { etagDoesNotMatch: "*" } : { etagMatches: held.etag }
}
