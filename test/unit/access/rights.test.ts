import { describe, expect, it } from "vitest"
import { covers } from "../../../src/access/rights.ts"
import { verifyToken } from "../../../src/access/token.ts"
import { bring, KEYED, nowS, sign } from "./vocabulary.ts"

const read = (id: string) => ({ id, rights: "read" }) as const
const write = (id: string) => ({ id, rights: "write" }) as const

describe("[R2] the rights of a token", () => {
  it.each<[string, string, boolean]>([
    ["notes", "notes", true],
    ["notes", "notes2", false],
    ["notes", "note", false],
    ["notes", "Notes", false],
    ["notes", "notes/a", false],
    ["acme/*", "acme/a", true],
    ["acme/*", "acme/a/b", true],
    ["acme/*", "acme", false],
    ["acme/*", "acme2/a", false],
    ["acme/*", "x/acme/a", false],
    ["note*", "notes", true],
    ["*", "any/thing", true],
    ["*/a", "x/a", false],
    ["a*c", "abc", false],
    ["a.c", "abc", false],
    ["", "notes", false],
    ["**", "notes", false],
  ])("[R2] for %j and the document %j: covered is %j", async (pattern, id, covered) => {
    const answer = await bring(await sign({ docs: [write(pattern)] }), write(id))
    expect(answer).toMatchObject(
      covered ? { rights: "write" } : { code: "forbidden", status: 403, closeCode: 4403 },
    )
  })

  it("[R2] are the strongest of all entries that match, in any order", async () => {
    for (const docs of [
      [read("acme/*"), write("acme/a")],
      [write("acme/a"), read("acme/*")],
    ]) {
      expect(await bring(await sign({ docs }), read("acme/a"))).toMatchObject({ rights: "write" })
      expect(await bring(await sign({ docs }), read("acme/b"))).toMatchObject({ rights: "read" })
      expect(await bring(await sign({ docs }), write("acme/b"))).toMatchObject({ code: "forbidden" })
    }
  })

  it("[R2] to read are none to write, and the refusal says so", async () => {
    const refusal = await bring(await sign({ docs: [read("notes")] }), write("notes"))
    expect(refusal).toMatchObject({
      code: "forbidden",
      message: "The token may read the document notes, but not write it.",
    })
  })

  it("[H5] show the past from the earliest time that an entry says, and never from before the token's", async () => {
    const since = async (claims: Record<string, unknown>) => {
      const granted = await bring(await sign(claims), read("notes"))
      return "historySinceMs" in granted ? granted.historySinceMs : null
    }
    expect(await since({ docs: [read("notes")] })).toBe(null)
    expect(await since({ docs: [{ ...read("notes"), historySince: 20 }] })).toBe(20_000)
    expect(
      await since({
        docs: [
          { ...read("notes"), historySince: 20 },
          { ...read("*"), historySince: 10 },
        ],
      }),
    ).toBe(10_000)
    expect(await since({ docs: [{ ...read("notes"), historySince: 20 }, read("*")] })).toBe(null)
    expect(await since({ historySince: 15, docs: [{ ...read("notes"), historySince: 10 }] })).toBe(15_000)
  })

  it("[H5] let nobody take back others' work unless an entry that may write says so", async () => {
    const docs = [{ ...write("notes"), rollback: "any" }, write("*")]
    expect(await bring(await sign({ docs }), write("notes"))).toMatchObject({ rollback: "any" })
    expect(await bring(await sign({ docs }), write("other"))).not.toHaveProperty("rollback")
  })

  it("[R2] hold for nothing when it names no documents", async () => {
    expect(await bring(await sign({}), read("notes"))).toMatchObject({ code: "forbidden" })
    expect(await bring(await sign({ docs: [] }), read("notes"))).toMatchObject({ code: "forbidden" })
  })

  it.each([
    [[write("notes")], true],
    [[read("notes")], false],
    [[{ ...read("notes"), presence: true }], true],
    [[{ ...write("notes"), presence: false }], false],
    [[read("notes"), { ...read("*"), presence: true }], true],
  ])("[P1] %j may show a cursor: %j", async (docs, presence) => {
    expect(await bring(await sign({ docs }), read("notes"))).toMatchObject({ presence })
  })

  it("[R2] of an admin are to administer, not to read or write", async () => {
    const admin = await sign({ admin: true })
    expect(await bring(admin, { id: null, rights: "admin" })).toMatchObject({
      admin: true,
      rights: "read",
      presence: false,
    })
    expect(await bring(admin, { id: "notes", rights: "admin" })).toMatchObject({ admin: true })
    expect(await bring(admin, read("notes"))).toMatchObject({ code: "forbidden" })
    expect(await bring(admin, write("notes"))).toMatchObject({ code: "forbidden" })
  })

  it("[R2] to every document are no right to administer, nor is admin: false", async () => {
    for (const claims of [{ docs: [write("*")] }, { docs: [write("*")], admin: false }]) {
      for (const id of [null, "notes"]) {
        expect(await bring(await sign(claims), { id, rights: "admin" })).toMatchObject({ code: "forbidden" })
      }
    }
  })

  it("[R2] reach no request that is about no document", async () => {
    expect(await bring(await sign({ docs: [write("*")] }), { id: null, rights: "read" })).toMatchObject({
      code: "forbidden",
    })
  })

  it("[R2] can be renewed with a bare token for the same document", async () => {
    const exp = nowS() + 600
    const token = await sign({ docs: [read("notes")], exp })
    expect(await verifyToken(token, "notes", KEYED)).toMatchObject({
      subject: "ada",
      rights: "read",
      expiresAtMs: exp * 1000,
    })
    await expect(verifyToken(token, "other", KEYED)).rejects.toMatchObject({ code: "forbidden" })
    await expect(verifyToken(`${token}x`, "notes", KEYED)).rejects.toMatchObject({ code: "unauthorized" })
  })
})

describe("[R2] a pattern stays in its party", () => {
  it.each([
    ["*", "notes", true],
    ["*", "/counter/notes", false],
    ["notes", "/counter/notes", false],
    ["/counter/*", "/counter/notes", true],
    ["/counter/no*", "/counter/notes", true],
    ["/counter/notes", "/counter/notes", true],
    ["/counter/*", "/counter-2/notes", false],
    ["/counter/*", "counter/notes", false],
    ["/counter*", "/counter/notes", false],
    ["/*", "/counter/notes", false],
    ["/*", "notes", false],
  ])("[R2] %s covers %s: %j", (pattern, name, expected) => {
    expect(covers(pattern, name)).toBe(expected)
  })

  it("[R2] a name typed in another normal form is the same name", async () => {
    const docs = [write("cafe\u0301/*")]
    expect(await bring(await sign({ docs }), write("caf\u00e9/a"))).toMatchObject({ rights: "write" })
  })
})

describe("[R2] the roots a writer may change", () => {
  it.each<[string, object[], readonly string[] | undefined]>([
    ["all where the token names none", [write("notes")], undefined],
    ["those that the token names", [{ ...write("notes"), roots: ["comments", ""] }], ["comments", ""]],
    ["none where it names an empty list", [{ ...write("notes"), roots: [] }], []],
    [
      "those of several entries together",
      [
        { ...write("notes"), roots: ["a"] },
        { ...write("no*"), roots: ["b", "a"] },
      ],
      ["a", "b"],
    ],
    ["all where one entry names none", [{ ...write("notes"), roots: ["a"] }, write("*")], undefined],
    [
      "those of the writing entry beside a reading one",
      [{ ...write("notes"), roots: ["a"] }, read("*")],
      ["a"],
    ],
    ["those of entries that cover it", [{ ...write("notes"), roots: ["a"] }, write("other")], ["a"]],
  ])("[R2] are %s", async (_, docs, roots) => {
    const grant = await bring(await sign({ docs }), write("notes"))
    expect(grant).toMatchObject({ rights: "write" })
    expect("roots" in grant ? grant.roots : undefined).toEqual(roots)
  })

  it("[R2] are no matter for a reader", async () => {
    const grant = await bring(await sign({ docs: [read("notes")] }), read("notes"))
    expect(grant).not.toHaveProperty("roots")
  })
})
