/** `/admin/revocations`: who is refused although their token is valid. */
import { listRevocations, restore, revoke } from "../access/revocations.ts"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { Revoked } from "../rpc.ts"
import { parsePage, readBody } from "./body.ts"
import { answerJson, type Resource } from "./resource.ts"

/**
 * GET lists them. POST revokes a subject or a token, and says how many rooms have closed its sockets: 200 where all
 * have, 202 where some have yet to answer and are asked again by themselves. DELETE takes one back, named in the query.
 */
export const revocations: Resource = {
  about: "server",
  path: "/admin/revocations",
  methods: {
    GET: {
      rights: "admin",
      async answer({ url, env, limits }) {
        return answerJson(await listRevocations(env, parsePage(url.searchParams, limits.pageEntries)))
      },
    },
    POST: {
      rights: "admin",
      async answer(ask) {
        const { request, env, limits, options } = ask
        const who = parseRevocation(await readBody(request, limits.bodyBytes), limits)
        const dismissal = await revoke(env, who)
        await options.admin?.note(ask, "revoked", nameOf(who))
        return answerJson(dismissal, dismissal.failed === 0 ? 200 : 202)
      },
    },
    DELETE: {
      rights: "admin",
      async answer(ask) {
        const { url, env, limits, options } = ask
        const who = revokedOf(Object.fromEntries(url.searchParams), limits)
        if (!(await restore(env, who))) throw new SyncError("not-found", "There is no such revocation.")
        await options.admin?.note(ask, "un-revoked", nameOf(who))
        return new Response(null, { status: 204 })
      },
    },
  },
}

function nameOf(who: Revoked): string {
  return "subject" in who ? who.subject : `token ${who.tokenId}`
}

/** @throws SyncError "bad-request" */
export function parseRevocation(body: Uint8Array, limits: Limits): Revoked {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(body))
  } catch {
    parsed = null
  }
  return revokedOf(Object(parsed) as Record<string, unknown>, limits)
}

/** @throws SyncError "bad-request" */
function revokedOf({ subject, tokenId }: Record<string, unknown>, { subjectLength }: Limits): Revoked {
  const isName = (value: unknown): value is string =>
    typeof value === "string" && value.length > 0 && value.length <= subjectLength
  if (isName(subject) && tokenId === undefined) return { subject }
  if (isName(tokenId) && subject === undefined) return { tokenId }
  throw new SyncError(
    "bad-request",
    `Name a subject or a tokenId, a string of 1 to ${subjectLength} characters: POST as JSON, DELETE in the query.`,
  )
}
