/** POST /sign-out. What is open closes when its token ends; your server may revoke it at once: SECURITY.md. */
import { endSession } from "../../lib/session"

export async function POST(): Promise<Response> {
  return new Response(null, { status: 303, headers: { location: "/", "set-cookie": endSession() } })
}
