/** The meter: what of a room is billed, counted where it happens. */
import { LIMITS } from "../limits.ts"
import type { Used } from "./prices.ts"

/** Nothing. */
export const UNUSED: Used = { messages: 0, requests: 0, alarms: 0, rowsRead: 0, rowsWritten: 0, awakeMs: 0 }

/** A storage is metered once, however often its room is made anew. */
const METERS = new WeakMap<object, Meter>()

/** Counts for one room. */
export class Meter {
  #used: { -readonly [Name in keyof Used]: Used[Name] } = { ...UNUSED }
  readonly #tailMs: number
  /** Until when the room is awake for what has happened so far, ms since 1970. */
  #awakeUntilMs = 0

  private constructor(tailMs: number) {
    this.#tailMs = tailMs
  }

  /** The meter of a storage, whose rows it counts from now on. */
  static of(storage: DurableObjectStorage, tailMs: number = LIMITS.awakeTailMs): Meter {
    const known = METERS.get(storage)
    if (known !== undefined) return known
    const meter = new Meter(tailMs)
    METERS.set(storage, meter)
    const exec = storage.sql.exec.bind(storage.sql)
    Object.defineProperty(storage.sql, "exec", {
      configurable: true,
      value: (query: string, ...bindings: unknown[]) => {
        const cursor = exec(query, ...bindings)
        // Its counts are final when it has been read to the end, which callers do within the turn.
        queueMicrotask(() => meter.#rows(cursor))
        return cursor
      },
    })
    const setAlarm = storage.setAlarm.bind(storage)
    Object.defineProperty(storage, "setAlarm", {
      configurable: true,
      value: (...call: Parameters<typeof setAlarm>) => {
        meter.#used.rowsWritten++
        return setAlarm(...call)
      },
    })
    return meter
  }

  /** Something came in. */
  count(what: "messages" | "requests" | "alarms"): void {
    this.#used[what]++
    const now = Date.now()
    const from = Math.max(now, this.#awakeUntilMs)
    this.#awakeUntilMs = now + this.#tailMs
    this.#used.awakeMs += Math.max(0, this.#awakeUntilMs - from)
  }

  /** What was counted since the last call. */
  take(): Used {
    const used = this.#used
    this.#used = { ...UNUSED }
    return used
  }

  #rows({ rowsRead, rowsWritten }: { rowsRead: number; rowsWritten: number }): void {
    this.#used.rowsRead += rowsRead
    this.#used.rowsWritten += rowsWritten
  }
}

/** The sum of both. */
export function addUsed(one: Used, other: Used): Used {
  const sum: Record<keyof Used, number> = { ...one }
  for (const name of Object.keys(UNUSED) as (keyof Used)[]) sum[name] += other[name]
  return sum
}
