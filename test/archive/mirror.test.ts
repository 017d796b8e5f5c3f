import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Archive, ArchiveWrite } from "../../src/archive/archive.ts"
import { markOf, noise, patient, writeOf } from "../../src/archive/contract.ts"
import { mirrorArchive } from "../../src/archive/mirror.ts"
import { webhookArchive } from "../../src/archive/webhook.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"

describe("two archives at once", () => {
  let servers: Awaited<ReturnType<typeof startReceiver>>[]
  let primary: Archive
  let other: Archive
  let both: Archive

  beforeEach(async () => {
    servers = [await startReceiver(), await startReceiver()]
    const [first, second] = servers.map(({ url }) => webhookArchive({ url, secret: WEBHOOK_SECRET }))
    primary = first!
    other = second!
    both = mirrorArchive(primary, { ...other, name: "other" })
  })
  afterEach(() => Promise.all(servers.map((server) => server.close())))

  const found = ({ update, sidecar, writer, revision }: ArchiveWrite) => ({
    kind: "found",
    document: { update, sidecar, writer, revision },
  })
  const write = (revision: number, writer = "room-a") => writeOf(noise(revision, 1), revision, { writer })

  it("store in both, and load and list from the first", async () => {
    await other.store("only-there", write(1), null, patient())
    const document = writeOf(noise(5, 2), 2, { sidecar: noise(3, 3) })
    expect(await both.store("a", document, null, patient())).toBe("stored")
    expect(await primary.load("a", patient())).toEqual(found(document))
    expect(await other.load("a", patient())).toEqual(found(document))
    expect(await both.load("only-there", patient())).toEqual({ kind: "absent" })
    expect((await both.list({ cursor: null, limit: 10 }, patient())).documents.map(({ id }) => id)).toEqual([
      "a",
    ])
    const mark = markOf(3, { sidecar: noise(4, 4) })
    await both.remove("a", mark, null, patient())
    for (const archive of [primary, other, both]) {
      const version = { writer: "room-a", revision: 3 }
      expect(await archive.load("a", patient())).toEqual({ kind: "deleted", version, sidecar: mark.sidecar })
    }
  })

  it("[A10] leave the other alone where the first says conflict", async () => {
    await primary.store("a", write(9), null, patient())
    expect(await both.store("a", write(20, "room-b"), null, patient())).toBe("conflict")
    expect(await both.remove("a", markOf(20, { writer: "room-b" }), null, patient())).toBe("conflict")
    expect(await other.load("a", patient())).toEqual({ kind: "absent" })
  })

  it("[A10] bring along another that missed a handover, or two, or a deletion", async () => {
    for (const missed of ["one", "two", "deletion"]) {
      await both.store(missed, write(1), null, patient())
      await primary.store(missed, write(4), null, patient())
      let before: ArchiveWrite = write(4)
      if (missed === "two") {
        await primary.store(missed, write(6, "room-b"), before, patient())
        before = write(6, "room-b")
      }
      if (missed === "deletion") await primary.remove(missed, markOf(4), null, patient())
      expect(await both.store(missed, write(8, "room-c"), before, patient())).toBe("stored")
      expect(await other.load(missed, patient())).toEqual(found(write(8, "room-c")))
    }
  })

  it("[A10] replace an ancestor in the other whose count was higher", async () => {
    await both.store("a", write(7), null, patient())
    await primary.store("a", write(9), null, patient())
    expect(await both.store("a", write(2, "room-b"), write(9), patient())).toBe("stored")
    expect(await other.load("a", patient())).toEqual(found(write(2, "room-b")))
  })

  it("[A10] keep and name what only the other has: the first was restored from an older copy", async () => {
    await both.store("a", write(3), null, patient())
    await other.store("a", write(9), null, patient())
    await expect(both.store("a", write(4, "room-b"), write(3), patient())).rejects.toThrow(
      /has it; other: it holds what the first archive does not have/,
    )
    expect(await other.load("a", patient())).toEqual(found(write(9)))
    expect(await primary.load("a", patient())).toEqual(found(write(4, "room-b")))
  })

  it("[A10] keep what somebody put into the other by hand", async () => {
    const byHand = writeOf(noise(5, 5), 0, { writer: null })
    await other.store("a", byHand, null, patient())
    await expect(both.store("a", write(4), null, patient())).rejects.toThrow("it holds what the first")
    expect(await other.load("a", patient())).toEqual(found(byHand))
  })

  it("[A10] let a late write rest where a later one has come to both", async () => {
    await both.store("a", write(1), null, patient())
    // It was taken by the first, and reaches the other after the write that followed it.
    const late: Archive = {
      ...primary,
      store: async () => {
        await both.store("a", write(5, "room-b"), write(1), patient())
        return "stored"
      },
    }
    expect(await mirrorArchive(late, other).store("a", write(2), null, patient())).toBe("stored")
    expect(await other.load("a", patient())).toEqual(found(write(5, "room-b")))
  })

  it("[A9] reject and name the one that failed, and the next try makes both whole", async () => {
    servers[1]!.fault("refuses")
    await expect(both.store("a", write(1), null, patient())).rejects.toThrow(
      "webhook has it; other: The archive webhook answered 500 to POST",
    )
    expect((await primary.load("a", patient())).kind).toBe("found")
    servers[1]!.fault("none")
    expect(await both.store("a", write(1), null, patient())).toBe("stored")
    expect((await other.load("a", patient())).kind).toBe("found")
  })

  it("[A7] delete in the first although another fails, and in both once it is back", async () => {
    await both.store("a", write(1), null, patient())
    servers[1]!.fault("refuses")
    await expect(both.remove("a", markOf(2), null, patient())).rejects.toThrow("webhook has it; other:")
    expect((await both.load("a", patient())).kind).toBe("deleted")
    servers[1]!.fault("none")
    expect(await both.remove("a", markOf(2), null, patient())).toBe("stored")
    expect((await other.load("a", patient())).kind).toBe("deleted")
  })

  it("[A10] name an other that refuses and cannot be read", async () => {
    const { url } = servers[1]!
    const readable = webhookArchive({ url, secret: WEBHOOK_SECRET, format: "json" })
    await readable.store("a", write(9, "room-z"), null, patient())
    const pair = mirrorArchive(primary, readable)
    await expect(pair.store("a", write(4), null, patient())).rejects.toThrow(
      "webhook has it; webhook: it refuses this, and cannot be read",
    )
  })

  it("say that they keep only what is readable when the first does", async () => {
    const { url } = servers[0]!
    const readable = webhookArchive({ url, secret: WEBHOOK_SECRET, format: "json" })
    expect(mirrorArchive(readable, other).keeps).toBe("readable")
    expect(mirrorArchive(other, readable).keeps).toBeUndefined()
  })
})
