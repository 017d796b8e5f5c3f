import { expect, it } from "vitest"
import { openRoom } from "./vocabulary.ts"

it("brings everyone who is connected to the same state", async () => {
  const room = await openRoom({ peers: 3 })
  room.type(0, "a")
  await room.reads(2, "a")
  room.type(2, "b")
  await room.reads(0, "ab")
  await room.reads(1, "ab")
})
