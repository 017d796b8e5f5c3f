import { describe, expect, it } from "vitest"
import { webhookArchive } from "../../src/archive/webhook.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"
import { archiveContract, noise, patient, writeOf } from "./contract.ts"
import { openDesk } from "./desk.ts"

archiveContract("webhook", async () => {
  const receiver = await startReceiver()
  const desk = await openDesk({ name: "webhook", vars: { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET } })
  return {
    archive: desk.archive,
    fault: async (kind) => receiver.fault(kind),
    async close() {
      await desk.close()
      await receiver.close()
    },
  }
})

describe("the webhook", () => {
  it("posts JSON to a receiver that does not know Yjs, with a key to recognise a repeat by", async () => {
    const receiver = await startReceiver()
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET, format: "json" })
    const write = writeOf(noise(10, 1), 4, { json: { text: "yurt" }, text: "yurt" })
    expect(await archive.store("team/a", write, patient())).toBe("stored")
    expect(await archive.store("team/a", write, patient())).toBe("stored")
    const [first, second] = receiver.received
    expect(first!.headers["idempotency-key"]).toBe("team/a@4")
    expect(second!.headers["idempotency-key"]).toBe("team/a@4")
    expect(JSON.parse(first!.body.toString())).toEqual({
      id: "team/a",
      revision: 4,
      updatedAt: new Date(write.updatedAtMs).toISOString(),
      text: "yurt",
      json: { text: "yurt" },
    })
    await receiver.close()
  })

  it("[A9] rejects when the receiver does not believe the signature", async () => {
    const receiver = await startReceiver({ secret: "another secret entirely" })
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET })
    await expect(archive.load("a", patient())).rejects.toThrow("The webhook answered 401 to GET of a")
    await expect(archive.store("a", writeOf(noise(1, 1), 1), patient())).rejects.toThrow("401")
    await receiver.close()
  })

  it("will not sign with a secret that protects nothing", () => {
    expect(() => webhookArchive({ url: "http://localhost", secret: "short" })).toThrow(
      "has 5 characters: it needs 16",
    )
  })
})
