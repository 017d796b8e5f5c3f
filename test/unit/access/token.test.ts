import * as jose from "jose"
import { describe, expect, it } from "vitest"
import { verifyToken } from "../../../src/access/token.ts"
import {
  bring,
  encode,
  full,
  KEYED,
  NOTES,
  nowS,
  OTHER_SECRET,
  SECRET,
  sign,
  signText,
} from "./vocabulary.ts"

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
    ["with roots that are no list", { docs: [{ ...NOTES, roots: "a" }] }, "docs[0].roots"],
    ["with a rollback of another word", { docs: [{ ...NOTES, rollback: "all" }] }, "docs[0].rollback"],
    [
      "with rollback for a reader",
      { docs: [{ id: "notes", rights: "read", rollback: "any" }] },
      "docs[0].rollback without the right to write",
    ],
    ["with a historySince that is a text", { historySince: "2026" }, "historySince"],
    [
      "with a historySince that is negative",
      { docs: [{ ...NOTES, historySince: -1 }] },
      "docs[0].historySince",
    ],
    ["with a root that is a number", { docs: [{ ...NOTES, roots: ["a", 7] }] }, "docs[0].roots"],
    [
      "with roots for a reader",
      { docs: [{ id: "notes", rights: "read", roots: ["a"] }] },
      "docs[0].roots without the right to write",
    ],
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
