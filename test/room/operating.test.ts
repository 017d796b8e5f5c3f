/** What an operator asks of rooms: whether they work, and that they go. */
import { env } from "cloudflare:workers"
import { afterEach, describe, expect, it } from "vitest"
import { routeDocuments } from "../../src/http/routes.ts"
import { openRoom, until } from "./vocabulary.ts"
import { faults } from "./worker.ts"

afterEach(() => {
  faults.failures = 0
})

describe("[O1] /ready", () => {
  const ready = () => routeDocuments(new Request("https://yurt.example/ready"), env)

  it("[O1] is 200 where a room takes a write and the archive answers, without a token", async () => {
    const response = await ready()
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: "ok", rooms: "ok", archive: "ok" })
  })

  it("[O1] is 503 while the archive fails, with no more of it than that", async () => {
    await until(async () => {
      faults.failures = 1
      const response = await ready()
      if (response.status !== 503) return false
      expect(await response.json()).toEqual({ status: "unavailable", rooms: "ok", archive: "unavailable" })
      return true
    }, "the failure is seen")
    faults.failures = 0
    await until(async () => (await ready()).status === 200, "it is over")
  })

  it("[O1] is 503 where no room answers", async () => {
    const broken = { getByName: () => ({ ready: () => Promise.reject(new Error("disk full")) }) }
    const response = await routeDocuments(new Request("https://yurt.example/ready"), {
      Room: { ...broken, idFromName: () => ({}) },
    })
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: "unavailable", rooms: "unavailable", archive: null })
  })
})

describe("[D2] a room that is told to go", () => {
  it("[D2] has committed all it took, and sends everyone away with 1012, those it does not hear as well", async () => {
    const room = await openRoom({ peers: 2 })
    const ours = await room.join(undefined, { ours: true })
    room.type(0, "a")
    await room.reads(1, "a")
    // Inside the window that follows a commit: relayed, and not on the disk yet.
    room.type(0, "b")
    await room.reads(1, "ab")
    room.visitors[1]!.send(new Uint8Array([0, 2, 1, 255]))
    await until(() => room.visitors[1]!.refusals.length > 0, "a stock client sent what cannot be read")
    expect(await room.stub.drain()).toBeGreaterThanOrEqual(2)
    for (const who of [0, 1, ours]) expect((await room.closing(who)).code).toBe(1012)
    await room.evict()
    const reader = await room.join()
    await room.reads(reader, "ab")
  })

  it("[D2] does so where it slept", async () => {
    const room = await openRoom({ peers: 2 })
    room.type(0, "a")
    await room.saves(0)
    await room.hibernate()
    expect(await room.stub.drain()).toBe(2)
    for (const who of [0, 1]) expect((await room.closing(who)).code).toBe(1012)
  })
})
