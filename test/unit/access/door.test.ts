import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { corsHeaders, echoedProtocol, withoutToken } from "../../../src/access/door.ts"
import { verifyToken } from "../../../src/access/token.ts"
import { ask, bring, KEYED, NOTES, nowS, OPEN, OTHER_SECRET, readVars, SECRET, sign } from "./vocabulary.ts"

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
    ["a visitor from the network at home", { "x-forwarded-for": "192.168.1.7" }],
    ["a visitor from Docker's gateway, which may be anyone", { "x-forwarded-for": "172.17.0.1" }],
    ["an address that only begins like ours", { "x-forwarded-for": "127.0.0.1.evil.example" }],
    ["a visitor from elsewhere in Forwarded", { forwarded: "for=203.0.113.9" }],
    ["a visitor from the network in Forwarded", { forwarded: 'for="192.168.1.7:4711";proto=http' }],
    [
      "a visitor from elsewhere behind two proxies in Forwarded",
      { forwarded: "for=127.0.0.1, For=203.0.113.9" },
    ],
    ["a visitor from IPv6 in Forwarded", { forwarded: 'for="[2001:db8::1]"' }],
    ["a hidden visitor in Forwarded", { forwarded: "for=_hidden" }],
    ["a foreign host in Forwarded", { forwarded: "for=127.0.0.1;host=abc.tunnel.example" }],
    ["a Forwarded that cannot be read", { forwarded: "for" }],
  ])("[R1] open mode stays closed when a request to localhost carries %s", async (_, headers) => {
    expect(await ask("http://localhost:8787/docs/notes", OPEN, headers)).toMatchObject({ code: "closed" })
  })

  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.1, ::1", "127.0.0.1:4000", "[::1]:4000"])(
    "[R1] open mode works behind a proxy on the same machine, which says %s",
    async (address) => {
      const headers = {
        host: "localhost:8787",
        "x-forwarded-host": "localhost:5173",
        "x-forwarded-for": address,
        forwarded: `for="${address.split(", ")[0]}";host=localhost:5173;proto=http`,
      }
      expect(await ask("http://localhost:8787/docs/notes", OPEN, headers)).toMatchObject({ rights: "write" })
    },
  )

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
      expect(corsHeaders(request, listed, ["GET"])["access-control-allow-origin"]).toBe(
        allowed ? origin : undefined,
      )
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
    const settings = { ...KEYED, ALLOWED_ORIGINS: "app.example, localhost:5173, ," }
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
      const headers = corsHeaders(request, settings, ["GET"])
      expect(headers).not.toHaveProperty("access-control-allow-credentials")
      expect(headers).toMatchObject({ vary: "Origin", "access-control-allow-origin": "https://app.example" })
    }
    expect(corsHeaders(new Request("https://yurt.example/docs/notes"), listed, ["GET"])).toEqual({
      vary: "Origin",
    })
  })

  it("[R1] in open mode only pages of this machine can read an answer", () => {
    const from = (origin: string) =>
      corsHeaders(new Request("http://localhost:8787/docs/notes", { headers: { origin } }), OPEN, ["GET"])
    expect(from("http://localhost:5173")).toMatchObject({
      "access-control-allow-origin": "http://localhost:5173",
    })
    expect(from("https://evil.example")).toEqual({ vary: "Origin" })
  })

  it("[R1] a preflight says what may be asked, a refused one nothing", () => {
    expect(
      preflight("https://app.example", { "access-control-request-headers": "authorization" }),
    ).toMatchObject({
      "access-control-allow-methods": "GET, PATCH",
      "access-control-allow-headers": "authorization",
    })
    expect(preflight("https://evil.example")).toEqual({ vary: "Origin" })
  })

  it.each(["authorization,sentry-trace,baggage", "Traceparent, X-Any_Thing", "content-type"])(
    "[R1] a page may send the headers that a tracer adds: %s",
    (wanted) => {
      const headers = preflight("https://app.example", { "access-control-request-headers": wanted })
      expect(headers["access-control-allow-headers"]).toBe(wanted)
    },
  )

  it.each(["a b;c", "x: y", "é", ""])(
    "[R1] what is no list of header names is not repeated: %j",
    (wanted) => {
      const asked = {
        get: (name: string) =>
          ({ origin: "https://app.example", "access-control-request-headers": wanted })[name] ?? null,
        has: () => true,
      }
      const request = {
        method: "OPTIONS",
        url: "https://yurt.example/docs/notes",
        headers: asked,
      } as unknown as Request
      expect(corsHeaders(request, listed, ["GET"])).not.toHaveProperty("access-control-allow-headers")
    },
  )

  it("[R1] an answer's tag, links and waiting time can be read by a page", () => {
    const request = new Request("https://yurt.example/docs/notes", {
      headers: { origin: "https://app.example" },
    })
    const exposed = corsHeaders(request, listed, ["GET"])["access-control-expose-headers"]
    for (const name of ["ETag", "Link", "Location", "Retry-After"]) expect(exposed).toContain(name)
  })

  it.each([
    ["capacitor://localhost", true],
    ["tauri://localhost", true],
    ["app://obsidian.md", true],
    ["null", true],
    ["capacitor://elsewhere", false],
    ["ionic://localhost", false],
    ["http://localhost", false],
  ])("[R1] an app's own scheme can be listed: %s may ask is %j", async (origin, allowed) => {
    const settings = {
      ...KEYED,
      ALLOWED_ORIGINS: "capacitor://localhost, Tauri://localhost/, app://obsidian.md, null",
    }
    const authorization = `Bearer ${await sign({ docs: [NOTES] })}`
    expect(await ask("https://yurt.example/docs/notes", settings, { authorization, origin })).toMatchObject(
      allowed ? { subject: "ada" } : { code: "origin-refused" },
    )
  })

  function preflight(origin: string, more: Record<string, string> = {}): Record<string, string> {
    const headers = { origin, "access-control-request-method": "PATCH", ...more }
    const request = new Request("https://yurt.example/docs/notes", { method: "OPTIONS", headers })
    return corsHeaders(request, listed, ["GET", "PATCH"])
  }
})
