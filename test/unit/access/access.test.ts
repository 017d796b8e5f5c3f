import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"
import { inspect } from "node:util"
import * as jose from "jose"
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest"
import {
  type AccessSettings,
  authorize,
  corsHeaders,
  echoedProtocol,
  secretFault,
  verifyToken,
  withoutToken,
} from "../../../src/access/access.ts"
import { SyncError } from "../../../src/errors.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"
const OTHER_SECRET = "Qm2xV8cR5tNz7yBw1kLp4sHd9fGj3aUe"
const KEYED: AccessSettings = { AUTH_SECRET: SECRET }
const OPEN: AccessSettings = { OPEN_ON_LOCALHOST: "true" }
const NOTES = { id: "notes", rights: "write" } as const
const nowS = () => Math.floor(Date.now() / 1000)

describe("[R1] without a key", () => {
  it("[R1] the server is closed and names the line to add", async () => {
    const refusal = await ask("https://yurt.example/docs/notes", {})
    expect(refusal).toMatchObject({ code: "closed", status: 503, closeCode: 1013 })
    expect(refusal).toHaveProperty("message", expect.stringContaining("npx wrangler secret put AUTH_SECRET"))
  })

  it("[R1] a token is no way around that", async () => {
    const token = await sign({ docs: [NOTES] })
    expect(
      await ask("https://yurt.example/docs/notes", {}, { authorization: `Bearer ${token}` }),
    ).toMatchObject({ code: "closed" })
    await expect(verifyToken(token, "notes", {})).rejects.toMatchObject({ code: "closed" })
  })

  it("[R1] localhost is closed too, unless it is opened by name", async () => {
    expect(await ask("http://localhost:8787/docs/notes", {})).toMatchObject({ code: "closed" })
    expect(await ask("http://localhost:8787/docs/notes", { OPEN_ON_LOCALHOST: "1" })).toMatchObject({
      code: "closed",
    })
  })

  it.each([
    "http://localhost:8787",
    "http://localhost",
    "http://127.0.0.1:9000",
    "http://[::1]:8787",
    "https://localhost",
  ])("[R1] open mode gives every right to a request made to %s", async (base) => {
    const everything = {
      subject: null,
      rights: "write",
      presence: true,
      admin: true,
      expiresAtMs: null,
      tokenId: null,
    }
    expect(await ask(`${base}/docs/notes`, OPEN)).toEqual(everything)
    expect(await ask(`${base}/docs`, OPEN, {}, { id: null, rights: "admin" })).toEqual(everything)
  })

  it.each([
    "https://yurt.example",
    "http://192.168.1.7:8787",
    "http://0.0.0.0:8787",
    "http://localhost.yurt.example",
    "http://127.0.0.1.yurt.example",
    "http://127.0.0.2:8787",
    "http://my-localhost",
  ])("[R1] open mode stays closed for a request made to %s", async (base) => {
    expect(await ask(`${base}/docs/notes`, OPEN)).toMatchObject({ code: "closed" })
  })

  it.each<[string, Record<string, string>]>([
    ["a foreign Host (DNS rebinding)", { host: "evil.example" }],
    ["a foreign Host with the port of ours", { host: "evil.example:8787" }],
    ["a Host that only begins like ours", { host: "localhost:8787@evil.example" }],
    ["a Host that cannot be read", { host: "local host" }],
    ["a tunnel's public host", { host: "localhost:8787", "x-forwarded-host": "abc.tunnel.example" }],
    ["a visitor from elsewhere", { host: "localhost:8787", "x-forwarded-for": "203.0.113.9" }],
    ["a visitor from elsewhere behind two proxies", { "x-forwarded-for": "203.0.113.9, 127.0.0.1" }],
    ["a visitor from elsewhere on IPv6", { "x-forwarded-for": "2001:db8::1" }],
  ])("[R1] open mode stays closed when a request to localhost carries %s", async (_, headers) => {
    expect(await ask("http://localhost:8787/docs/notes", OPEN, headers)).toMatchObject({ code: "closed" })
  })

  it.each([
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "172.17.0.1",
    "10.0.0.2, 127.0.0.1",
    "fd12::1",
    "[::1]:4000",
  ])("[R1] open mode works behind a proxy on the same machine, which says %s", async (address) => {
    const headers = {
      host: "localhost:8787",
      "x-forwarded-host": "localhost:5173",
      "x-forwarded-for": address,
    }
    expect(await ask("http://localhost:8787/docs/notes", OPEN, headers)).toMatchObject({ rights: "write" })
  })

  it.each([
    "https://evil.example",
    "http://localhost.evil.example",
    "null",
    "",
    "file://",
    "chrome-extension://localhost",
  ])("[R1] open mode refuses a page of the origin %j", async (origin) => {
    expect(await ask("http://localhost:8787/docs/notes", OPEN, { origin })).toMatchObject({
      code: "origin-refused",
    })
    const all = { ...OPEN, ALLOWED_ORIGINS: "*" }
    expect(await ask("http://localhost:8787/docs/notes", all, { origin })).toMatchObject({
      code: "origin-refused",
    })
  })

  it.each(["http://localhost:8787", "http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:3000"])(
    "[R1] open mode lets a page of %s ask",
    async (origin) => {
      expect(await ask("http://localhost:8787/docs/notes", OPEN, { origin })).toMatchObject({
        rights: "write",
      })
    },
  )

  it("[R1] a key, even a bad one, ends open mode", async () => {
    const url = "http://localhost:8787/docs/notes"
    expect(await ask(url, { ...OPEN, AUTH_SECRET: SECRET })).toMatchObject({ code: "unauthorized" })
    const headers = { authorization: `Bearer ${await sign({ docs: [NOTES] })}` }
    expect(await ask(url, { ...OPEN, AUTH_SECRET: "short" }, headers)).toMatchObject({ code: "closed" })
  })

  it("[R1] the configuration that is deployed holds no key and stays closed where it is deployed", async () => {
    const settings = readVars("wrangler.toml")
    expect(settings).toHaveProperty("OPEN_ON_LOCALHOST", "true")
    expect(Object.keys(settings).filter((name) => /SECRET|KEY|JWKS/.test(name))).toEqual([])
    for (const host of ["yurt.acme.workers.dev", "yurt.example", "203.0.113.9"]) {
      const headers = { host, origin: `https://${host}` }
      expect(await ask(`https://${host}/docs/notes`, settings, headers)).toMatchObject({ code: "closed" })
    }
  })
})

describe("[R1] a secret", () => {
  it.each([
    ["of one byte", "x"],
    ["of 31 bytes", SECRET.slice(1)],
    ["of one repeated character", "a".repeat(64)],
    ["of one repeated word", "abc".repeat(11)],
    ["that is one hex alphabet, twice", "0123456789abcdef".repeat(2)],
    ["that asks to be changed", "change-me-change-me-please-change-me-1234"],
    ["that asks to be replaced", "REPLACE_WITH_32_RANDOM_BYTES_PLEASE"],
    ["of a well-known debugger page", "a-string-secret-at-least-256-bits-long"],
  ])("[R1] %s closes the server for tokens signed with it", async (_, secret) => {
    const token = await sign({ docs: [NOTES] }, { secret })
    const refusal = await bring(token, NOTES, { AUTH_SECRET: secret })
    expect(refusal).toMatchObject({
      code: "closed",
      message: expect.stringMatching(/^AUTH_SECRET (is|repeats)/),
    })
    expect(inspect(refusal, { depth: 9 })).not.toContain(secret.length > 1 ? secret : token)
  })

  it("[R1] of 32 random bytes is taken, in hex or base64", () => {
    for (let round = 0; round < 1000; round++) {
      const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
      expect(secretFault(bytes.toString("hex")), bytes.toString("hex")).toBe(null)
      expect(secretFault(bytes.toString("base64url")), bytes.toString("hex")).toBe(null)
    }
  })

  it("[R1] counts in bytes, not in characters", () => {
    expect(secretFault("žluťoučkýkůňpělďábelské")).toBe(null)
  })
})

describe("[R1] a token", () => {
  it("[R1] becomes a grant", async () => {
    const exp = nowS() + 60
    const claims = { docs: [NOTES], exp, jti: "t1", name: "Ada Löf", color: "#e11" }
    expect(await bring(await sign(claims))).toEqual({
      subject: "ada",
      rights: "write",
      presence: true,
      admin: false,
      expiresAtMs: exp * 1000,
      tokenId: "t1",
      name: "Ada Löf",
      color: "#e11",
    })
  })

  it("[R1] gives a grant that survives JSON", async () => {
    const grant = await bring(await sign({ docs: [NOTES] }))
    expect(JSON.parse(JSON.stringify(grant))).toEqual(grant)
  })

  it.each<[string, Record<string, unknown>, string]>([
    ["without exp", { exp: undefined }, 'has no "exp"'],
    ["without sub", { sub: undefined }, 'has no "sub"'],
    ["without aud", { aud: undefined }, 'has no "aud"'],
    ["for another audience", { aud: "other" }, '"aud" that does not fit'],
    ["that expired a second ago", { exp: nowS() - 1 }, "has expired"],
    ["that expired long ago", { exp: 1 }, "has expired"],
    ["that is valid in a minute", { nbf: nowS() + 60 }, "is not valid yet"],
    ["with an exp that is text", { exp: "2099-01-01" }, '"exp"'],
    ["with an exp beyond all dates", { exp: 1e300 }, '"exp" out of range'],
    ["with an nbf that is text", { nbf: "soon" }, '"nbf" that does not fit'],
    ["with an empty sub", { sub: "" }, '"sub"'],
    ["with a sub that is a number", { sub: 7 }, '"sub"'],
    ["with a sub of 257 characters", { sub: "a".repeat(257) }, '"sub"'],
    ["with a jti that is a number", { jti: 7 }, '"jti"'],
    ["with docs that are no list", { docs: { id: "notes", rights: "write" } }, '"docs"'],
    ["with an entry that is null", { docs: [NOTES, null] }, "docs[1].id"],
    ["with an entry without an id", { docs: [{ rights: "write" }] }, "docs[0].id"],
    ["with a right it invented", { docs: [{ id: "notes", rights: "own" }] }, "docs[0].rights"],
    ["with presence as text", { docs: [{ ...NOTES, presence: "yes" }] }, "docs[0].presence"],
    ["with admin as text", { admin: "true" }, '"admin"'],
  ])("[R1] %s is refused and told why", async (_, claims, says) => {
    const refusal = await bring(await sign({ docs: [NOTES], ...claims }))
    expect(refusal).toMatchObject({
      code: "unauthorized",
      status: 401,
      closeCode: 4401,
      message: expect.stringContaining(says),
    })
  })

  it("[R1] whose exp is too large for JSON is refused, not made eternal", async () => {
    const parts = (await sign({ docs: [NOTES], exp: 1234567890 })).split(".")
    const payload = Buffer.from(parts[1]!, "base64url").toString().replace("1234567890", "1e999")
    expect(await bring(await signText(payload))).toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining('"exp"'),
    })
  })

  it("[R1] that is a few seconds too young is taken: clocks differ by up to 5 s", async () => {
    expect(await bring(await sign({ docs: [NOTES], nbf: nowS() + 3 }))).toMatchObject({ rights: "write" })
  })

  it("[R1] may hold several audiences, and a name too long for a cursor is left out", async () => {
    const claims = { docs: [NOTES], aud: ["other", "yurt"], name: "x".repeat(101), color: 7 }
    const grant = await bring(await sign(claims))
    expect(grant).toMatchObject({ subject: "ada" })
    expect(Object.keys(grant)).not.toContain("name")
    expect(Object.keys(grant)).not.toContain("color")
  })

  it("[R1] is held to the audience and the issuer that are set", async () => {
    const settings = { ...KEYED, AUTH_AUDIENCE: "acme", AUTH_ISSUER: "https://id.example" }
    const fitting = { docs: [NOTES], aud: "acme", iss: "https://id.example" }
    expect(await bring(await sign(fitting), NOTES, settings)).toMatchObject({ rights: "write" })
    for (const wrong of [{ aud: "yurt" }, { iss: "https://evil.example" }, { iss: undefined }]) {
      expect(await bring(await sign({ ...fitting, ...wrong }), NOTES, settings)).toMatchObject({
        code: "unauthorized",
      })
    }
  })

  it("[R1] signed with another secret is refused", async () => {
    expect(await bring(await sign({ docs: [NOTES] }, { secret: OTHER_SECRET }))).toMatchObject({
      code: "unauthorized",
    })
  })

  it("[R1] with any one character changed is refused", async () => {
    const token = await sign({ docs: [{ id: "notes", rights: "read" }] })
    for (let at = 0; at < token.length; at++) {
      // The last character of a base64url part may hold bits that no byte uses: change a bit that counts.
      const changed = token[at] === "." ? "_" : token[at] === "A" ? "g" : "A"
      const refusal = await bring(token.slice(0, at) + changed + token.slice(at + 1), {
        id: "notes",
        rights: "read",
      })
      expect(refusal, `changed at ${at}`).toMatchObject({ code: "unauthorized" })
    }
  })

  it("[R1] with its claims exchanged keeps no signature", async () => {
    const [header, , signature] = (await sign({ docs: [{ id: "notes", rights: "read" }] })).split(".")
    const [, payload] = (await sign({ docs: [NOTES] }, { secret: OTHER_SECRET })).split(".")
    expect(await bring(`${header}.${payload}.${signature}`)).toMatchObject({ code: "unauthorized" })
  })

  it.each(["HS384", "HS512"])("[R1] signed with the right secret by %s is refused", async (alg) => {
    const token = await sign({ docs: [NOTES] }, { alg, secret: SECRET + OTHER_SECRET })
    const settings = { AUTH_SECRET: SECRET + OTHER_SECRET }
    expect(await bring(token, NOTES, settings)).toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining("HS256"),
    })
  })

  it.each(["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "__proto__"])(
    "[R1] that calls its algorithm %j is refused, signed or not",
    async (alg) => {
      const [header, payload, signature] = (await sign({ docs: [NOTES] })).split(".")
      const renamed = encode({ ...JSON.parse(Buffer.from(header!, "base64url").toString()), alg })
      for (const end of ["", signature]) {
        expect(await bring(`${renamed}.${payload}.${end}`)).toMatchObject({ code: "unauthorized" })
      }
    },
  )

  it.each<[string, string]>([
    ["one word", "token"],
    ["three empty parts", ".."],
    ["five parts, an encrypted token", "e30.e30.e30.e30.e30"],
    ["a header that is no JSON", "bm8.e30.AA"],
    ["a header that is null", `${Buffer.from("null").toString("base64url")}.e30.AA`],
    ["9,000 characters", `e30.${"A".repeat(9000)}.AA`],
    ["bytes that are no text", "\u00ff.\u00ff.\u00ff"],
  ])("[R1] that is %s is refused", async (_, token) => {
    await expect(verifyToken(token, "notes", KEYED)).rejects.toMatchObject({ code: "unauthorized" })
  })

  it("[R1] that is too long is refused unread, however well it is signed", async () => {
    const docs = Array.from({ length: 300 }, (_, index) => ({ id: `notes-${index}`, rights: "write" }))
    const refusal = await bring(await sign({ docs: [NOTES, ...docs] }))
    expect(refusal).toMatchObject({
      code: "unauthorized",
      message: "The token is longer than 8192 characters.",
    })
  })

  it("[R1] that asks for an extension nobody here knows is refused", async () => {
    const crit = await signText(JSON.stringify(full({ docs: [NOTES] })), { crit: ["pay"], pay: 1 })
    expect(await bring(crit)).toMatchObject({ code: "unauthorized" })
    const unencoded = await sign({ docs: [NOTES] }).then((token) => token.split("."))
    const header = encode({ alg: "HS256", b64: false, crit: ["b64"] })
    expect(await bring(`${header}.${unencoded[1]}.${unencoded[2]}`)).toMatchObject({ code: "unauthorized" })
  })

  it("[R1] that brings its own key is judged by ours", async () => {
    const { publicKey, privateKey } = await jose.generateKeyPair("EdDSA", { extractable: true })
    const own = {
      jwk: await jose.exportJWK(publicKey),
      jku: "https://evil.example/keys",
      kid: "../../dev/null",
    }
    const token = await new jose.SignJWT(full({ docs: [NOTES] }))
      .setProtectedHeader({ alg: "EdDSA", ...own })
      .sign(privateKey)
    const settings = {
      AUTH_PUBLIC_KEY: await jose.exportSPKI((await jose.generateKeyPair("EdDSA")).publicKey),
    }
    expect(await bring(token, NOTES, settings)).toMatchObject({ code: "unauthorized" })
  })
})

describe("[R2] the rights of a token", () => {
  const read = (id: string) => ({ id, rights: "read" }) as const
  const write = (id: string) => ({ id, rights: "write" }) as const

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

describe("[R1] where a token is carried", () => {
  const url = "https://yurt.example/docs/notes"

  it.each<[string, (token: string) => [string, Record<string, string>]]>([
    ["as Bearer", (token) => [url, { authorization: `Bearer ${token}` }]],
    ["as bearer, in any case and with blanks", (token) => [url, { authorization: `bEARER   ${token} ` }]],
    ["as a subprotocol", (token) => [url, { "sec-websocket-protocol": `yurt, ${token}` }]],
    ["as a subprotocol without a blank", (token) => [url, { "sec-websocket-protocol": `yurt,${token}` }]],
    ["as a subprotocol before yurt", (token) => [url, { "sec-websocket-protocol": `${token} ,  yurt` }]],
    [
      "as one of several subprotocols",
      (token) => [url, { "sec-websocket-protocol": `v1.json, yurt, , ${token}, other` }],
    ],
    ["in the query", (token) => [`${url}?a=1&token=${token}&b=2`, {}]],
    ["in the query, the name encoded", (token) => [`${url}?%74oken=${token}`, {}]],
    [
      "in the query, beside another scheme",
      (token) => [`${url}?token=${token}`, { authorization: "Basic YTpi" }],
    ],
    [
      "as a subprotocol, beside a wrong one in the query",
      (token) => [`${url}?token=x`, { "sec-websocket-protocol": `yurt, ${token}` }],
    ],
  ])("[R1] %s it is found", async (_, place) => {
    const [address, headers] = place(await sign({ docs: [NOTES] }))
    expect(await ask(address, KEYED, headers)).toMatchObject({ subject: "ada" })
  })

  it.each<[string, (token: string) => [string, Record<string, string>]]>([
    ["nowhere", () => [url, {}]],
    ["in a cookie", (token) => [url, { cookie: `token=${token}` }]],
    ["without a scheme", (token) => [url, { authorization: token }]],
    ["as Bearer with nothing behind it", () => [url, { authorization: "Bearer " }]],
    ["as a subprotocol without yurt", (token) => [url, { "sec-websocket-protocol": token }]],
    ["as an empty query parameter", () => [`${url}?token=`, {}]],
    ["in the path", (token) => [`${url}/${token}`, {}]],
  ])("[R1] %s it is not found, and the refusal says where it belongs", async (_, place) => {
    const [address, headers] = place(await sign({ docs: [NOTES] }))
    const refusal = await ask(address, KEYED, headers)
    expect(refusal).toMatchObject({ code: "unauthorized", message: expect.stringContaining("Bring a token") })
  })

  it.each<[string | null, "yurt" | null]>([
    ["yurt", "yurt"],
    ["yurt, a.b.c", "yurt"],
    ["a.b.c,yurt", "yurt"],
    ["other , yurt , third", "yurt"],
    ["YURT", null],
    ["yurt2", null],
    ["a.b.c", null],
    ["", null],
    [null, null],
  ])("[R4] of the subprotocols %j, %j is echoed", (offered, echoed) => {
    const headers = offered === null ? {} : { "sec-websocket-protocol": offered }
    expect(echoedProtocol(new Request(url, { headers }))).toBe(echoed)
  })
})

describe("[R4] a token goes no further than the door", () => {
  it("[R4] a request passed on has none, and keeps everything else", async () => {
    const token = await sign({ docs: [NOTES] })
    const bare = withoutToken(
      new Request(`https://yurt.example/docs/team%2Fa?a=1&token=${token}&%74oken=${token}&b=2`, {
        method: "PATCH",
        body: new Uint8Array([1, 2, 3]),
        headers: {
          authorization: `Bearer ${token}`,
          referer: `https://yurt.example/text?token=${token}`,
          "sec-websocket-protocol": `yurt, ${token}`,
          "content-type": "application/octet-stream",
          upgrade: "websocket",
        },
      }),
    )
    expect(inspect([bare.url, [...bare.headers]])).not.toContain(token)
    expect(bare.url).toBe("https://yurt.example/docs/team%2Fa?a=1&b=2")
    expect(bare.method).toBe("PATCH")
    expect(Object.fromEntries(bare.headers)).toEqual({
      "content-type": "application/octet-stream",
      "sec-websocket-protocol": "yurt",
      upgrade: "websocket",
    })
    expect([...new Uint8Array(await bare.arrayBuffer())]).toEqual([1, 2, 3])
  })

  it("[R2] a request passed on cannot pretend to a grant or a room of another name", () => {
    const forged = {
      "x-yurt-grant": "{}",
      "X-Yurt-Anything": "1",
      "x-partykit-room": "other",
      "x-partykit-props": "{}",
      "x-other": "1",
    }
    const bare = withoutToken(new Request("https://yurt.example/docs/notes", { headers: forged }))
    expect(Object.fromEntries(bare.headers)).toEqual({ "x-other": "1" })
  })

  it("[R4] a subprotocol list without yurt is dropped whole: it may be a token all the same", () => {
    const headers = { "sec-websocket-protocol": "a.b.c, other" }
    expect(
      withoutToken(new Request("https://yurt.example/docs/notes", { headers })).headers.has(
        "sec-websocket-protocol",
      ),
    ).toBe(false)
  })

  it("[R4] an address without a token is passed on letter by letter", () => {
    const url = "https://yurt.example/docs/a%20b?x=%20+&y"
    expect(withoutToken(new Request(url)).url).toBe(url)
  })

  it("[R4] no refusal holds the token, a part of it, its claims or the key", async () => {
    const claims = {
      docs: [{ id: "secret-plans", rights: "read" }],
      name: "Private Name",
      sub: "ada@private.example",
    }
    const variants = [{}, { exp: 1 }, { aud: "nobody" }, { nbf: nowS() + 99 }, { jti: 7 }, { docs: 7 }]
    for (const variant of variants) {
      for (const secret of [SECRET, OTHER_SECRET]) {
        const token = await sign({ ...claims, ...variant }, { secret })
        const shown = inspect(await bring(token), { depth: 9, showHidden: true })
        for (const private_ of [...token.split("."), SECRET, "Private", "ada@", "secret-plans"]) {
          expect(shown).not.toContain(private_)
        }
      }
    }
  })
})

describe("[R1] a public key", () => {
  it("[R1] verifies EdDSA tokens, as PEM, as PEM on one line, and as a JWK", async () => {
    const { publicKey, privateKey } = await jose.generateKeyPair("EdDSA", { extractable: true })
    const pem = await jose.exportSPKI(publicKey)
    for (const key of [pem, pem.replaceAll("\n", "\\n"), JSON.stringify(await jose.exportJWK(publicKey))]) {
      for (const alg of ["EdDSA", "Ed25519"]) {
        const token = await sign({ docs: [NOTES] }, { alg, key: privateKey })
        expect(await bring(token, NOTES, { AUTH_PUBLIC_KEY: key })).toMatchObject({ subject: "ada" })
      }
    }
  })

  it("[R1] is never taken for a secret (algorithm confusion)", async () => {
    const { publicKey } = await jose.generateKeyPair("EdDSA", { extractable: true })
    const jwk = await jose.exportJWK(publicKey)
    for (const [setting, secret] of [
      [await jose.exportSPKI(publicKey), await jose.exportSPKI(publicKey)],
      [await jose.exportSPKI(publicKey), (await jose.exportSPKI(publicKey)).trim()],
      [JSON.stringify(jwk), JSON.stringify(jwk)],
      [JSON.stringify(jwk), jwk.x!],
    ] as const) {
      const token = await sign({ docs: [NOTES] }, { secret })
      expect(await bring(token, NOTES, { AUTH_PUBLIC_KEY: setting })).toMatchObject({ code: "unauthorized" })
      // ... nor when a secret is set as well.
      expect(await bring(token, NOTES, { ...KEYED, AUTH_PUBLIC_KEY: setting })).toMatchObject({
        code: "unauthorized",
      })
    }
  })

  it("[R1] beside a secret: each is tried for the algorithm it is for", async () => {
    const { publicKey, privateKey } = await jose.generateKeyPair("EdDSA", { extractable: true })
    const settings = { ...KEYED, AUTH_PUBLIC_KEY: await jose.exportSPKI(publicKey) }
    expect(await bring(await sign({ docs: [NOTES] }), NOTES, settings)).toMatchObject({ subject: "ada" })
    const signed = await sign({ docs: [NOTES] }, { alg: "EdDSA", key: privateKey })
    expect(await bring(signed, NOTES, settings)).toMatchObject({ subject: "ada" })
  })

  it("[R1] that is none, is private or is of another kind closes the server and is not repeated", async () => {
    const ed = await jose.generateKeyPair("EdDSA", { extractable: true })
    const rsa = await jose.generateKeyPair("RS256", { extractable: true })
    const x25519 = await jose.generateKeyPair("ECDH-ES", { crv: "X25519", extractable: true })
    const settings = [
      "no key at all",
      "{",
      "{}",
      '{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}',
      JSON.stringify(await jose.exportJWK(ed.privateKey)),
      await jose.exportPKCS8(ed.privateKey),
      await jose.exportSPKI(rsa.publicKey),
      JSON.stringify(await jose.exportJWK(rsa.publicKey)),
      JSON.stringify(await jose.exportJWK(x25519.publicKey)),
    ]
    const token = await sign({ docs: [NOTES] }, { alg: "EdDSA", key: ed.privateKey })
    for (const AUTH_PUBLIC_KEY of settings) {
      const refusal = await bring(token, NOTES, { AUTH_PUBLIC_KEY })
      expect(refusal, AUTH_PUBLIC_KEY).toMatchObject({
        code: "closed",
        message: expect.stringContaining("AUTH_PUBLIC_KEY"),
      })
      if (AUTH_PUBLIC_KEY.length > 2)
        expect(inspect(refusal, { depth: 9, showHidden: true })).not.toContain(AUTH_PUBLIC_KEY)
    }
  })
})

describe("[R1] a JWKS", () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it("[R1] is fetched once for many tokens, of each algorithm it has", async () => {
    const keys = await startKeyServer()
    for (const alg of ["EdDSA", "Ed25519", "ES256", "RS256", "PS256"]) await keys.add(alg, alg)
    for (const alg of ["EdDSA", "Ed25519", "ES256", "RS256", "PS256"]) {
      expect(await bring(await keys.sign(alg), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    }
    expect(keys.fetches()).toBe(1)
  })

  it("[R1] that rotates is fetched again for the new key, and drops the old one when it is gone", async () => {
    passTime(0)
    const keys = await startKeyServer()
    await keys.add("old", "ES256")
    const old = await keys.sign("old")
    expect(await bring(old, NOTES, keys.settings)).toMatchObject({ subject: "ada" })

    passTime(31)
    await keys.add("new", "ES256")
    expect(await bring(await keys.sign("new"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    expect(await bring(old, NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    expect(keys.fetches()).toBe(2)

    keys.drop("old")
    passTime(601)
    expect(await bring(await keys.sign("new"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    expect(await bring(old, NOTES, keys.settings)).toMatchObject({ code: "unauthorized" })
    expect(keys.fetches()).toBe(3)
  })

  it("[R3] is not fetched for every token with a key id that it does not hold", async () => {
    passTime(0)
    const keys = await startKeyServer()
    await keys.add("a", "EdDSA")
    await keys.add("gone", "EdDSA")
    keys.drop("gone")
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(await bring(await keys.sign("gone"), NOTES, keys.settings)).toMatchObject({
        code: "unauthorized",
      })
    }
    expect(keys.fetches()).toBe(1)
    passTime(31)
    for (let attempt = 0; attempt < 20; attempt++) await bring(await keys.sign("gone"), NOTES, keys.settings)
    expect(keys.fetches()).toBe(2)
  })

  it.each<[string, { status: number; body: string }]>([
    ["500", { status: 500, body: "no" }],
    ["404", { status: 404, body: "no" }],
    ["a redirect", { status: 302, body: "" }],
    ["no JSON", { status: 200, body: "<html>" }],
    ["JSON that is no key set", { status: 200, body: '{"keys":{}}' }],
    ["null", { status: 200, body: "null" }],
  ])("[R3] that answers %s is asked once in 30 s, and the client is told to come back", async (_, broken) => {
    passTime(0)
    const keys = await startKeyServer()
    await keys.add("a", "EdDSA")
    keys.break(broken)
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({
        code: "closed",
        closeCode: 1013,
      })
    }
    expect(keys.fetches()).toBe(1)
    keys.break(null)
    passTime(31)
    expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    expect(keys.fetches()).toBe(2)
  })

  it("[R1] that is down keeps verifying with the keys it has, whatever others ask for", async () => {
    passTime(0)
    const keys = await startKeyServer()
    await keys.add("a", "EdDSA")
    expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    passTime(31)
    await keys.add("unknown", "EdDSA")
    keys.break({ status: 500, body: "" })
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(await bring(await keys.sign("unknown"), NOTES, keys.settings)).toMatchObject({ code: "closed" })
      expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    }
    expect(keys.fetches()).toBe(2)
  })

  it("[R1] cannot turn a public or a symmetric key into a secret", async () => {
    const keys = await startKeyServer()
    await keys.add("a", "RS256")
    keys.publish({
      kty: "oct",
      kid: "shared",
      alg: "HS256",
      k: Buffer.from(OTHER_SECRET).toString("base64url"),
    })
    for (const [kid, secret] of [
      ["shared", OTHER_SECRET],
      ["a", JSON.stringify(keys.published()[0])],
    ] as const) {
      const token = await sign({ docs: [NOTES] }, { secret, header: { kid } })
      expect(await bring(token, NOTES, keys.settings)).toMatchObject({ code: "unauthorized" })
      expect(await bring(token, NOTES, { ...KEYED, ...keys.settings })).toMatchObject({
        code: "unauthorized",
      })
    }
  })

  it("[R1] stands beside a public key: both are tried for EdDSA", async () => {
    const keys = await startKeyServer()
    await keys.add("a", "EdDSA")
    const { publicKey, privateKey } = await jose.generateKeyPair("EdDSA", { extractable: true })
    const settings = { ...keys.settings, AUTH_PUBLIC_KEY: await jose.exportSPKI(publicKey) }
    expect(await bring(await keys.sign("a"), NOTES, settings)).toMatchObject({ subject: "ada" })
    const token = await sign({ docs: [NOTES] }, { alg: "EdDSA", key: privateKey })
    expect(await bring(token, NOTES, settings)).toMatchObject({ subject: "ada" })
    const stranger = await jose.generateKeyPair("EdDSA")
    const forged = await sign({ docs: [NOTES] }, { alg: "EdDSA", key: stranger.privateKey })
    expect(await bring(forged, NOTES, settings)).toMatchObject({ code: "unauthorized" })
  })

  it.each(["http://id.example/keys", "file:///etc/keys", "id.example/keys", "ftp://localhost/keys"])(
    "[R1] at %s closes the server: keys come over https",
    async (AUTH_JWKS_URL) => {
      const token = await sign({ docs: [NOTES] })
      expect(await bring(token, NOTES, { AUTH_JWKS_URL })).toMatchObject({
        code: "closed",
        message: expect.stringContaining("https"),
      })
    },
  )
})

describe("[R1] origins", () => {
  const listed = {
    ...KEYED,
    ALLOWED_ORIGINS: " https://app.example , http://localhost:5173,https://slash.example/",
  }

  it.each([
    ["https://app.example", true],
    ["http://localhost:5173", true],
    ["https://slash.example", true],
    ["http://app.example", false],
    ["https://app.example:8443", false],
    ["https://sub.app.example", false],
    ["https://app.example.evil.example", false],
    ["https://evil.example", false],
    ["null", false],
    ["", false],
  ])(
    "[R1] a list is held to the letter: %j may ask is %j, for sockets and requests alike",
    async (origin, allowed) => {
      const authorization = `Bearer ${await sign({ docs: [NOTES] })}`
      for (const extra of [{}, { upgrade: "websocket" }]) {
        const answer = await ask("https://yurt.example/docs/notes", listed, {
          authorization,
          origin,
          ...extra,
        })
        expect(answer).toMatchObject(
          allowed ? { subject: "ada" } : { code: "origin-refused", status: 403, closeCode: 4403 },
        )
      }
      const request = new Request("https://yurt.example/docs/notes", { headers: { origin } })
      expect(corsHeaders(request, listed)["access-control-allow-origin"]).toBe(allowed ? origin : undefined)
    },
  )

  it("[R1] a request without an Origin (curl, a server) passes any list", async () => {
    const headers = { authorization: `Bearer ${await sign({ docs: [NOTES] })}` }
    expect(await ask("https://yurt.example/docs/notes", listed, headers)).toMatchObject({ subject: "ada" })
  })

  it.each([["*"], [undefined], [""]])(
    "[R1] with tokens and the list %j any page may ask: it needs a token all the same",
    async (list) => {
      const settings = list === undefined ? KEYED : { ...KEYED, ALLOWED_ORIGINS: list }
      const origin = "https://anyone.example"
      const authorization = `Bearer ${await sign({ docs: [NOTES] })}`
      expect(await ask("https://yurt.example/docs/notes", settings, { authorization, origin })).toMatchObject(
        { subject: "ada" },
      )
      expect(await ask("https://yurt.example/docs/notes", settings, { origin })).toMatchObject({
        code: "unauthorized",
      })
    },
  )

  it("[R1] a list of nothing that can be read lets no page ask", async () => {
    const settings = { ...KEYED, ALLOWED_ORIGINS: "app.example, localhost:5173, null, ," }
    const authorization = `Bearer ${await sign({ docs: [NOTES] })}`
    for (const origin of ["https://app.example", "null", "app.example"]) {
      expect(await ask("https://yurt.example/docs/notes", settings, { authorization, origin })).toMatchObject(
        { code: "origin-refused" },
      )
    }
  })

  it("[R1] never allows credentials, and varies by Origin", () => {
    for (const settings of [listed, KEYED, {}, OPEN]) {
      const request = new Request("https://yurt.example/docs/notes", {
        headers: { origin: "https://app.example" },
      })
      const headers = corsHeaders(request, settings)
      expect(headers).not.toHaveProperty("access-control-allow-credentials")
      expect(headers).toMatchObject({ vary: "Origin", "access-control-allow-origin": "https://app.example" })
    }
    expect(corsHeaders(new Request("https://yurt.example/docs/notes"), listed)).toEqual({ vary: "Origin" })
  })

  it("[R1] in open mode only pages of this machine can read an answer", () => {
    const from = (origin: string) =>
      corsHeaders(new Request("http://localhost:8787/docs/notes", { headers: { origin } }), OPEN)
    expect(from("http://localhost:5173")).toMatchObject({
      "access-control-allow-origin": "http://localhost:5173",
    })
    expect(from("https://evil.example")).toEqual({ vary: "Origin" })
  })

  it("[R1] a preflight says what may be asked, a refused one nothing", () => {
    const preflight = (origin: string) => {
      const headers = {
        origin,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization",
      }
      return corsHeaders(
        new Request("https://yurt.example/docs/notes", { method: "OPTIONS", headers }),
        listed,
      )
    }
    expect(preflight("https://app.example")).toMatchObject({
      "access-control-allow-methods": expect.stringContaining("PATCH"),
      "access-control-allow-headers": expect.stringContaining("Authorization"),
    })
    expect(preflight("https://evil.example")).toEqual({ vary: "Origin" })
  })
})

// ---- the vocabulary of these tests

/** What the door answers: a grant, or the SyncError it threw. */
async function ask(
  url: string,
  settings: AccessSettings,
  headers: Record<string, string> = {},
  need: Parameters<typeof authorize>[1] = NOTES,
) {
  try {
    return await authorize(new Request(url, { headers }), need, settings)
  } catch (error) {
    expect(error).toBeInstanceOf(SyncError)
    return error as SyncError
  }
}

/** Ask with a token in the query, where any text can stand. */
function bring(
  token: string,
  need: Parameters<typeof authorize>[1] = NOTES,
  settings: AccessSettings = KEYED,
) {
  return ask(`https://yurt.example/docs/notes?token=${encodeURIComponent(token)}`, settings, {}, need)
}

/** Claims that would be taken, with these on top; undefined takes one away. */
function full(claims: Record<string, unknown>): jose.JWTPayload {
  const all = { sub: "ada", aud: "yurt", exp: nowS() + 60, ...claims }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

async function sign(
  claims: Record<string, unknown>,
  {
    alg,
    secret = SECRET,
    key,
    header = {},
  }: { alg?: string; secret?: string; key?: CryptoKey; header?: object } = {},
): Promise<string> {
  return signText(
    JSON.stringify(full(claims)),
    { alg: alg ?? "HS256", ...header },
    key ?? new TextEncoder().encode(secret),
  )
}

/** Sign any text as if it were claims: what SignJWT would not let through. */
function signText(
  payload: string,
  header: object = {},
  key: CryptoKey | Uint8Array = new TextEncoder().encode(SECRET),
) {
  const extensions = Object.fromEntries(
    ((header as { crit?: string[] }).crit ?? []).map((name) => [name, true]),
  )
  return new jose.CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: "HS256", ...header })
    .sign(key, { crit: extensions })
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url")
}

/** Set the clock to so many seconds after the first call of a test, and leave the timers alone. */
function passTime(seconds: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 })
}

/** An identity provider: a real HTTP server with a key set that changes. */
async function startKeyServer() {
  const privateKeys = new Map<string, { alg: string; key: CryptoKey }>()
  let published: jose.JWK[] = []
  let broken: { status: number; body: string } | null = null
  let fetches = 0
  const server = createServer((_, response) => {
    fetches++
    const { status, body } = broken ?? { status: 200, body: JSON.stringify({ keys: published }) }
    response.writeHead(status, { "content-type": "application/json", location: "/elsewhere" }).end(body)
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const settings: AccessSettings = {
    AUTH_JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
  }
  return {
    settings,
    fetches: () => fetches,
    published: () => published,
    publish: (key: jose.JWK) => void published.push(key),
    break: (answer: typeof broken) => {
      broken = answer
    },
    add: async (kid: string, alg: string) => {
      const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
      privateKeys.set(kid, { alg, key: privateKey })
      published.push({ ...(await jose.exportJWK(publicKey)), kid, alg, use: "sig" })
    },
    drop: (kid: string) => {
      published = published.filter((key) => key.kid !== kid)
    },
    sign: (kid: string) => {
      const { alg, key } = privateKeys.get(kid)!
      return sign({ docs: [NOTES], exp: nowS() + 3600 }, { alg, key, header: { kid } })
    },
  }
}

/** The strings under [vars] of a wrangler.toml at the top of the repository. */
function readVars(file: string): Record<string, string> {
  const toml = readFileSync(resolve(import.meta.dirname, "../../..", file), "utf8")
  const vars = /^\[vars\]\n((?:(?!\[).*\n?)*)/m.exec(toml)?.[1] ?? ""
  return Object.fromEntries(
    [...vars.matchAll(/^(\w+) *= *"(.*)"/gm)].map(([, name, value]) => [name!, value!]),
  )
}
