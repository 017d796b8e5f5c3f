/** The read probe against the clients it was made for, over real sockets: presence and fan-out behind a `ws` server. */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type WebSocket, WebSocketServer } from "ws"
import { LIMITS } from "../../../src/limits.ts"
import { FanOut } from "../../../src/room/fan-out.ts"
import { Presence } from "../../../src/room/presence.ts"
import { NO_ENTRIES } from "../../../src/wire/awareness.ts"
import { writeAwareness, yWebsocket } from "../../../src/wire/y-websocket.ts"
import { type Client, openProvider, openWebsocketProvider, openYProvider } from "../../kit/clients.ts"

/** A room that does presence and nothing else, with sockets in the order in which they came. */
class PresenceRoom {
  readonly sockets: WebSocket[] = []
  readonly proofs: WebSocket[] = []
  /** Sockets that may not be shown. */
  readonly hidden = new Set<WebSocket>()
  hides = false
  readonly #peers = new Set<WebSocket>()
  readonly presence = new Presence<WebSocket>(LIMITS)
  readonly #fanOut = new FanOut<WebSocket>(
    {
      peers: this.#peers,
      dialectOf: () => yWebsocket,
      send: (peer, message) => peer.send(message),
      encodePresence: (clients) => this.presence.encode(clients),
    },
    LIMITS,
  )
  readonly #server = new WebSocketServer({ port: 0, host: "127.0.0.1" })

  constructor() {
    this.#server.on("connection", (socket) => {
      this.sockets.push(socket)
      this.#peers.add(socket)
      if (this.hides) this.hidden.add(socket)
      socket.send(writeAwareness(this.presence.encode(this.presence.clients())))
      socket.on("message", (data: Buffer, isBinary) => {
        const said = yWebsocket.read(isBinary ? new Uint8Array(data) : data.toString())
        if (said?.type === "awareness") this.#note(socket, said.entries)
      })
      socket.on("close", () => {
        this.#peers.delete(socket)
        this.#fanOut.awareness(this.presence.leave(socket), null)
      })
    })
  }

  async open(): Promise<string> {
    if (this.#server.address() === null) await once(this.#server, "listening")
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  probe(index: number): void {
    const socket = this.sockets[index]!
    socket.send(writeAwareness(this.presence.probe(socket)!))
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    this.#server.close()
    await once(this.#server, "close")
  }

  #note(socket: WebSocket, entries: Uint8Array): void {
    const { changed, renewal, answer, proof } = this.presence.note(socket, entries, {
      visible: !this.hidden.has(socket),
    })
    if (proof) this.proofs.push(socket)
    if (answer) socket.send(writeAwareness(NO_ENTRIES))
    if (changed.length > 0) this.#fanOut.awareness(changed, socket, { renewal })
  }
}

let room: PresenceRoom
let url: string
const clients: Client[] = []

beforeEach(async () => {
  room = new PresenceRoom()
  url = await room.open()
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.leave()
  await room.close()
})

const kinds = {
  "y-websocket": () => openWebsocketProvider(url, "doc"),
  YProvider: () => openYProvider(url, "doc"),
  "our Provider": () => openProvider(url, "doc"),
}

/** Someone in the room, once the room has its socket. */
async function join(kind: keyof typeof kinds, { announces = true } = {}): Promise<Client> {
  const index = room.sockets.length
  const client = kinds[kind]()
  clients.push(client)
  if (!announces) client.awareness.setLocalState(null)
  await expect.poll(() => room.sockets.length).toBe(index + 1)
  return client
}

const stateAt = (client: Client, of: Client) => client.awareness.getStates().get(of.doc.clientID)
const clockAt = (client: Client, of: Client) => client.awareness.meta.get(of.doc.clientID)?.clock

describe.each(["y-websocket", "YProvider", "our Provider"] as const)("[F3] %s", (kind) => {
  it("answers the probe, keeps its own state, and stays where it is for everyone else", async () => {
    const ada = await join(kind)
    const bob = await join("y-websocket")
    const cyd = await join("YProvider")
    ada.awareness.setLocalState({ name: "Ada", x: 1 })
    const others = [bob, cyd]
    for (const other of others) await expect.poll(() => stateAt(other, ada)).toEqual({ name: "Ada", x: 1 })
    const seen: unknown[] = []
    for (const { awareness } of [ada, ...others]) {
      awareness.on("change", () => seen.push(awareness.getStates().get(ada.doc.clientID)))
    }
    for (let round = 1; round <= 3; round++) {
      room.probe(0)
      await expect.poll(() => room.proofs.length).toBe(round)
    }
    expect(room.proofs).toEqual(Array(3).fill(room.sockets[0]))
    for (const state of seen) expect(state).toEqual({ name: "Ada", x: 1 })
    for (const other of others) await expect.poll(() => clockAt(other, ada)).toBe(clockAt(ada, ada))

    ada.awareness.setLocalStateField("x", 2)
    for (const other of others) await expect.poll(() => stateAt(other, ada)).toEqual({ name: "Ada", x: 2 })
    ada.awareness.setLocalState(null)
    for (const other of others) await expect.poll(() => stateAt(other, ada)).toBeUndefined()
  })

  it("answers the probe where it has no right to presence, and nobody sees it", async () => {
    const bob = await join("y-websocket")
    room.hides = true
    const ada = await join(kind)
    ada.awareness.setLocalState({ name: "Ada" })
    await expect.poll(() => room.presence.announcedBy(room.sockets[1]!)).toBe(ada.doc.clientID)
    room.probe(1)
    await expect.poll(() => room.proofs).toEqual([room.sockets[1]])
    expect(ada.awareness.getLocalState()).toEqual({ name: "Ada" })
    expect(room.presence.clients()).not.toContain(ada.doc.clientID)
    expect(stateAt(bob, ada)).toBeUndefined()
  })
})

describe.each(["y-websocket", "YProvider"] as const)("[F3] %s that has announced nobody", (kind) => {
  it("answers the probe, and shows its page nobody", async () => {
    const viewer = await join(kind, { announces: false })
    const counts: number[] = []
    viewer.awareness.on("change", () => counts.push(viewer.awareness.getStates().size))
    room.probe(0)
    await expect.poll(() => room.proofs).toEqual([room.sockets[0]])
    expect(counts).toEqual([0])
    expect(room.presence.clients()).toEqual([])
    expect(room.presence.announcedBy(room.sockets[0]!)).toBeNull()
  })
})
