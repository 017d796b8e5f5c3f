/** POST /sign-in, the form of the first page. */
import { checkPassword } from "../../lib/people"
import { startSession } from "../../lib/session"

export async function POST(request: Request): Promise<Response> {
  const form = await request.formData()
  const person = checkPassword(String(form.get("name")), String(form.get("password")))
  if (person === null) return new Response(null, { status: 303, headers: { location: "/?wrong=1" } })
  return new Response(null, { status: 303, headers: { location: "/", "set-cookie": startSession(person) } })
}
