/** Waiting for a condition, in Node and in workerd. */

/** How long to wait, and how often to look. */
export interface Patience {
  /** Give up after this long, ms. Default 30 s. */
  readonly timeoutMs?: number
  /** Look this often, ms. Default 25. */
  readonly everyMs?: number
}

/**
 * Resolves once the condition is truthy. A condition that throws counts as "not yet".
 *
 * @param what how the sentence "Waited in vain until …" goes on
 * @throws Error when the time is over; its `cause` is what the condition threw last
 */
export async function until(
  condition: () => unknown,
  what: string,
  { timeoutMs = 30_000, everyMs = 25 }: Patience = {},
): Promise<void> {
  const end = Date.now() + timeoutMs
  let last: unknown
  do {
    try {
      if (await condition()) return
      last = undefined
    } catch (thrown) {
      last = thrown
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  } while (Date.now() < end)
  throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`, { cause: last })
}
