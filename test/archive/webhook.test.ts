import { describe, expect, it } from "vitest"
import { noise, patient, writeOf } from "../../src/archive/contract.ts"
import { webhookArchive } from "../../src/archive/webhook.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"
import { archiveContract } from "./contract.ts"
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
  it("posts JSON to a receiver that does not know Yjs, and to the same target again", async () => {
    const receiver = await startReceiver({ signs: "never" })
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET, format: "json" })
    const write = writeOf(noise(10, 1), 4, {
      sidecar: noise(5, 1),
      json: { text: "yurt" },
      text: "yurt",
    })
    expect(await archive.store("team/a", write, null, patient())).toBe("stored")
    expect(await archive.store("team/a", write, null, patient())).toBe("stored")
    const [first, second] = receiver.received
    expect([first!.url, second!.url]).toEqual(["/hook/team%2Fa", "/hook/team%2Fa"])
    expect(second!.headers).toMatchObject({ "x-yurt-writer": "room-a", "x-yurt-revision": "4" })
    expect(JSON.parse(first!.body.toString())).toEqual({
      id: "team/a",
      writer: "room-a",
      revision: 4,
      updatedAt: new Date(write.updatedAtMs).toISOString(),
      text: "yurt",
      json: { text: "yurt" },
    })
    await archive.remove("team/a", { writer: "room-a", revision: 5, sidecar: noise(5, 2) }, null, patient())
    expect(receiver.received.at(-1)).toMatchObject({ method: "DELETE", body: Buffer.alloc(0) })
    await receiver.close()
  })

  it("[A9] gives nothing back that was posted as JSON, and says so beforehand", async () => {
    const receiver = await startReceiver({ signs: "never" })
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET, format: "json" })
    expect(archive.keeps).toBe("readable")
    await archive.store("a", writeOf(noise(10, 1), 4), null, patient())
    await expect(archive.load("a", patient())).rejects.toThrow("gives none back")
    await expect(archive.load("never", patient())).rejects.toThrow("gives none back")
    await expect(archive.list({ cursor: null, limit: 1 }, patient())).rejects.toThrow("lists none")
    await receiver.close()
  })

  it("[A10] sends what it expects, so that the receiver can compare", async () => {
    const receiver = await startReceiver()
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET })
    const writer = "é@ 1"
    const write = writeOf(noise(10, 1), 4, { writer, sidecar: noise(3, 1) })
    await archive.store("a", write, { writer, revision: 3 }, patient())
    await archive.store("b", write, { writer: null, revision: 0 }, patient())
    expect(receiver.received[0]!.headers).toMatchObject({
      "x-yurt-writer": "%C3%A9%40%201",
      "x-yurt-expected": "%C3%A9%40%201@3",
      "x-yurt-update-bytes": "10",
    })
    expect(receiver.received[1]!.headers["x-yurt-expected"]).toBe("@0")
    expect(await archive.load("a", patient())).toMatchObject({ document: { writer, revision: 4 } })
    await receiver.close()
  })

  it("[A9] rejects when the receiver does not believe the signature", async () => {
    const receiver = await startReceiver({ secret: "another secret entirely", signs: "never" })
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET, answers: "any" })
    await expect(archive.load("a", patient())).rejects.toThrow("The archive webhook answered 401 to GET")
    await expect(archive.store("a", writeOf(noise(1, 1), 1), null, patient())).rejects.toThrow("401 to POST")
    await receiver.close()
  })

  it("[A9] does not take the 404 of somebody who did not sign it for absent", async () => {
    const receiver = await startReceiver({ signs: "never" })
    const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET })
    await expect(archive.load("a", patient())).rejects.toThrow("answered 404 to GET without a signature")
    await expect(archive.store("a", writeOf(noise(1, 1), 1), null, patient())).rejects.toThrow(
      "answered 204 to POST without a signature",
    )
    const trusting = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET, answers: "any" })
    expect(await trusting.load("never", patient())).toEqual({ kind: "absent" })
    await receiver.close()
  })

  it("[A9] never takes an answer whose signature is wrong", async () => {
    const receiver = await startReceiver({ signs: "wrongly" })
    for (const format of ["update", "json"] as const) {
      const archive = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET, format, answers: "any" })
      await expect(archive.store("a", writeOf(noise(1, 1), 1), null, patient())).rejects.toThrow(
        "answered 204 to POST with a wrong signature",
      )
    }
    await receiver.close()
  })

  it.each([
    ["http://example.com/hook", "it needs https"],
    ["http://127.0.0.1.example.com/hook", "it needs https"],
    ["ftp://localhost/hook", "it needs https"],
  ])("will not send documents in the clear to %s", (url, message) => {
    expect(() => webhookArchive({ url, secret: WEBHOOK_SECRET })).toThrow(message)
  })

  it.each(["https://example.com", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"])(
    "sends to %s",
    (url) => {
      expect(webhookArchive({ url, secret: WEBHOOK_SECRET }).name).toBe("webhook")
    },
  )

  it("will not sign with a secret that protects nothing", () => {
    expect(() => webhookArchive({ url: "http://localhost", secret: "short" })).toThrow(
      "has 5 characters: it needs 16",
    )
  })
})
