import { describe, expect, it } from "vitest"
import { parsePage, readBody } from "../../../src/http/body.ts"
import { parseRevocation } from "../../../src/http/revocations.ts"
import { LIMITS } from "../../../src/limits.ts"

describe("a body", () => {
  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    new Request("http://localhost/docs/a", { method: "PATCH", body, headers, duplex: "half" } as RequestInit)
  const stream = (...sizes: number[]) =>
    new ReadableStream({
      pull(controller) {
        const size = sizes.shift()
        if (size === undefined) controller.close()
        else controller.enqueue(new Uint8Array(size).fill(sizes.length))
      },
    })

  it("is read to its last byte, in order", async () => {
    expect(await readBody(post(stream(3, 2, 1)), 6)).toEqual(new Uint8Array([2, 2, 2, 1, 1, 0]))
    expect(await readBody(new Request("http://localhost", { method: "POST" }), 6)).toEqual(new Uint8Array())
  })

  it("that grows over the limit is refused while it comes, whatever Content-Length said", async () => {
    const endless = () =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) })
    await expect(readBody(post(endless()), 5000)).rejects.toMatchObject({ code: "too-large" })
    await expect(readBody(post(endless(), { "content-length": "1" }), 5000)).rejects.toMatchObject({
      code: "too-large",
      message: "The body has 6000 bytes or more; at most 5000 are taken.",
    })
  })

  it("that declares too much is refused unread", async () => {
    const never = new ReadableStream({ pull: () => new Promise(() => {}) })
    await expect(readBody(post(never, { "content-length": "6000" }), 5000)).rejects.toMatchObject({
      code: "too-large",
    })
  })

  it("that breaks off is a bad request", async () => {
    const broken = new ReadableStream({
      start: (controller) => controller.error(new Error("the connection is gone")),
    })
    await expect(readBody(post(broken), 5000)).rejects.toMatchObject({ code: "bad-request" })
  })
})

describe("a query and a revocation", () => {
  const page = (query: string) => parsePage(new URLSearchParams(query), 1000)

  it("have their defaults and bounds", () => {
    expect(page("")).toEqual({ cursor: null, limit: 100 })
    expect(page("cursor=a%2Fb&limit=1000")).toEqual({ cursor: "a/b", limit: 1000 })
    for (const limit of ["0", "1001", "-1", "1.5", "ten", "1e3", ""]) {
      expect(() => page(`limit=${limit}`)).toThrow(expect.objectContaining({ code: "bad-request" }))
    }
  })

  it("name a subject or a token, one of them", () => {
    const parse = (text: string) => parseRevocation(new TextEncoder().encode(text), LIMITS)
    expect(parse('{"subject":"ada","more":1}')).toEqual({ subject: "ada" })
    expect(parse('{"tokenId":"t1"}')).toEqual({ tokenId: "t1" })
    for (const text of [
      "",
      "{}",
      "null",
      "[]",
      '{"subject":""}',
      '{"subject":7}',
      '{"subject":"a","tokenId":null}',
      '{"subject":"a","tokenId":"t1"}',
    ]) {
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: "bad-request" }))
    }
  })
})
