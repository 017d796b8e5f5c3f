/**
 * The pulse: whether this room's disk takes a write and its archive answers. Whoever watches a server asks often, and so may
 * anybody else, so what was found is good for a moment.
 */
import type { Archive } from "../archive/archive.ts"
import type { Limits } from "../limits.ts"
import type { Readiness } from "../rpc.ts"
import type { Archivist } from "./archivist.ts"

/** Asked by `/ready`. */
export class Pulse {
  #found: Promise<Readiness> | null = null
  #atMs = Number.NEGATIVE_INFINITY

  /** @returns what was found, within the last `readyMs`. Rejects where the disk fails */
  take(
    storage: DurableObjectStorage,
    { archive, archivist, limits }: { archive: Archive | null; archivist: Archivist; limits: Limits },
  ): Promise<Readiness> {
    if (this.#found === null || Date.now() - this.#atMs >= limits.readyMs) {
      this.#atMs = Date.now()
      this.#found = look(storage, archive === null ? null : archivist)
    }
    return this.#found
  }
}

async function look(storage: DurableObjectStorage, archivist: Archivist | null): Promise<Readiness> {
  storage.kv.put("ready", Date.now())
  await storage.sync()
  if (archivist === null) return { archive: null }
  // Why it does not answer is for the log: everybody may ask.
  return archivist.list({ cursor: null, limit: 1 }).then(
    () => ({ archive: "ok" }),
    (thrown: unknown) => {
      console.warn("ready: the archive does not answer", thrown)
      return { archive: "unavailable" }
    },
  )
}
