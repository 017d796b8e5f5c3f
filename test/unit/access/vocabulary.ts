/** The verbs of the access tests: sign a token, bring it to the door, run an identity provider. */
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"
import * as jose from "jose"
import { expect, onTestFinished, vi } from "vitest"
import { authorize } from "../../../src/access/door.ts"
import type { AccessSettings } from "../../../src/access/settings.ts"
import { SyncError } from "../../../src/errors.ts"

export const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"
export const OTHER_SECRET = "Qm2xV8cR5tNz7yBw1kLp4sHd9fGj3aUe"
export const KEYED: AccessSettings = { AUTH_SECRET: SECRET }
export const OPEN: AccessSettings = { OPEN_ON_LOCALHOST: "true" }
export const NOTES = { id: "notes", rights: "write" } as const
export const nowS = () => Math.floor(Date.now() / 1000)

/** What the door answers: a grant, or the SyncError it threw. */
export async function ask(
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
export function bring(
  token: string,
  need: Parameters<typeof authorize>[1] = NOTES,
  settings: AccessSettings = KEYED,
) {
  return ask(`https://yurt.example/docs/notes?token=${encodeURIComponent(token)}`, settings, {}, need)
}

/** Claims that would be taken, with these on top; undefined takes one away. */
export function full(claims: Record<string, unknown>): jose.JWTPayload {
  const all = { sub: "ada", aud: "yurt", exp: nowS() + 60, ...claims }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

export async function sign(
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
export function signText(
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

export function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url")
}

/** Set the clock to so many seconds after the first call of a test, and leave the timers alone. */
export function passTime(seconds: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 })
}

/** An identity provider: a real HTTP server with a key set that changes. */
export async function startKeyServer() {
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
export function readVars(file: string): Record<string, string> {
  const toml = readFileSync(resolve(import.meta.dirname, "../../..", file), "utf8")
  const vars = /^\[vars\]\n((?:(?!\[).*\n?)*)/m.exec(toml)?.[1] ?? ""
  return Object.fromEntries(
    [...vars.matchAll(/^(\w+) *= *"(.*)"/gm)].map(([, name, value]) => [name!, value!]),
  )
}
