/** `yurt/token`: what a backend mints, and whether the server takes it. */
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair } from "jose"
import { describe, expect, it } from "vitest"
import { verifyToken } from "../../../src/access/token.ts"
import { verifyToken as claimsOf, mintToken, type TokenRequest } from "../../../src/token.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"
const ADA: TokenRequest = { subject: "ada", docs: [{ id: "notes", rights: "write" }] }

describe("[R1] a token of one's own backend", () => {
  it("[R1] is taken by the server, for 15 minutes and under an id of its own", async () => {
    const token = await mintToken({ ...ADA, name: "Ada Löf", color: "#e11" }, { secret: SECRET })
    const { expiresAtMs, tokenId, ...grant } = await verifyToken(token, "notes", { AUTH_SECRET: SECRET })
    expect(grant).toEqual({
      subject: "ada",
      rights: "write",
      presence: true,
      admin: false,
      name: "Ada Löf",
      color: "#e11",
    })
    expect(Math.abs(expiresAtMs! - Date.now() - 900_000)).toBeLessThan(5_000)
    expect(tokenId).toMatch(/^[\da-f-]{36}$/)
    expect(await mintToken(ADA, { secret: SECRET })).not.toBe(token)
  })

  it("[R2] carries roots, presence, audience and issuer", async () => {
    const docs = [
      { id: "form", rights: "write", roots: ["answers"], presence: false },
      { id: "acme/*", rights: "read", presence: true },
    ] as const
    const token = await mintToken(
      { subject: "ada", docs, minutes: 60, tokenId: "t1" },
      { secret: SECRET, audience: "acme", issuer: "https://acme.example" },
    )
    const settings = { AUTH_SECRET: SECRET, AUTH_AUDIENCE: "acme", AUTH_ISSUER: "https://acme.example" }
    expect(await verifyToken(token, "form", settings)).toMatchObject({
      rights: "write",
      roots: ["answers"],
      presence: false,
      tokenId: "t1",
    })
    expect(await verifyToken(token, "acme/plan", settings)).toMatchObject({ rights: "read", presence: true })
    await expect(verifyToken(token, "form", { AUTH_SECRET: SECRET })).rejects.toThrow('"aud"')
  })

  it("[H5] carries what may be seen and taken back of the past, and refuses a time that is none", async () => {
    const historySince = new Date("2026-11-01T00:00:00.5Z")
    const docs = [{ id: "notes", rights: "write", rollback: "any", historySince }] as const
    const token = await mintToken({ subject: "ada", docs }, { secret: SECRET })
    expect(await verifyToken(token, "notes", { AUTH_SECRET: SECRET })).toMatchObject({
      rollback: "any",
      historySinceMs: historySince.getTime(),
    })
    const everywhere = await mintToken({ ...ADA, historySince }, { secret: SECRET })
    expect(await verifyToken(everywhere, "notes", { AUTH_SECRET: SECRET })).toMatchObject({
      historySinceMs: historySince.getTime(),
    })
    const never = { ...ADA, historySince: new Date("soon") }
    await expect(mintToken(never, { secret: SECRET })).rejects.toThrow("historySince")
  })

  it("[R1] is signed by an Ed25519 key as PEM on one line and as a JWK", async () => {
    const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true })
    const settings = { AUTH_PUBLIC_KEY: await exportSPKI(publicKey) }
    const pem = (await exportPKCS8(privateKey)).replaceAll("\n", "\\n")
    const jwk = JSON.stringify(await exportJWK(privateKey))
    for (const key of [pem, jwk]) {
      const token = await mintToken(ADA, { privateKey: key })
      expect(await verifyToken(token, "notes", settings)).toMatchObject({ subject: "ada" })
    }
  })

  it.each<[string, Partial<TokenRequest>, string]>([
    ["without a subject", { subject: "" }, '"sub"'],
    ["that opens nothing", { docs: [] }, "open nothing"],
    ["with a right it invented", { docs: [{ id: "a", rights: "own" as "read" }] }, "docs\\[0\\].rights"],
    ["with roots for a reader", { docs: [{ id: "a", rights: "read", roots: ["b"] }] }, "roots"],
    ["with a name the server would leave out", { name: "x".repeat(101) }, "name has 101 characters"],
    ["for no time", { minutes: 0 }, "minutes is 0"],
    ["for ever", { minutes: Number.POSITIVE_INFINITY }, "minutes is Infinity"],
    [
      "longer than the server reads",
      { docs: Array.from({ length: 2_000 }, (_, n) => ({ id: `document-${n}`, rights: "read" as const })) },
      "name fewer documents",
    ],
  ])("[R1] %s is refused where it is made", async (_, change, says) => {
    await expect(mintToken({ ...ADA, ...change }, { secret: SECRET })).rejects.toThrow(new RegExp(says))
  })

  it.each<[string, Parameters<typeof mintToken>[1]]>([
    ["none", {}],
    ["two", { secret: SECRET, privateKey: "x" }],
    ["a short secret", { secret: "hunter2-hunter3" }],
    ["a placeholder", { secret: "change-me-change-me-please-change-me!" }],
    ["a private key that is none", { privateKey: "-----BEGIN PRIVATE KEY-----\nhunter2-hunter3\n" }],
    ["a public key", { privateKey: '{"kty":"OKP","crv":"Ed25519","x":"hunter2-hunter3"}' }],
  ])("[R4] of keys %s is refused, and nothing of it is repeated", async (_, signing) => {
    const refusal = await mintToken(ADA, signing).then(
      () => null,
      (thrown: Error) => thrown,
    )
    expect(refusal).toBeInstanceOf(TypeError)
    expect(String(refusal?.stack) + JSON.stringify(refusal)).not.toContain("hunter2-hunter3")
  })
})

describe("[R1] a token that somebody brings to one's own backend", () => {
  it("[R1] is proven, and says what it says", async () => {
    const token = await mintToken(ADA, { secret: SECRET })
    expect(await claimsOf(token, { secret: SECRET })).toMatchObject({
      subject: "ada",
      admin: false,
      docs: [{ id: "notes", rights: "write", presence: true }],
    })
  })

  it("[R1] is refused where it was signed by somebody else, or was changed", async () => {
    const token = await mintToken(ADA, { secret: SECRET.toUpperCase() })
    await expect(claimsOf(token, { secret: SECRET })).rejects.toMatchObject({ code: "unauthorized" })
    const [head, , signature] = (await mintToken(ADA, { secret: SECRET })).split(".")
    const forged = Buffer.from(JSON.stringify({ sub: "eve", admin: true })).toString("base64url")
    await expect(claimsOf(`${head}.${forged}.${signature}`, { secret: SECRET })).rejects.toMatchObject({
      code: "unauthorized",
    })
    await expect(claimsOf(token, {})).rejects.toMatchObject({ code: "closed" })
  })
})
