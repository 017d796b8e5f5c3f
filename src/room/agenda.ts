/**
 * The agenda: one alarm for many chores. Each chore says when it is due and has a try of its own, so that one that
 * fails keeps none of the others from being done.
 *
 * The platform repeats a throwing alarm six times and then forgets it. So the next alarm is set before anything is
 * done, and nothing is thrown (A2).
 */
import type { Limits } from "../limits.ts"
import type { Emit } from "./events.ts"

/** Something to be done at a time. */
export interface Chore {
  /** For events and logs. */
  readonly name: string
  /** When it is due, ms since 1970; null: not as things are. */
  readonly dueAtMs: () => number | null
  readonly run: () => void | Promise<void>
}

/** The alarm of a room. */
export class Agenda {
  readonly #storage: DurableObjectStorage
  readonly #chores: readonly Chore[]
  readonly #limits: Limits
  readonly #emit: Emit
  #alarmAt: number | null = null
  #ended = false
  /** Chores that failed: not before this time, and how often in a row. */
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

  /** The alarm has come: do what is due. Never throws. */
  async run(): Promise<void> {
    // When every call to the archive has had its time, whatever happens below.
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

  /** Do nothing any more: the room's storage is about to go. */
  async end(): Promise<void> {
    this.#ended = true
    await this.#clear()
  }

  /** Set the alarm to the earliest chore, be it later than the alarm that is set; drop it where nothing is due. */
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
