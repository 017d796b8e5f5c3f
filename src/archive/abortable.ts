/** Archive calls that end: with a signal, or after some time. */
import type { Archive } from "./archive.ts"

/**
 * The same archive, each call of which ends after so long.
 * The timer ends with the call: one left behind, as AbortSignal.timeout does, keeps a Durable Object awake, and billed,
 * until it rings.
 */
export function limited(archive: Archive, limitMs: number): Archive {
  async function within<T>(signal: AbortSignal, call: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort(new DOMException(`${archive.name} did not answer within ${limitMs} ms`, "TimeoutError"))
    }, limitMs)
    try {
      return await call(AbortSignal.any([signal, late.signal]))
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    name: archive.name,
    load: (id, signal) => within(signal, (limit) => archive.load(id, limit)),
    store: (id, document, signal) => within(signal, (limit) => archive.store(id, document, limit)),
    remove: (id, revision, signal) => within(signal, (limit) => archive.remove(id, revision, limit)),
    list: (page, signal) => within(signal, (limit) => archive.list(page, limit)),
  }
}

/**
 * Work that ends with a signal, for clients that know no AbortSignal (D1, R2).
 * What was already sent may still arrive: that is harmless, since an older revision never wins.
 *
 * @param work is not started when the signal has already aborted
 * @throws the signal's reason, as soon as it aborts
 */
export function abortable<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = () => reject(signal.reason)
    signal.addEventListener("abort", abort, { once: true })
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort))
  })
}
