import { describe, expect, it } from "vitest"
import { limited } from "../../../src/archive/abortable.ts"
import type { Archive } from "../../../src/archive/archive.ts"
import { markOf, noise, patient, writeOf } from "../../../src/archive/contract.ts"
import { SyncError } from "../../../src/errors.ts"

/** An archive all of whose calls do this. */
function archiveThat(call: (signal: AbortSignal) => Promise<never>): Archive {
  return {
    name: "mine",
    keeps: "readable",
    load: (_, signal) => call(signal),
    store: (_, _document, _expected, signal) => call(signal),
    remove: (_, _mark, _expected, signal) => call(signal),
    list: (_, signal) => call(signal),
  }
}

/** Every call that an archive has. */
const callsOf = (archive: Archive, signal: AbortSignal) => [
  () => archive.load("a", signal),
  () => archive.store("a", writeOf(noise(1, 1), 1), null, signal),
  () => archive.remove("a", markOf(1), null, signal),
  () => archive.list({ cursor: null, limit: 1 }, signal),
]

describe("an archive within limits", () => {
  it("[A5] ends each call after its time, also where the adapter does not honour its signal", async () => {
    const archive = limited(
      archiveThat(() => new Promise(() => {})),
      20,
    )
    for (const call of callsOf(archive, patient())) {
      await expect(call()).rejects.toMatchObject({
        code: "archive-unavailable",
        message: "The archive mine did not answer within 20 ms",
      })
    }
  })

  it("[A5] tells the adapter that the time is over", async () => {
    const told: unknown[] = []
    const archive = limited(
      archiveThat((signal) => {
        signal.addEventListener("abort", () => told.push(signal.reason))
        return new Promise(() => {})
      }),
      20,
    )
    for (const call of callsOf(archive, patient())) await expect(call()).rejects.toThrow()
    expect(told).toHaveLength(4)
  })

  it("[A5] ends each call with the signal it was given", async () => {
    const archive = limited(
      archiveThat(() => new Promise(() => {})),
      60_000,
    )
    const stop = new AbortController()
    const ended = callsOf(archive, stop.signal).map((call) =>
      expect(call()).rejects.toThrow("out of patience"),
    )
    stop.abort(new Error("out of patience"))
    await Promise.all(ended)
  })

  it("[A9] keeps what a driver says as the cause, and shows the archive's name", async () => {
    const driver = new Error("password authentication failed for user admin at 10.0.0.3")
    for (const call of callsOf(
      limited(
        archiveThat(() => Promise.reject(driver)),
        1000,
      ),
      patient(),
    )) {
      const failure = await call().catch((error: unknown) => error)
      expect(failure).toMatchObject({
        code: "archive-unavailable",
        message: "The archive mine failed",
        cause: driver,
      })
    }
  })

  it("[A9] passes on an error that an adapter made to be shown", async () => {
    const shown = new SyncError("archive-unavailable", "Run the migration")
    for (const call of callsOf(
      limited(
        archiveThat(() => Promise.reject(shown)),
        1000,
      ),
      patient(),
    )) {
      await expect(call()).rejects.toBe(shown)
    }
  })

  it("keeps saying what the archive keeps", () => {
    expect(
      limited(
        archiveThat(() => new Promise(() => {})),
        1,
      ),
    ).toMatchObject({
      name: "mine",
      keeps: "readable",
    })
  })
})
