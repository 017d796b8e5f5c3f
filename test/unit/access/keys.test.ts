import { inspect } from "node:util"
import * as jose from "jose"
import { afterEach, describe, expect, it, vi } from "vitest"
import { isOutage, secretFault } from "../../../src/access/keys.ts"
import { verifyToken } from "../../../src/access/token.ts"
import { SyncError } from "../../../src/errors.ts"
import { bring, KEYED, NOTES, OTHER_SECRET, passTime, SECRET, sign, startKeyServer } from "./vocabulary.ts"

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

  it("[R7] that is down closes nobody whose key is known, for a day", async () => {
    passTime(0)
    const keys = await startKeyServer()
    await keys.add("a", "EdDSA")
    expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    keys.break({ status: 500, body: "" })
    passTime(23 * 3600)
    expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
    passTime(2 * 3600)
    expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({
      code: "closed",
      status: 503,
    })
    keys.break(null)
    passTime(31)
    expect(await bring(await keys.sign("a"), NOTES, keys.settings)).toMatchObject({ subject: "ada" })
  })

  it("[R7] that is down tells a renewal so, apart from a token that is wrong", async () => {
    passTime(0)
    const keys = await startKeyServer()
    await keys.add("a", "EdDSA")
    keys.break({ status: 500, body: "" })
    const renew = async (token: string, settings = keys.settings) =>
      verifyToken(token, "notes", settings).catch((thrown: unknown) => thrown)
    expect(isOutage(await renew(await keys.sign("a")))).toBe(true)
    expect(isOutage(await renew("e30.e30.AA"))).toBe(false)
    expect(isOutage(await renew(await sign({ docs: [NOTES] }), { AUTH_SECRET: "short" }))).toBe(false)
    expect(isOutage(await renew(await sign({ docs: [NOTES] }), {}))).toBe(false)
  })

  it("[R7] a registry that moves is an outage as well", () => {
    expect(isOutage(new SyncError("unavailable", "The room is moving."))).toBe(true)
    expect(isOutage(Object.assign(new Error("moved"), { retryable: true }))).toBe(true)
    expect(isOutage(new SyncError("unauthorized", "This token was revoked."))).toBe(false)
    expect(isOutage(new TypeError("a fault"))).toBe(false)
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

describe("[R7] a key that is being changed", () => {
  it("[R7] the secret before it stays valid while it is set, and no longer", async () => {
    const [old, fresh] = [
      await sign({ docs: [NOTES] }, { secret: OTHER_SECRET }),
      await sign({ docs: [NOTES] }, { secret: SECRET }),
    ]
    const overlap = { AUTH_SECRET: SECRET, AUTH_SECRET_PREVIOUS: OTHER_SECRET }
    expect(await bring(fresh, NOTES, overlap)).toMatchObject({ subject: "ada" })
    expect(await bring(old, NOTES, overlap)).toMatchObject({ subject: "ada" })
    expect(await bring(old, NOTES, { AUTH_SECRET: SECRET })).toMatchObject({ code: "unauthorized" })
    expect(
      await bring(await sign({ docs: [NOTES], exp: 1 }, { secret: OTHER_SECRET }), NOTES, overlap),
    ).toMatchObject({
      message: "The token has expired.",
    })
  })

  it("[R7] so does the public key before it", async () => {
    const [old, fresh] = [
      await jose.generateKeyPair("EdDSA", { extractable: true }),
      await jose.generateKeyPair("EdDSA", { extractable: true }),
    ]
    const overlap = {
      AUTH_PUBLIC_KEY: await jose.exportSPKI(fresh.publicKey),
      AUTH_PUBLIC_KEY_PREVIOUS: await jose.exportSPKI(old.publicKey),
    }
    for (const { privateKey } of [old, fresh]) {
      const token = await sign({ docs: [NOTES] }, { alg: "EdDSA", key: privateKey })
      expect(await bring(token, NOTES, overlap)).toMatchObject({ subject: "ada" })
    }
  })

  it("[R1] a previous secret that can't be used closes the server, and is named", async () => {
    const settings = { AUTH_SECRET: SECRET, AUTH_SECRET_PREVIOUS: "short" }
    expect(await bring(await sign({ docs: [NOTES] }), NOTES, settings)).toMatchObject({
      code: "closed",
      message: expect.stringMatching(/^AUTH_SECRET_PREVIOUS is shorter/),
    })
  })
})
