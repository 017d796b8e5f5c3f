/**
 * The archive in R2, or any bucket behind an R2 binding: one object a document, its body the update, its
 * revision in the metadata. A deleted document leaves an object that says so.
 */

import type { R2Bucket, R2Object, R2PutOptions } from "@cloudflare/workers-types"
import { abortable } from "./abortable.ts"
import type { Archive, ArchiveEntry, ArchiveLookup, ArchivePage, ArchiveWrite } from "./archive.ts"

/** Times a write looks again because somebody else wrote between its look and its put. */
const PUT_ATTEMPTS = 10

export interface R2Options {
  /** Put before every key: one bucket for several things. */
  prefix?: string
}

/**
 * Keep documents in an R2 bucket. Key: prefix + id.
 *
 * R2 has no transaction; it has conditional puts. A write looks which revision is there and puts on condition
 * that nothing changed since, so that an older one never wins.
 *
 * @source R2 Workers API: `onlyIf`, `customMetadata`; one write a second to one key
 */
export function r2Archive(bucket: R2Bucket, { prefix = "" }: R2Options = {}): Archive {
  /**
   * Put unless `refuses` says no to what is there; look again for as long as others come between.
   * @returns the object that was in the way, or null when it is put
   */
  async function putUnless(
    id: string,
    refuses: (heldRevision: number) => boolean,
    put: { body: Uint8Array | string; metadata: Record<string, string> },
    signal: AbortSignal,
  ): Promise<R2Object | null> {
    for (let attempt = 1; attempt <= PUT_ATTEMPTS; attempt++) {
      const held = await abortable(() => bucket.head(prefix + id), signal)
      if (held !== null && refuses(revisionOf(held))) return held
      const options: R2PutOptions = { onlyIf: unchangedSince(held), customMetadata: put.metadata }
      const done = await abortable(() => bucket.put(prefix + id, put.body, options), signal)
      if (done !== null) return null
    }
    throw new Error(`R2: ${prefix + id} was written ${PUT_ATTEMPTS} times between a look and a put`)
  }

  async function load(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
    const object = await abortable(() => bucket.get(prefix + id), signal)
    if (object === null) return { kind: "absent" }
    const revision = revisionOf(object)
    if (isDeleted(object)) {
      await object.body.cancel()
      return { kind: "deleted", revision }
    }
    const update = new Uint8Array(await abortable(() => object.arrayBuffer(), signal))
    return { kind: "found", document: { update, revision } }
  }

  async function store(
    id: string,
    { update, revision, updatedAtMs }: ArchiveWrite,
    signal: AbortSignal,
  ): Promise<"stored" | "newer"> {
    const metadata = { revision: String(revision), updated: new Date(updatedAtMs).toISOString() }
    const held = await putUnless(id, (held) => held >= revision, { body: update, metadata }, signal)
    return held !== null && (revisionOf(held) > revision || isDeleted(held)) ? "newer" : "stored"
  }

  async function remove(id: string, revision: number, signal: AbortSignal): Promise<void> {
    const metadata = { revision: String(revision), updated: new Date().toISOString(), deleted: "true" }
    // A body of its own for each deletion: R2 makes the etag, the put's condition, from the body alone.
    const body = `deleted at revision ${revision}`
    await putUnless(id, (held) => held > revision, { body, metadata }, signal)
  }

  async function list(
    { cursor, limit }: { cursor: string | null; limit: number },
    signal: AbortSignal,
  ): Promise<ArchivePage> {
    const documents: ArchiveEntry[] = []
    let after = cursor
    // R2 may return fewer than asked for, and some of them deleted.
    while (true) {
      const startAfter = after === null ? {} : { startAfter: prefix + after }
      const page = await abortable(
        () => bucket.list({ prefix, include: ["customMetadata"], ...startAfter }),
        signal,
      )
      for (const object of page.objects) {
        after = object.key.slice(prefix.length)
        if (isDeleted(object)) continue
        // One more than the page shows that there is a next page.
        if (documents.length === limit) return { documents, cursor: documents.at(-1)!.id }
        documents.push({
          id: after,
          revision: revisionOf(object),
          bytes: object.size,
          updatedAt: object.customMetadata?.updated ?? object.uploaded.toISOString(),
        })
      }
      if (!page.truncated) return { documents, cursor: null }
    }
  }

  return { name: "r2", load, store, remove, list }
}

/** An object somebody put by hand has no revision: it is at 0. */
function revisionOf(object: R2Object): number {
  return Number(object.customMetadata?.revision ?? 0)
}

function isDeleted(object: R2Object): boolean {
  return object.customMetadata?.deleted === "true"
}

/** The condition under which a put may replace what a look found. */
function unchangedSince(held: R2Object | null): NonNullable<R2PutOptions["onlyIf"]> {
  return held === null ? { etagDoesNotMatch: "*" } : { etagMatches: held.etag }
}
