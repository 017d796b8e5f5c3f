import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"
import { type ArchiveDesk, openDesk } from "./desk.ts"

describe("the choice of an archive", () => {
  let desk: ArchiveDesk
  beforeAll(async () => {
    desk = await openDesk({ name: "any", bindings: ["d1", "r2"] })
  }, 60_000)
  afterAll(() => desk?.close())

  const url = "postgres://localhost/yurt"
  const hook = { WEBHOOK_URL: "https://example.com/hook", WEBHOOK_SECRET }
  const onlyD1 = { BUCKET: null }

  it.each([
    ["D1 when nothing else is bound", onlyD1, "d1"],
    ["R2 before D1", {}, "r2"],
    ["a webhook before D1", { ...onlyD1, ...hook }, "webhook"],
    ["Postgres by Hyperdrive before all", { ...hook, POSTGRES: { connectionString: url } }, "postgres"],
    ["Postgres by URL before all", { ...hook, POSTGRES_URL: url }, "postgres"],
    ["the one that ARCHIVE names", { ...hook, POSTGRES_URL: url, ARCHIVE: "d1" }, "d1"],
    ["two at once, in that order", { POSTGRES_URL: url, ARCHIVE: "postgres+r2" }, "postgres+r2"],
    ["three at once, with spaces", { ...hook, ARCHIVE: "d1 + r2 + webhook" }, "d1+r2+webhook"],
    ["none when none is bound", { BUCKET: null, DB: null }, null],
    ["none when none is wanted", { ARCHIVE: "none" }, null],
  ])("is %s", async (_, vars, name) => {
    expect(await desk.choose(vars)).toBe(name)
  })

  it.each([
    [{ ARCHIVE: "mongo" }, 'names "mongo": allowed are postgres, r2, webhook, d1'],
    [{ ARCHIVE: "d1+" }, 'names ""'],
    [{ ARCHIVE: "postgres" }, "needs a Hyperdrive binding POSTGRES or a variable POSTGRES_URL"],
    [{ ARCHIVE: "d1+webhook" }, "needs a variable WEBHOOK_URL"],
    [{ ARCHIVE: "r2", BUCKET: null }, "needs an R2 binding BUCKET"],
    [{ WEBHOOK_URL: "https://example.com", BUCKET: null }, "WEBHOOK_SECRET to sign with is not"],
  ])("says what is wrong with %j", async (vars, message) => {
    await expect(desk.choose(vars)).rejects.toThrow(message)
  })
})
