/**
 * Strangers on a deployment of the demos, where `PUBLIC_DEMOS = "true"`: whoever comes gets a token for the documents of the
 * start page and for those whose id begins with `demo-`, and for nothing else. Those documents are deleted some days
 * after the last change.
 */
import { authorize } from "../src/access/door.ts"
import { mintToken } from "../src/access/mint.ts"
import { OPEN_GRANT } from "../src/access/rights.ts"
import type { AccessSettings } from "../src/access/settings.ts"
import type { ArchivePage } from "../src/archive/archive.ts"
import { asSyncError, SyncError } from "../src/errors.ts"
import { INDEX_ROOM, type RoomNamespace, unwrap } from "../src/rpc.ts"

/** What decides about guests. */
export interface GuestSettings extends AccessSettings {
  /** "true": strangers may write in the demos' documents. */
  readonly PUBLIC_DEMOS?: string
  /** Documents of guests are deleted so many days after the last change. Default 7. */
  readonly PUBLIC_DEMO_DAYS?: string
}

/** Where guests may write: the beginning of an id, in every party of the demos. */
const OPEN_TO_GUESTS = ["hello-", "demo-"]
/** How long a guest's token is good, minutes. A page asks for another when it is opened again. */
const GUEST_MINUTES = 24 * 60
/** How the subject of a guest begins. */
const GUEST = "demo-guest-"
/** How long the token of an agent that a guest invites is good, minutes. */
const AGENT_MINUTES = 60
const DAY_MS = 24 * 3_600_000

/**
 * `GET /guest`: a token for a stranger, as text. `?agent=&doc=`: one for an agent that the stranger who asks invites to a
 * document.
 * @param parties as they are in ids: "counter"
 */
export async function answerGuest(
  request: Request,
  env: GuestSettings,
  parties: readonly string[],
): Promise<Response> {
  if (env.PUBLIC_DEMOS !== "true" || env.AUTH_SECRET === undefined)
    return new Response("There are no guests here.", {
      status: 404,
      headers: { "cache-control": "no-store" },
    })
  const { searchParams } = new URL(request.url)
  const name = searchParams.get("agent")
  try {
    const token =
      name === null
        ? await mintGuest(env, parties)
        : await inviteAgent(request, { name, doc: searchParams.get("doc") ?? "", env })
    return new Response(token, { headers: { "cache-control": "no-store" } })
  } catch (thrown) {
    const error = asSyncError(thrown)
    return Response.json(error, { status: error.status, headers: { "cache-control": "no-store" } })
  }
}

function mintGuest(env: GuestSettings, parties: readonly string[]): Promise<string> {
  const { AUTH_SECRET: secret, AUTH_AUDIENCE: audience, AUTH_ISSUER: issuer } = env
  const prefixes = ["", ...parties.map((party) => `/${party}/`)]
  return mintToken(
    {
      // Also the owner of a guest's cart, so it begins as a document of theirs.
      subject: GUEST + crypto.randomUUID(),
      docs: prefixes.flatMap((prefix) =>
        OPEN_TO_GUESTS.map((start) => ({ id: `${prefix}${start}*`, rights: "write" as const })),
      ),
      minutes: GUEST_MINUTES,
    },
    { secret, audience, issuer },
  )
}

/**
 * A guest's agent writes in one document for an hour, on behalf of the guest whose token comes along. Nobody else's token
 * makes another one here: it might be narrower, or an agent's own.
 */
async function inviteAgent(
  request: Request,
  { name, doc, env }: { name: string; doc: string; env: GuestSettings },
): Promise<string> {
  const { subject, agent } = await authorize(request, { id: doc, rights: "write" }, env)
  const isOpen = OPEN_TO_GUESTS.some((start) => doc.startsWith(start))
  if (!subject?.startsWith(GUEST) || agent !== undefined || !isOpen)
    throw new SyncError("forbidden", "Guests invite agents, into documents that are open to guests.")
  const { AUTH_SECRET: secret, AUTH_AUDIENCE: audience, AUTH_ISSUER: issuer } = env
  return mintToken(
    {
      ...{ subject, onBehalfOf: subject, agent: name.slice(0, 100) || "Agent", minutes: AGENT_MINUTES },
      docs: [{ id: doc, rights: "write" }],
    },
    { secret, audience, issuer },
  )
}

/**
 * Delete what guests have left behind.
 * @param roomsOf the rooms of a party; null: the default one
 * @returns how many documents are gone
 */
export async function sweepGuests(
  env: GuestSettings,
  roomsOf: (party: string | null) => RoomNamespace | null,
): Promise<number> {
  if (env.PUBLIC_DEMOS !== "true") return 0
  const before = Date.now() - Number(env.PUBLIC_DEMO_DAYS ?? 7) * DAY_MS
  let swept = 0
  for (let cursor: string | null = null; ; ) {
    const page: ArchivePage = await unwrap(
      roomsOf(null)!.getByName(INDEX_ROOM).list({ cursor, limit: 1_000 }),
    )
    for (const { id, updatedAt } of page.documents) {
      const [, party = null, own] = /^(?:\/([^/]+)\/)?(.*)$/s.exec(id)!
      const isGuests = OPEN_TO_GUESTS.some((start) => own!.startsWith(start))
      if (!isGuests || Date.parse(updatedAt) > before) continue
      await unwrap(roomsOf(party)!.getByName(id).remove(OPEN_GRANT))
      swept++
    }
    if (page.cursor === null) return swept
    cursor = page.cursor
  }
}
