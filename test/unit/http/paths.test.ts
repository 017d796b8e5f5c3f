import { describe, expect, it } from "vitest"
import { findPlace, kebabCase } from "../../../src/http/parties.ts"
import { parseId, parsePath } from "../../../src/http/paths.ts"

describe("an id", () => {
  it.each([
    ["notes", "notes"],
    ["team%2Fa", "team/a"],
    ["team/a", "team/a"],
    ["a.b_c~d:e-f/g", "a.b_c~d:e-f/g"],
    ["...", "..."],
    ["user@example.com", "user@example.com"],
    ["M%C3%BCller/Angebot%203", "Müller/Angebot 3"],
    ["YWJj==", "YWJj=="],
    ["a+b", "a+b"],
    ["100%25", "100%"],
    ["a%252Fb", "a%2Fb"],
    ["%E6%97%A5%E6%9C%AC%E8%AA%9E", "日本語"],
    ["%F0%9F%8E%89", "🎉"],
    ["a*b", "a*b"],
    ["a-/-b/--", "a-/-b/--"],
    ["x".repeat(256), "x".repeat(256)],
    ["%C3%A9".repeat(128), "é".repeat(128)],
  ])("%s is taken as %s", (encoded, id) => expect(parseId(encoded, 256)).toBe(id))

  it("of a Mac, where é is two characters, is the same as everybody's", () => {
    expect(parseId(encodeURIComponent("cafe\u0301"), 256)).toBe("caf\u00e9")
    expect(parseId(encodeURIComponent("cafe\u0301".repeat(51)), 256)).toBe("caf\u00e9".repeat(51))
  })

  it.each([
    ["", "nothing"],
    [".", "a dot segment"],
    ["..%2Fadmin", "a parent behind an encoded slash"],
    ["a/%2e%2e/b", "an encoded parent"],
    ["a//b", "an empty segment"],
    ["/a", "a leading slash"],
    ["%2Fcounter%2Fa", "a name of another party"],
    ["a/", "a trailing slash"],
    ["-", "the name of the index room"],
    ["a/-", "a dash for a segment"],
    ["a%2F%2D%2Fstatus", "a resource behind encoded slashes"],
    ["a%zz", "a broken percent sign"],
    ["%ff%fe", "bytes that are no UTF-8"],
    ["a%00", "a NUL"],
    ["a%0Ab", "a line break"],
    ["a%7F", "a DEL"],
    ["a%C2%85b", "a control character of Latin-1"],
    ["a%E2%80%A8b", "a line separator"],
    ["a%5Cb", "a backslash"],
    ["%20a", "a space before"],
    ["a%20", "a space behind"],
    ["a%C2%A0", "a space that does not break, behind"],
    ["*", "a pattern of a token"],
    ["a*", "a pattern of a token with something before it"],
    ["x".repeat(257), "257 bytes"],
    ["%C3%A9".repeat(129), "129 characters of two bytes"],
  ])("%s is refused: %s", (encoded) => {
    expect(() => parseId(encoded, 256)).toThrow(expect.objectContaining({ code: "bad-id" }))
  })

  it("that is refused is told the grammar", () => {
    expect(() => parseId("a%0Ab", 256)).toThrow(
      'The id "a\\nb" is not one: an id is 1 to 256 bytes of UTF-8 after one percent-decode',
    )
  })
})

describe("a path", () => {
  const parse = (path: string) => parsePath(new URL(path, "http://localhost").pathname)
  const about = (path: string, id: string, party: string | null = null) => ({ path, party, id })

  it.each([
    ["/docs/a", about("/docs/{id}", "a")],
    ["/docs/team/a", about("/docs/{id}", "team/a")],
    ["/docs/team%2Fa?x=1", about("/docs/{id}", "team%2Fa")],
    ["/docs/team/status", about("/docs/{id}", "team/status")],
    ["/docs/team/a/-/status", about("/docs/{id}/-/status", "team/a")],
    ["/docs/team%2Fa/-/status", about("/docs/{id}/-/status", "team%2Fa")],
    ["/docs/a/-/versions", about("/docs/{id}/-/versions", "a")],
    ["/docs/a/-/versions/v_3", { ...about("/docs/{id}/-/versions/{v}", "a"), item: "v_3" }],
    ["/docs/a/-/versions/v_3/restore", { ...about("/docs/{id}/-/versions/{v}/restore", "a"), item: "v_3" }],
    ["/docs/a/-/versions/v_3/other", about("/docs/{id}/-/versions/v_3/other", "a")],
    ["/docs/-/status", about("/docs/{id}", "-/status")],
    ["/parties/counter/a/b", about("/docs/{id}", "a/b", "counter")],
    ["/parties/counter/a/b/-/flush", about("/docs/{id}/-/flush", "a/b", "counter")],
    ["/docs/", about("/docs/{id}", "")],
    ["/docs/M%C3%BCller/Angebot 3", about("/docs/{id}", "M%C3%BCller/Angebot%203")],
    ["/docs/a/%2e%2e/b", about("/docs/{id}", "b")],
  ])("%s is of a document", (path, target) => expect(parse(path)).toEqual(target))

  it.each(["/docs", "/health", "/admin/revocations", "/", "/doc/a", "/docsx/a", "/parties/counter"])(
    "%s is of none",
    (path) => expect(parse(path)).toEqual({ path, party: null, id: null }),
  )
})

describe("[R2] a party", () => {
  const rooms = { getByName: () => expect.unreachable(), idFromName: () => ({}) }
  // What a service binding looks like: every property is a method that calls it.
  const SERVICE = new Proxy({}, { get: () => () => expect.unreachable() })
  const env = {
    Room: rooms,
    Counter: rooms,
    YServer: rooms,
    MY_ROOMS: rooms,
    Billing: rooms,
    DB: {},
    X: "x",
    SERVICE,
  }
  const find = (party: string | null, parties: readonly string[] = ["counter", "y-server", "my-rooms"]) =>
    findPlace(env, { party, id: "a" }, { parties })

  it.each([
    [null, "Room", "a"],
    ["main", "Room", "a"],
    ["room", "Room", "a"],
    ["counter", "Counter", "/counter/a"],
    ["y-server", "YServer", "/y-server/a"],
    ["my-rooms", "MY_ROOMS", "/my-rooms/a"],
  ])("[R2] %s is the binding %s", (party, binding, name) => {
    expect(find(party)).toEqual({ binding, name, rooms })
  })

  it.each(["billing", "Counter", "db", "x", "nope", "", "__proto__", "to-string"])(
    "[R2] that the server does not name is not reachable: %s",
    (party) => {
      expect(() => find(party)).toThrow(expect.objectContaining({ code: "not-found" }))
    },
  )

  it("[R2] that is named and has no binding is a fault of the deployment", () => {
    for (const party of ["nope", "db", "x", "service"]) expect(() => find(party, [party])).toThrow(TypeError)
    expect(() => findPlace({}, { party: null, id: "a" }, {})).toThrow("no Durable Object binding Room")
  })

  it("[R2] of a default binding of one's own is that", () => {
    const options = { binding: "YServer" }
    for (const party of [null, "main", "y-server"]) {
      expect(findPlace(env, { party, id: "a" }, options)).toMatchObject({ binding: "YServer", name: "a" })
    }
    expect(() => findPlace(env, { party: "room", id: "a" }, options)).toThrow(
      expect.objectContaining({ code: "not-found" }),
    )
  })

  // What partyserver's router and its clients make of these names.
  it.each([
    ["Room", "room"],
    ["ShoppingCart", "shopping-cart"],
    ["YServer", "y-server"],
    ["MyYServer", "my-y-server"],
    ["YDoc", "y-doc"],
    ["AIRoom", "a-i-room"],
    ["My_Room", "my--room"],
    ["Room_", "room"],
    ["MY_ROOMS", "my-rooms"],
    ["ROOM_", "room-"],
    ["room2", "room2"],
    ["_", ""],
  ])("[R2] of the binding %s is called %s", (binding, party) => expect(kebabCase(binding)).toBe(party))
})
