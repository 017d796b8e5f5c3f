/**
 * The routes of a Y-Sweet server, for its stock clients and its SDK (`DocumentManager`): the connection string names this
 * server, with a token of ours in place of the server token. Documents need not be made before they are used, so making
 * one is giving it an id.
 *
 * @source @y-sweet/sdk 0.9
 */
import { mintToken } from "../access/mint.ts"
import { type AccessSettings, readText } from "../access/settings.ts"
import { SyncError } from "../errors.ts"
import { unwrap } from "../rpc.ts"
import { checkUpdateType, readBody } from "./body.ts"
import { parseId } from "./paths.ts"
import { answerJson, type DocumentAsk, type Resource } from "./resource.ts"

/** How a document of nothing is written: no structs, no deletes. */
const EMPTY_UPDATE = Uint8Array.of(0, 0)

/** POST: an id for a new document. */
const create: Resource = {
  about: "server",
  path: "/doc/new",
  methods: {
    POST: {
      rights: "admin",
      async answer({ request, limits }) {
        const { docId } = await readJson(request)
        if (docId === undefined) return answerJson({ docId: crypto.randomUUID() })
        if (typeof docId !== "string") throw new SyncError("bad-request", "docId is a text.")
        return answerJson({ docId: parseId(encodeURIComponent(docId.toWellFormed()), limits.idBytes) })
      },
    },
  },
}

/** POST: where a document is, and a token for it, which is worth no more than the one that asks. */
const authorize: Resource = {
  about: "document",
  path: "/doc/{id}/auth",
  methods: { POST: { rights: "write", answer: authorizeClient } },
}

/** POST: whether documents are kept. Nothing is served where they could not be. */
const checkStore: Resource = {
  about: "server",
  path: "/check_store",
  methods: { POST: { rights: "admin", answer: () => answerJson({ ok: true }) } },
}

/** GET: the document as an update. */
const asUpdate: Resource = {
  about: "document",
  path: "/d/{id}/as-update",
  methods: {
    GET: {
      rights: "read",
      async answer({ room }) {
        const exported = await unwrap(
          room.export({ format: "update", accept: null, root: null, ifNoneMatch: null }),
        )
        return new Response((exported?.body ?? EMPTY_UPDATE) as BodyInit, {
          headers: { "content-type": "application/octet-stream", "cache-control": "no-store" },
        })
      },
    },
  },
}

/** POST: merges an update. */
const update: Resource = {
  about: "document",
  path: "/d/{id}/update",
  methods: {
    POST: {
      rights: "write",
      async answer({ request, room, grant, limits }) {
        checkUpdateType(request.headers)
        const bytes = await readBody(request, limits.bodyBytes)
        const merged = await unwrap(room.merge(bytes, grant, { ifMatch: null, ifNoneMatch: null }))
        return answerJson(merged, merged.waiting === true ? 202 : 200)
      },
    },
  },
}

/** All of them. */
export const ySweet: readonly Resource[] = [create, authorize, checkStore, asUpdate, update]

async function authorizeClient({ request, url, env, limits, grant, name }: DocumentAsk): Promise<Response> {
  const {
    authorization = "full",
    userId,
    validForSeconds = limits.clientTokenMs / 1000,
  } = await readJson(request)
  if (authorization !== "full" && authorization !== "read-only")
    throw new SyncError("bad-request", 'authorization is "full" or "read-only".')
  if (typeof validForSeconds !== "number" || !(validForSeconds > 0))
    throw new SyncError("bad-request", "validForSeconds is a number above 0.")
  const { subject: own, roots, presence, historySinceMs, agent, onBehalfOf, admin } = grant
  // It names somebody, and gives out rights: who may only write themselves could pass for another.
  if (!admin)
    throw new SyncError("forbidden", `The token lacks the right "admin", which giving out tokens needs.`)
  const place = {
    url: `${url.origin.replace(/^http/, "ws")}/docs`,
    baseUrl: `${url.origin}/d/${encodeURIComponent(name)}`,
    docId: name,
    authorization,
  }
  // Open mode asks nobody for a token.
  if (own === null) return answerJson(place)
  const subject = userId ?? own
  if (typeof subject !== "string" || subject === "" || subject.length > limits.subjectLength)
    throw new SyncError("bad-request", `userId has 1 to ${limits.subjectLength} characters.`)
  const { AUTH_SECRET: secret, AUTH_AUDIENCE: audience, AUTH_ISSUER: issuer } = env as AccessSettings
  if (readText(secret) === null)
    throw new SyncError(
      "closed",
      "This server signs no tokens, since it has no AUTH_SECRET; your backend does.",
    )
  const writes = authorization === "full"
  const right = { id: name, rights: writes ? "write" : "read", presence } as const
  const token = await mintToken(
    {
      subject,
      docs: [
        {
          ...right,
          ...(writes && roots !== undefined && { roots }),
          ...(historySinceMs !== undefined && { historySince: new Date(historySinceMs) }),
        },
      ],
      // A program that asks for itself stays known as one.
      ...(subject === own && agent !== undefined && { agent }),
      ...(subject === own && onBehalfOf !== undefined && { onBehalfOf }),
      minutes: Math.min(validForSeconds * 1000, limits.clientTokenMs) / 60_000,
    },
    { secret, audience, issuer },
  )
  return answerJson({ ...place, token })
}

/** @throws SyncError "bad-request", "too-large" */
async function readJson(request: Request): Promise<Record<string, unknown>> {
  const text = new TextDecoder().decode(await readBody(request, 64 * 1024))
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text)
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new SyncError("bad-request", "The body is a JSON object.")
}
