/**
 * What an R2 archive keeps of documents' pasts: one object a part, beside the documents. No document has such a key, because no
 * id has a segment `-`.
 */
import type { R2Bucket } from "@cloudflare/workers-types"
import { abortable } from "./abortable.ts"
import type { ArchiveSegments } from "./archive.ts"

/** Before the keys of all of them. */
export const SEGMENTS = "-/"

/** @param prefix of every key of the archive */
export function r2Segments(bucket: R2Bucket, prefix: string): ArchiveSegments {
  const keyOf = (id: string, name: string) => `${prefix}${SEGMENTS}past/${id}/-/${name}`

  async function list(id: string, begin: string, signal: AbortSignal): Promise<string[]> {
    const names: string[] = []
    let cursor: string | undefined
    do {
      const ask = { prefix: keyOf(id, begin), ...(cursor !== undefined && { cursor }) }
      const page = await abortable(() => bucket.list(ask), signal)
      for (const { key } of page.objects) names.push(key.slice(keyOf(id, "").length))
      cursor = page.truncated ? page.cursor : undefined
    } while (cursor !== undefined)
    return names
  }

  return {
    list,
    async put(id, name, bytes, signal) {
      await abortable(() => bucket.put(keyOf(id, name), bytes), signal)
    },
    async get(id, name, signal) {
      const object = await abortable(() => bucket.get(keyOf(id, name)), signal)
      return object === null ? null : new Uint8Array(await abortable(() => object.arrayBuffer(), signal))
    },
    async remove(id, begin, signal) {
      const keys = (await list(id, begin, signal)).map((name) => keyOf(id, name))
      // R2 takes 1,000 keys at once.
      for (let at = 0; at < keys.length; at += 1_000)
        await abortable(() => bucket.delete(keys.slice(at, at + 1_000)), signal)
    },
  }
}
