import { makeDesk } from "../src/admin.ts"
import { Room } from "../src/index.ts"

/** Every POST raises the number; every open page shows it. */
export class Counter extends Room {
  override readonly desk = makeDesk()

  override async onPost(): Promise<Response> {
    const n = await this.edit((doc) => {
      const counter = doc.getMap<number>("counter")
      return counter.set("n", (counter.get("n") ?? 0) + 1)
    })
    return Response.json({ n })
  }
}
