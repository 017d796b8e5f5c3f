/**
 * Long work in steps. What is read of the past may be a million keystrokes, and the room that reads it is one thread: so it is
 * a generator that yields wherever other work may come between, and a caller runs it in one turn or in many.
 */

/** Work that yields where other work may come between. */
export type Steps<Result> = Generator<void, Result>

/** Run to the end in one turn. */
export function runNow<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * Run to the end, with other work between the steps.
 * @param check throws where going on makes no sense any more
 */
export async function runBetween<Result>(steps: Steps<Result>, check: () => void): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    await new Promise((resolve) => setTimeout(resolve, 0))
    check()
  }
}

/** Says when to yield: after so much work. The platform's clock stands still in a turn, so work is counted, not time. */
export class Pace {
  readonly #most: number
  #done = 0

  constructor(most: number) {
    this.#most = most
  }

  /** So much more was done. @returns whether it is time to yield */
  isDue(amount: number): boolean {
    this.#done += amount
    if (this.#done < this.#most) return false
    this.#done = 0
    return true
  }
}
