// A bare partyserver relay: every message to everyone else, no document, nothing stored.
import { routePartykitRequest, Server } from "partyserver"

export class Main extends Server {
  static options = { hibernate: true }

  onMessage(connection, message) {
    this.broadcast(message, [connection.id])
  }
}

export default {
  async fetch(request, env) {
    return (await routePartykitRequest(request, env)) ?? new Response("not found", { status: 404 })
  },
}
