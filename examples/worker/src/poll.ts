/** A room whose document the server changes. Everyone connected sees the counts; nobody loses a vote to a race. */
import { Room } from "yurt/server"

export class Poll extends Room<Env> {
  archive = null

  /** `POST /parties/poll/{id}` with `{"vote": "tea"}`: the caller's token has the right to write. */
  override async onPost(request: Request): Promise<Response> {
    const { vote } = (await request.json().catch(() => ({}))) as { vote?: unknown }
    if (typeof vote !== "string" || vote.length > 100)
      return new Response("vote is a short text", { status: 400 })
    const votes = await this.edit((doc) => {
      const counts = doc.getMap<number>("votes")
      counts.set(vote, (counts.get(vote) ?? 0) + 1)
      return counts.toJSON()
    })
    return Response.json(votes)
  }
}
