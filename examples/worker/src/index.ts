/** Notes at /docs/{id}, polls at /parties/poll/{id}. `npx wrangler types` writes the type Env. */
import { d1Archive } from "yurt/archive/d1"
import { FORMATS } from "yurt/export/formats"
import { type RoomEvent, routeDocuments, Room as YurtRoom } from "yurt/server"
import { outline } from "./outline"

export { Registry } from "yurt/server"
export { Poll } from "./poll"

/** A note: it lands in D1, and can be had as an outline. */
export class Room extends YurtRoom<Env> {
  archive = d1Archive(this.env.DB)
  override formats = { ...FORMATS, outline }

  override onEvent(event: RoomEvent): void {
    // Keep what the room itself would log, and add what you want to know.
    super.onEvent(event)
    if (event.type === "joined") console.log(`${event.subject ?? "somebody"} opened ${this.name}`)
  }
}

export default {
  fetch: (request, env) => routeDocuments(request, env, { parties: ["poll"] }),
} satisfies ExportedHandler<Env>
