import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Archive } from "../../src/archive/archive.ts"
import { mirrorArchive } from "../../src/archive/mirror.ts"
import { webhookArchive } from "../../src/archive/webhook.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"
import { noise, patient, writeOf } from "./contract.ts"

describe("two archives at once", () => {
  let servers: Awaited<ReturnType<typeof startReceiver>>[]
  let primary: Archive
  let other: Archive
  let both: Archive

  beforeEach(async () => {
    servers = [await startReceiver(), await startReceiver()]
    ;[primary, other] = servers.map(({ url }) => webhookArchive({ url, secret: WEBHOOK_SECRET })) as [
      Archive,
      Archive,
    ]
    both = mirrorArchive(primary, { ...other, name: "other" })
  })
  afterEach(() => Promise.all(servers.map((server) => server.close())))

  it("store in both, and load and list from the first", async () => {
    await other.store("only-there", writeOf(noise(3, 1), 1), patient())
    expect(await both.store("a", writeOf(noise(5, 2), 2), patient())).toBe("stored")
    const found = { kind: "found", document: { update: noise(5, 2), revision: 2 } }
    expect(await primary.load("a", patient())).toEqual(found)
    expect(await other.load("a", patient())).toEqual(found)
    expect(await both.load("only-there", patient())).toEqual({ kind: "absent" })
    expect((await both.list({ cursor: null, limit: 10 }, patient())).documents.map(({ id }) => id)).toEqual([
      "a",
    ])
    await both.remove("a", 3, patient())
    for (const archive of [primary, other, both]) {
      expect(await archive.load("a", patient())).toEqual({ kind: "deleted", revision: 3 })
    }
  })

  it("[A3] say newer when the first holds something newer", async () => {
    await primary.store("a", writeOf(noise(5, 9), 9), patient())
    expect(await both.store("a", writeOf(noise(5, 2), 2), patient())).toBe("newer")
  })

  it("[A9] reject and name the one that failed, and the next try makes both whole", async () => {
    servers[1]!.fault("refuses")
    const write = writeOf(noise(5, 1), 1)
    await expect(both.store("a", write, patient())).rejects.toThrow(
      "other: The webhook answered 500 to POST of a",
    )
    expect((await primary.load("a", patient())).kind).toBe("found")
    servers[1]!.fault("none")
    expect(await both.store("a", write, patient())).toBe("stored")
    expect((await other.load("a", patient())).kind).toBe("found")
  })
})
