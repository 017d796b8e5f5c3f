/**
 * The registry: a Durable Object that knows of one subject or one token id whether it was revoked, and which rooms it
 * has opened, so that a revocation closes what is open [R6]. One object more, `REGISTRY_INDEX`, keeps the list of all
 * revocations.
 *
 * Nothing stays that is of no use any more: a visit goes once the grant behind it has ended, and with the last one,
 * unless there is a revocation, the whole object.
 *
 *     visit <binding> <name>   until when, ms since 1970, and whether the room has confirmed the revocation
 *     revoked                  who, since when, and what is still to be done about it
 *     line <registry>          of the index: one revocation
 */
import { DurableObject } from "cloudflare:workers"
import { type Limits, readLimits } from "../limits.ts"
import { findRooms, type Revoked } from "../rpc.ts"
import {
  type Admission,
  type Dismissal,
  findRegistries,
  REGISTRY_INDEX,
  type RegistryEnv,
  type RegistryRpc,
  type Revocation,
  registryName,
  type Visit,
} from "./revocations.ts"

const REVOKED = "revoked"
const VISIT = "visit "
const LINE = "line "

interface StoredVisit extends Visit {
  readonly untilMs: number
  /** The room has closed what was open, after the latest revocation. */
  readonly confirmed: boolean
}

interface Mark {
  readonly who: Revoked
  readonly revokedAtMs: number
  /** The index has the line. */
  readonly listed: boolean
  /** Turns of dismissing that have failed, one after another. */
  readonly attempts: number
}

/** Keeps the revocation of one subject or token, or the list of all. Bind it as `Registry`. */
export class Registry extends DurableObject<RegistryEnv> implements RegistryRpc {
  readonly #limits: Limits = readLimits(this.env)
  /** How many visits are stored; null until somebody has counted. */
  #visits: number | null = null

  async admit(visit: (Visit & { untilMs: number }) | null): Promise<Admission> {
    const { kv } = this.ctx.storage
    if (kv.get(REVOKED) !== undefined) return "revoked"
    if (visit === null) return "admitted"
    const key = visitKey(visit)
    const known = kv.get<StoredVisit>(key)
    if (known !== undefined && known.untilMs >= visit.untilMs) return "admitted"
    if (known === undefined && !this.#hasRoom()) return "full"
    kv.put(key, { ...visit, confirmed: false } satisfies StoredVisit)
    if (known === undefined) this.#visits = (this.#visits ?? 0) + 1
    if ((await this.ctx.storage.getAlarm()) === null) await this.#sweepAt(visit.untilMs)
    return "admitted"
  }

  async revoke(who: Revoked): Promise<Dismissal> {
    const { kv } = this.ctx.storage
    const before = kv.get<Mark>(REVOKED)
    kv.put(REVOKED, {
      who,
      revokedAtMs: before?.revokedAtMs ?? Date.now(),
      listed: before?.listed ?? false,
      attempts: 0,
    } satisfies Mark)
    for (const [key, visit] of this.#storedVisits()) {
      if (visit.confirmed) kv.put(key, { ...visit, confirmed: false } satisfies StoredVisit)
    }
    return this.#dismissAll()
  }

  async restore(): Promise<boolean> {
    const { kv } = this.ctx.storage
    const mark = kv.get<Mark>(REVOKED)
    if (mark === undefined) return false
    await this.#index()?.enlist(await registryName(mark.who), null)
    kv.delete(REVOKED)
    await this.#sweep()
    return true
  }

  async enlist(key: string, revocation: Revocation | null): Promise<void> {
    const { kv } = this.ctx.storage
    if (revocation === null) kv.delete(LINE + key)
    else kv.put(LINE + key, revocation)
  }

  async list({
    cursor,
    limit,
  }: {
    cursor: string | null
    limit: number
  }): Promise<{ revocations: Revocation[]; cursor: string | null }> {
    const lines = [
      ...this.ctx.storage.kv.list<Revocation>({
        prefix: LINE,
        limit: limit + 1,
        ...(cursor === null ? {} : { startAfter: LINE + cursor }),
      }),
    ]
    const page = lines.slice(0, limit)
    const last = page.at(-1)?.[0].slice(LINE.length)
    return {
      revocations: page.map(([, revocation]) => revocation),
      cursor: lines.length > limit && last !== undefined ? last : null,
    }
  }

  override async alarm(): Promise<void> {
    // A throwing alarm is retried six times and then forgotten, so nothing here may depend on this turn's success.
    await this.ctx.storage.setAlarm(Date.now() + this.#limits.registrySweepMs)
    if (this.ctx.storage.kv.get(REVOKED) !== undefined) await this.#dismissAll()
    else await this.#sweep()
  }

  /**
   * Ask the rooms that have not confirmed the revocation yet, so many at a time; the alarm goes on with the rest, and
   * asks those again that failed.
   */
  async #dismissAll(): Promise<Dismissal> {
    const { kv } = this.ctx.storage
    const mark = kv.get<Mark>(REVOKED)
    if (mark === undefined) return { closed: 0, failed: 0 }
    this.#forgetEnded()
    const visits = this.#storedVisits()
    const open = visits.filter(([, visit]) => !visit.confirmed)
    const batch = open.slice(0, this.#limits.registryBatch)
    // Before anything is asked: should this turn be cut off, the alarm takes over.
    await this.ctx.storage.setAlarm(
      Date.now() + this.#limits.registryTimeoutMs + this.#limits.registryRetryMs,
    )
    const [listed, ...answers] = await Promise.allSettled([
      mark.listed ? null : this.#enlistSelf(mark),
      ...batch.map(([, visit]) => this.#dismissFrom(visit, mark.who)),
    ])
    // Taken back meanwhile.
    if (kv.get(REVOKED) === undefined) return { closed: 0, failed: 0 }
    let confirmed = 0
    for (const [index, answer] of answers.entries()) {
      const [key, visit] = batch[index]!
      if (answer.status === "rejected") {
        console.warn(`registry: a room of ${visit.binding} did not close its sockets`, answer.reason)
        continue
      }
      kv.put(key, { ...visit, confirmed: true } satisfies StoredVisit)
      confirmed++
    }
    const hasFailed = listed.status === "rejected" || confirmed < batch.length
    const attempts = hasFailed ? mark.attempts + 1 : 0
    kv.put(REVOKED, { ...mark, listed: listed.status === "fulfilled", attempts } satisfies Mark)
    const failed = open.length - confirmed
    if (hasFailed) {
      const { registryRetryMs, registryRetryCeilingMs } = this.#limits
      const delayMs = Math.min(registryRetryMs * 2 ** (attempts - 1), registryRetryCeilingMs)
      await this.ctx.storage.setAlarm(Date.now() + delayMs)
    } else if (failed > 0) await this.ctx.storage.setAlarm(Date.now())
    else await this.#sweep()
    return { closed: visits.length - failed, failed }
  }

  async #dismissFrom({ binding, name }: Visit, who: Revoked): Promise<void> {
    const rooms = findRooms(this.env, binding)
    // A party that is not deployed any more has no sockets.
    if (rooms === null) return
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("no answer in time")), this.#limits.registryTimeoutMs)
    })
    try {
      await Promise.race([rooms.getByName(name).dismiss(who), late])
    } finally {
      // A pending timer would keep the object awake.
      clearTimeout(timer)
    }
  }

  async #enlistSelf({ who, revokedAtMs }: Mark): Promise<void> {
    await this.#index()?.enlist(await registryName(who), { ...who, revokedAtMs })
  }

  #index(): RegistryRpc | undefined {
    return findRegistries(this.env)?.getByName(REGISTRY_INDEX)
  }

  // ---- what is stored

  #storedVisits(): [string, StoredVisit][] {
    return [...this.ctx.storage.kv.list<StoredVisit>({ prefix: VISIT })]
  }

  /** Whether one more visit can be noted. One that is not noted is one that a revocation would miss. */
  #hasRoom(): boolean {
    const { registryVisits } = this.#limits
    this.#visits ??= this.#storedVisits().length
    if (this.#visits >= registryVisits) this.#forgetEnded()
    return this.#visits < registryVisits
  }

  #forgetEnded(): void {
    const now = Date.now()
    let left = 0
    for (const [key, { untilMs }] of this.#storedVisits()) {
      if (untilMs <= now) this.ctx.storage.kv.delete(key)
      else left++
    }
    this.#visits = left
  }

  /** Forget what has ended, and everything where that was all; otherwise come back when more has. */
  async #sweep(): Promise<void> {
    const { storage } = this.ctx
    this.#forgetEnded()
    const ends = this.#storedVisits().map(([, { untilMs }]) => untilMs)
    if (ends.length > 0) return this.#sweepAt(Math.min(...ends))
    await storage.deleteAlarm()
    const isEmpty = storage.kv.list({ limit: 1 })[Symbol.iterator]().next().done === true
    if (isEmpty) await storage.deleteAll()
  }

  /** Not before the visit has ended, and not more often than a sweep is worth. */
  async #sweepAt(untilMs: number): Promise<void> {
    const soonestMs = Date.now() + this.#limits.registrySweepMs
    // An alarm beyond all dates is refused by the platform; a grant without an end is looked at once a year.
    const latestMs = Date.now() + 365 * 24 * 3_600_000
    await this.ctx.storage.setAlarm(Math.min(Math.max(untilMs, soonestMs), latestMs))
  }
}

function visitKey({ binding, name }: Visit): string {
  return `${VISIT}${binding} ${name}`
}
