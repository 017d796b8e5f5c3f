/// <reference types="@cloudflare/workers-types" />
/** The outbox and time: when it comes again, and that many rooms do not come back together. */
import * as prng from "lib0/prng"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { LIMITS } from "../../../src/limits.ts"
import type { Log } from "../../../src/room/log.ts"
import { Outbox } from "../../../src/room/outbox.ts"

const seed = Date.now() % 1_000_000_000
const START = Date.UTC(2026, 10, 22)

beforeEach(() => {
  vi.useFakeTimers({ now: START })
  vi.spyOn(console, "warn").mockImplementation(() => {})
  const random = prng.create(seed)
  vi.spyOn(Math, "random").mockImplementation(() => prng.real53(random))
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** A database that is away until it comes back, and counts who asks. */
class Database {
  away = true
  /** When each call came, ms. */
  readonly calls: number[] = []

  /** What a flush of this room comes to, as the archivist notes it. */
  flush(outbox: Outbox, revision = 1): void {
    this.calls.push(Date.now())
    if (this.away) outbox.failed("The archive database failed")
    else outbox.confirmed({ writer: "room", revision }, revision)
  }
}

/** The part of a room's log that an outbox looks at. */
class Notes {
  exists = true
  state = { revision: 1 }
  readonly #notes = new Map<string, unknown>()
  note(key: string, value: unknown): void {
    this.#notes.set(key, value)
  }
  noted(key: string): unknown {
    return this.#notes.get(key) ?? null
  }
}

function openOutbox(notes = new Notes(), archive = "d1"): Outbox {
  // reason: of a log an outbox uses these four members, and 10,000 databases would be another test.
  return new Outbox(notes as unknown as Log, { limits: LIMITS, archive })
}

/** The most that fell into one second. */
function peakPerSecond(timesMs: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const time of timesMs)
    counts.set(Math.floor(time / 1000), (counts.get(Math.floor(time / 1000)) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}

it(`[A2] waits twice as long after each failure, to a ceiling, and half of it at random (seed ${seed})`, () => {
  const outbox = openOutbox()
  for (let attempts = 1; attempts <= 2_000; attempts++) {
    const fullMs = Math.min(LIMITS.retryMs * 2 ** (attempts - 1), LIMITS.retryCeilingMs)
    const waitMs = outbox.backoffMs(attempts)
    expect(waitMs).toBeGreaterThanOrEqual(fullMs / 2)
    expect(waitMs).toBeLessThanOrEqual(fullMs)
  }
})

it("[A10] knows which archive has what: another one has nothing, and gets the document at once", () => {
  const notes = new Notes()
  openOutbox(notes).confirmed({ writer: "room", revision: 1 }, 1)
  expect(openOutbox(notes).dirty).toBe(false)
  const moved = openOutbox(notes, "postgres")
  expect(moved.ledger).toMatchObject({ archive: "postgres", held: null, archivedRevision: null })
  expect(moved.dueAtMs).toBeLessThanOrEqual(Date.now())
  moved.confirmed({ writer: "room", revision: 1 }, 1)
  expect(openOutbox(notes, "postgres").dirty).toBe(false)
})

it("[A10] takes a ledger from before archives were named to be about the one that is there", () => {
  const notes = new Notes()
  notes.note("archive", JSON.stringify({ held: { writer: "room", revision: 1 }, archivedRevision: 1 }))
  expect(openOutbox(notes).dirty).toBe(false)
})

it("[A1] sets when a flush is due at the first edit, and later edits do not put it off", () => {
  const ledger = new Notes()
  const outbox = openOutbox(ledger)
  outbox.touch()
  expect(outbox.dueAtMs).toBe(START + LIMITS.flushMs)
  vi.setSystemTime(START + 20_000)
  ledger.state = { revision: 2 }
  outbox.touch()
  expect(outbox.dueAtMs).toBe(START + LIMITS.flushMs)
})

it("[A2] goes on with its backoff where it was, after a kill and however often people leave", () => {
  const ledger = new Notes()
  const database = new Database()
  const outbox = openOutbox(ledger)
  outbox.touch()
  for (let attempt = 0; attempt < 6; attempt++) database.flush(outbox)
  const { dueAtMs } = outbox
  const woken = openOutbox(ledger)
  woken.hurry()
  woken.touch()
  expect(woken.dueAtMs).toBe(dueAtMs)
  expect(woken.ledger).toMatchObject({ attempts: 6, error: "The archive database failed" })
})

it("[A4] stays dirty when an edit arrives while a flush is under way", () => {
  const ledger = new Notes()
  const database = new Database()
  database.away = false
  const outbox = openOutbox(ledger)
  outbox.touch()
  ledger.state = { revision: 2 }
  database.flush(outbox, 1)
  expect(outbox.dirty).toBe(true)
  expect(outbox.dueAtMs).toBe(START + LIMITS.flushMs)
})

it(`[A2] brings 10,000 rooms back after an outage without a stampede (seed ${seed})`, {
  timeout: 60_000,
}, () => {
  const OUTAGE_MS = 15 * 60_000
  const database = new Database()
  const rooms = Array.from({ length: 10_000 }, () => openOutbox())
  // The worst case: all of them become due in the same moment.
  for (const room of rooms) room.touch()
  const due = new Map<number, Outbox[]>()
  const arm = (room: Outbox) => {
    const at = Math.ceil(room.dueAtMs! / 100) * 100
    const others = due.get(at)
    if (others === undefined) due.set(at, [room])
    else others.push(room)
  }
  for (const room of rooms) arm(room)
  const backAt = START + OUTAGE_MS
  let lastAt = START
  // Alarms come in steps of 100 ms.
  for (let now = START; due.size > 0; now += 100) {
    const armed = due.get(now)
    if (armed === undefined) continue
    due.delete(now)
    vi.setSystemTime(now)
    database.away = now < backAt
    for (const room of armed) database.flush(room)
    for (const room of armed) if (room.dueAtMs !== null) arm(room)
    lastAt = now
  }
  expect(rooms.every((room) => !room.dirty)).toBe(true)
  const after = database.calls.filter((time) => time >= backAt)
  expect(after).toHaveLength(rooms.length)
  const peak = peakPerSecond(after)
  const tookS = Math.round((lastAt - backAt) / 1000)
  const during = peakPerSecond(database.calls.filter((time) => time > START + 8 * 60_000 && time < backAt))
  console.log(
    `10,000 rooms after ${OUTAGE_MS / 60_000} min: at most ${peak} calls a second when the database is back (${during} while it is away), all flushed after ${tookS} s`,
  )
  // Without jitter all 10,000 would come in one second. Evenly spread over the ceiling it would be 33.
  expect(peak).toBeLessThan(150)
  expect(lastAt - backAt).toBeLessThanOrEqual(LIMITS.retryCeilingMs)
})
