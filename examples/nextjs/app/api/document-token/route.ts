/** GET /api/document-token?id=plans: what a page shows to the rooms, for one note and 15 minutes. */
import { mintToken } from "yurt/token"
import { personOf } from "../../../lib/session"

export async function GET(request: Request): Promise<Response> {
  const person = personOf(request.headers.get("cookie"))
  if (person === null) return new Response("Sign in", { status: 401 })
  const id = new URL(request.url).searchParams.get("id") ?? ""
  const rights = person.notes.get(id)
  if (rights === undefined) return new Response("Not yours", { status: 403 })
  const token = await mintToken(
    { subject: person.id, name: person.name, docs: [{ id, rights }] },
    { secret: process.env.AUTH_SECRET ?? "" },
  )
  return new Response(token, { headers: { "cache-control": "no-store" } })
}
