/**
 * What is asked about the past runs beside the room's other work: in steps, so that nobody's keystroke waits for it, and one
 * question at a time, so that no two states of the past are in memory beside the present.
 */
import { SyncError } from "../errors.ts"
import { runBetween, runNow, type Steps } from "../history/steps.ts"
import type { Limits } from "../limits.ts"
import type { Replica } from "./replica.ts"

/** Runs long work one after another. */
export class Aside {
  readonly #replica: Pick<Replica, "weight" | "erasures" | "dehydrate">
  readonly #limits: Limits
  #last: Promise<unknown> = Promise.resolve()
  #running = 0

  constructor(replica: Pick<Replica, "weight" | "erasures" | "dehydrate">, limits: Limits) {
    this.#replica = replica
    this.#limits = limits
  }

  /** Whether something is asked and not answered yet. */
  get busy(): boolean {
    return this.#running > 0
  }

  /**
   * Run work after all that was begun before it.
   * @param begin called once it is its turn
   * @throws SyncError rate-limited where too much waits, not-found where the document was deleted meanwhile, and what it throws
   */
  async run<Result>(begin: () => Steps<Result>): Promise<Result> {
    const { pastQuestions } = this.#limits
    if (this.#running >= pastQuestions)
      throw new SyncError(
        "rate-limited",
        `${pastQuestions} questions about the past wait already; try again.`,
      )
    return this.alone(() => this.#runOne(begin))
  }

  /** Do something while nobody reads the past: take a part of it away. */
  async alone<Result>(act: () => Result | Promise<Result>): Promise<Result> {
    this.#running++
    const running = this.#last.then(act)
    this.#last = running.catch(() => {})
    try {
      return await running
    } finally {
      this.#running--
    }
  }

  #runOne<Result>(begin: () => Steps<Result>): Result | Promise<Result> {
    const { erasures } = this.#replica
    if (this.#makeRoom()) return runNow(begin())
    return runBetween(begin(), () => {
      if (this.#replica.erasures !== erasures)
        throw new SyncError("not-found", "The document was deleted meanwhile.")
    })
  }

  /**
   * Two documents of this size would not fit the platform's memory together: then the present is dropped from it.
   * @returns whether it was so; then it must not come back before the state of the past has gone
   */
  #makeRoom(): boolean {
    const isTight = this.#replica.weight + this.#limits.pastWeight > this.#limits.documentWeight
    if (isTight) this.#replica.dehydrate()
    return isTight
  }
}
