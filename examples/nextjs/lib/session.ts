/** Who is signed in: a cookie that this server signs. Nothing is stored, and it ends by itself. */
import { createHmac, timingSafeEqual } from "node:crypto"
import { findPerson, type Person } from "./people"

/** How long somebody stays signed in, s. */
const SESSION_S = 24 * 60 * 60

/** The `set-cookie` of somebody who has signed in. */
export function startSession({ id }: Person): string {
  const until = Math.floor(Date.now() / 1000) + SESSION_S
  const claims = Buffer.from(JSON.stringify({ id, until })).toString("base64url")
  return cookie(`${claims}.${sign(claims)}`, SESSION_S)
}

/** The `set-cookie` of somebody who leaves. */
export function endSession(): string {
  return cookie("", 0)
}

/** Whose request this is. @param cookies its header `cookie` */
export function personOf(cookies: string | null): Person | null {
  const [, claims, signature] = /(?:^|;\s*)session=([\w-]+)\.([\w-]+)/.exec(cookies ?? "") ?? []
  if (claims === undefined || signature === undefined) return null
  const [given, right] = [Buffer.from(signature), Buffer.from(sign(claims))]
  if (given.length !== right.length || !timingSafeEqual(given, right)) return null
  const { id, until } = JSON.parse(Buffer.from(claims, "base64url").toString()) as {
    id: string
    until: number
  }
  return until * 1000 > Date.now() ? findPerson(id) : null
}

function sign(claims: string): string {
  const secret = process.env.SESSION_SECRET
  if (!secret) throw new Error("SESSION_SECRET is not set")
  return createHmac("sha256", secret).update(claims).digest("base64url")
}

function cookie(value: string, forS: number): string {
  const secure = process.env.NODE_ENV === "production" ? "; Secure" : ""
  return `session=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${forS}${secure}`
}
