import { expect, it } from "vitest"
import * as Y from "yjs"
import { OPEN_GRANT } from "../../../src/access/rights.ts"
import { LIMITS } from "../../../src/limits.ts"
import type { Entry, Log } from "../../../src/room/log.ts"
import type { Replica } from "../../../src/room/replica.ts"
import { Streams } from "../../../src/room/streams.ts"
import { until } from "../../kit/until.ts"

/** A room with nothing in it but a document: everything is committed at once. */
class Room {
  readonly doc = new Y.Doc()
  revision = 1
  streams: Streams
  #watcher: ((entries: readonly Entry[]) => void) | null = null

  constructor(text: string) {
    this.doc.getText("text").insert(0, text)
    // reason: the streams ask no more of a replica and a log than this
    const replica = {
      exists: true,
      bytes: 1_000_000,
      weight: 0,
      document: () => this.doc,
      watch: (watcher: ((entries: readonly Entry[]) => void) | null) => {
        this.#watcher = watcher
      },
    } as unknown as Replica
    this.streams = new Streams({
      replica,
      log: {} as unknown as Log,
      limits: { ...LIMITS, streamTickMs: 1 },
      emit: () => {},
      commit: () => this.revision,
      sync: async () => {},
      presence: { clients: () => [], encode: () => new Uint8Array([0]) },
    })
    this.doc.on("update", (update: Uint8Array) => {
      this.revision++
      this.#watcher?.([{ update, origin: { at: 0, subject: "ada", via: "socket" } }])
    })
  }

  open(query: string): ReadableStreamDefaultReader<Uint8Array> {
    const request = new Request(`http://localhost/docs/a${query}`, {
      headers: { accept: "text/event-stream" },
    })
    return this.streams.open(request, OPEN_GRANT).body!.getReader()
  }
}

it("[F2] a thousand streams cost one encoding a tick", async () => {
  const room = new Room("x".repeat(10_000))
  const readers = Array.from({ length: 1_000 }, () => room.open("?text=replace"))
  const states = await Promise.all(readers.map((reader) => reader.read()))
  expect(states.every(({ value }) => value === states[0]!.value)).toBe(true)
  const changes = readers.map((reader) => reader.read())
  room.doc.getText("text").insert(0, "y")
  const [first, ...others] = await Promise.all(changes)
  expect(new TextDecoder().decode(first!.value)).toMatch(
    /^id: 2\nevent: change\ndata: {"patch":\[{"op":"replace"/,
  )
  expect(others.every(({ value }) => value === first!.value)).toBe(true)
  await Promise.all(readers.map((reader) => reader.cancel()))
  expect(room.streams.size).toBe(0)
})

it("a stream that is read again after a while has missed nothing", async () => {
  const room = new Room("start")
  const reader = room.open("")
  for (let i = 0; i < 20; i++) {
    const before = room.revision
    room.doc.getText("text").insert(0, `${i} `)
    await until(() => room.revision > before, "a letter was committed")
  }
  let text = ""
  // How many letters one event tells is a matter of time; the last event is of the last commit.
  while (!text.includes(`id: ${room.revision}\n`))
    text += new TextDecoder().decode((await reader.read()).value)
  const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  expect(ids).toEqual([...ids].sort((a, b) => a - b))
  expect(text.match(/^event: state$/gm)).toHaveLength(1)
  await reader.cancel()
})
