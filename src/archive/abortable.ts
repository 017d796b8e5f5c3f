/** Archive calls that end, with a signal or after some time, and fail with an error that can be shown. */

import { SyncError } from "../errors.ts"
import type { Archive } from "./archive.ts"

/**
 * The same archive, each call of which ends after so long, and fails with a SyncError whatever the adapter throws.
 * A room calls it once, round the archive it was given.
 */
export function limited(archive: Archive, limitMs: number): Archive {
  return around(archive, async (call, signal) => {
    const late = new AbortController()
    // The timer ends with the call: one left behind, as AbortSignal.timeout does, keeps a Durable Object awake, and
    // billed, until it rings.
    const timer = setTimeout(() => {
      const message = `The archive ${archive.name} did not answer within ${limitMs} ms`
      late.abort(new SyncError("archive-unavailable", message))
    }, limitMs)
    const either = AbortSignal.any([signal, late.signal])
    try {
      // An adapter may not honour its signal.
      return await abortable(() => call(either), either)
    } finally {
      clearTimeout(timer)
    }
  })
}

/**
 * The same archive, whose errors can be shown to clients: they name the archive, and what the driver said (addresses,
 * users, SQL) is the cause. A SyncError passes as it is, and a call whose signal has aborted rejects with its reason.
 */
export function discreet(archive: Archive): Archive {
  return around(archive, (call, signal) => call(signal))
}

/** The same archive, with something done round each call. */
function around(
  archive: Archive,
  within: <T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) => Promise<T>,
): Archive {
  async function guard<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await within(call, signal)
    } catch (error) {
      // Workers' fetch rejects with a copy of the reason.
      if (signal.aborted) throw signal.reason
      if (error instanceof SyncError) throw error
      throw new SyncError("archive-unavailable", `The archive ${archive.name} failed`, { cause: error })
    }
  }
  const { segments } = archive
  return {
    name: archive.name,
    ...(archive.keeps && { keeps: archive.keeps }),
    ...(segments && {
      segments: {
        put: (id, name, bytes, signal) => guard((signal) => segments.put(id, name, bytes, signal), signal),
        get: (id, name, signal) => guard((signal) => segments.get(id, name, signal), signal),
        list: (id, begin, signal) => guard((signal) => segments.list(id, begin, signal), signal),
        remove: (id, begin, signal) => guard((signal) => segments.remove(id, begin, signal), signal),
      },
    }),
    load: (id, signal) => guard((signal) => archive.load(id, signal), signal),
    store: (id, document, expected, signal) =>
      guard((signal) => archive.store(id, document, expected, signal), signal),
    remove: (id, mark, expected, signal) =>
      guard((signal) => archive.remove(id, mark, expected, signal), signal),
    list: (page, signal) => guard((signal) => archive.list(page, signal), signal),
  }
}

/**
 * Work that ends with a signal, for clients that know no AbortSignal (D1, R2).
 * What was already sent may still arrive: that is harmless, since it is compared with what is held then.
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
