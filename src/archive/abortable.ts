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
