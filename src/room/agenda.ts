/**
 * The agenda: one alarm for many chores. Each chore says when it is due and runs in a `try` of its own, so that a failing
 * chore keeps no other from running.
 *
 * The platform repeats a throwing alarm six times and then forgets it. So the next alarm is set before any chore runs, and
 * nothing is thrown (A2).
 */
import type { Limits } from "../limits.ts"
import type { Emit } from "./events.ts"

/** A task with a due time. */
export interface Chore {
  /** For events and logs. */
  readonly name: string
  /** When it is due, ms since 1970; null: nothing to do. */
  readonly dueAtMs: () => number | null
  readonly run: () => void | Promise<void>
}

/** Runs the chores of a room by its one alarm. */
export class Agenda {
  readonly #storage: DurableObjectStorage
  readonly #chores: readonly Chore[]
  readonly #limits: Limits
  readonly #emit: Emit
  #alarmAt: number | null = null
  #ended = false
  /** Failed chores: the earliest time of the next try, and the failures in a row. */
  readonly #failed = new Map<Chore, { readonly notBeforeMs: number; readonly times: number }>()

  constructor(
    storage: DurableObjectStorage,
    { chores, limits, emit }: { chores: readonly Chore[]; limits: Limits; emit: Emit },
  ) {
    this.#storage = storage
    this.#chores = chores
    this.#limits = limits
    this.#emit = emit
  }

  /** Set the alarm to the earliest chore, unless an earlier alarm is set. Joins the transaction of the turn (A1). */
  arm(): void {
    const dueAtMs = this.#earliest()
    if (dueAtMs !== null && (this.#alarmAt === null || dueAtMs < this.#alarmAt)) this.#set(dueAtMs)
  }

  /** Run the chores that are due; called by the alarm. Never throws. */
  async run(): Promise<void> {
    // Late enough for every call to the archive to have ended; whatever happens below, the alarm comes again.
    this.#set(Date.now() + 2 * this.#limits.archiveTimeoutMs)
    for (const chore of this.#chores) {
      try {
        const dueAtMs = this.#dueAtMs(chore)
        if (dueAtMs === null || dueAtMs > Date.now()) continue
        await chore.run()
        this.#failed.delete(chore)
      } catch (cause) {
        const times = (this.#failed.get(chore)?.times ?? 0) + 1
        const { retryMs, retryCeilingMs } = this.#limits
        const delayMs = Math.min(retryMs * 2 ** (times - 1), retryCeilingMs)
        this.#failed.set(chore, { notBeforeMs: Date.now() + delayMs, times })
        this.#emit({ type: "chore-failed", chore: chore.name, cause })
      }
    }
    await this.reset()
  }

  /** Run no more chores: the room's storage is about to be dropped. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#clear()
  }

  /** Set the alarm to the earliest chore, even where an earlier alarm is set; delete it where nothing is due. */
  async reset(): Promise<void> {
    if (this.#ended) return
    const dueAtMs = this.#earliest()
    if (dueAtMs !== null) this.#set(dueAtMs)
    else await this.#clear()
  }

  async #clear(): Promise<void> {
    this.#alarmAt = null
    await this.#storage.deleteAlarm()
  }

  #set(atMs: number): void {
    this.#alarmAt = atMs
    void this.#storage.setAlarm(atMs)
  }

  #earliest(): number | null {
    let earliest: number | null = null
    for (const chore of this.#chores) {
      const dueAtMs = this.#dueAtMs(chore)
      if (dueAtMs !== null && (earliest === null || dueAtMs < earliest)) earliest = dueAtMs
    }
    return earliest
  }

  #dueAtMs(chore: Chore): number | null {
    const dueAtMs = chore.dueAtMs()
    const failed = this.#failed.get(chore)
    return dueAtMs === null || failed === undefined ? dueAtMs : Math.max(dueAtMs, failed.notBeforeMs)
  }
}
