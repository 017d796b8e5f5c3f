/** The verbs of the room tests: what visitors of a room do and see, and what a test does to the room itself. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import * as Y from "yjs"
import type { Grant } from "../../src/access/rights.ts"
import type { RoomEvent } from "../../src/room/events.ts"
import {
  type Conditions,
  type DocumentStatus,
  type Exported,
  encodeGrant,
  GRANT_HEADER,
  type RoomRpc,
  unwrap,
} from "../../src/rpc.ts"
import { type ClientSocket, DocumentClient } from "../kit/client.ts"
import { type Patience, until as waitUntil } from "../kit/until.ts"
import type { Room } from "./worker.ts"

/** What open mode on localhost grants. */
export const WRITER: Grant = {
  subject: null,
  rights: "write",
  presence: true,
  admin: true,
  expiresAtMs: null,
  tokenId: null,
}

let made = 0

/** An id no other test uses. */
export function freshId(): string {
  made++
  return `doc-${made}-${crypto.randomUUID()}`
}

/** Poll a condition, often: the workers pool has no fake for a room's own timers. */
export function until(condition: () => unknown, what: string, patience: Patience = {}): Promise<void> {
  return waitUntil(condition, what, { timeoutMs: 10_000, everyMs: 5, ...patience })
}

/** Someone in the room: a DocumentClient on a socket of the platform's. */
export class Visitor extends DocumentClient {
  readonly socket: WebSocket
  /** Every binary frame, as it came. */
  readonly frames: Uint8Array[] = []

  /** @param options.ours it offered our subprotocol, which the Worker in front of the room would have echoed */
  constructor(socket: WebSocket, options: { ours?: boolean } = {}) {
    super()
    this.socket = socket
    this.onFrame = (frame) => this.frames.push(frame)
    this.attach(clientSocketOf(socket, options))
  }
}

/** The platform's socket, accepted, in the shape that a DocumentClient takes. */
function clientSocketOf(socket: WebSocket, { ours = false }: { ours?: boolean }): ClientSocket {
  socket.binaryType = "arraybuffer"
  return {
    protocol: ours ? "yurt" : "",
    get isOpen() {
      return socket.readyState === WebSocket.OPEN
    },
    send: (message) => socket.send(message),
    onOpen: (listener) => listener(),
    onMessage: (listener) => {
      socket.addEventListener("message", ({ data }) => {
        listener(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer))
      })
      // Not before somebody listens: what the room sends first would be lost.
      socket.accept()
    },
    onClose: (listener) => socket.addEventListener("close", ({ code, reason }) => listener(code, reason)),
    terminate: () => socket.close(),
  }
}

export class TestRoom {
  readonly id: string
  readonly visitors: Visitor[] = []
  readonly stub: DurableObjectStub<Room>

  constructor(id: string, rooms: DurableObjectNamespace<Room> = env.Room) {
    this.id = id
    this.stub = rooms.getByName(id)
  }

  /** Someone connects; resolves to their number once they are synced. @param options.ours with our own subprotocol */
  async join(grant: Grant = WRITER, options: { ours?: boolean } = {}): Promise<number> {
    const response = await this.knock(grant, options)
    if (response.webSocket === null) throw new Error(`Refused: ${response.status} ${await response.text()}`)
    const visitor = new Visitor(response.webSocket, options)
    this.visitors.push(visitor)
    await until(() => visitor.synced || visitor.closed, "a visitor is synced")
    return this.visitors.length - 1
  }

  /** A visitor who was away comes back with the same document, on a new socket; resolves once they are synced or out. */
  async rejoin(who: number, grant: Grant = WRITER, options: { ours?: boolean } = {}): Promise<void> {
    const response = await this.knock(grant, options)
    if (response.webSocket === null) throw new Error(`Refused: ${response.status} ${await response.text()}`)
    const visitor = this.visitors[who]!
    visitor.attach(clientSocketOf(response.webSocket, options))
    await until(() => visitor.synced || visitor.closed, "a visitor is synced again")
  }

  /** Ask to come in, and take the answer as it is. */
  knock(grant: Grant = WRITER, { ours = false }: { ours?: boolean } = {}): Promise<Response> {
    const headers = { Upgrade: "websocket", [GRANT_HEADER]: encodeGrant(grant) }
    return this.stub.fetch(`http://localhost/docs/${encodeURIComponent(this.id)}`, {
      headers: ours ? { ...headers, "Sec-WebSocket-Protocol": "yurt" } : headers,
    })
  }

  /** Append to the shared text. */
  type(who: number, text: string): void {
    const shared = this.visitors[who]!.doc.getText("text")
    shared.insert(shared.length, text)
  }

  text(who: number): string {
    return this.visitors[who]!.doc.getText("text").toString()
  }

  /** Resolves when this visitor reads the text. */
  async reads(who: number, text: string): Promise<void> {
    await until(
      () => this.text(who) === text,
      `visitor ${who} reads ${JSON.stringify(text)}, not ${this.text(who)}`,
    )
    this.#checkFaults()
  }

  /** Resolves when everyone has the same document. */
  async converges(): Promise<void> {
    await until(() => {
      const [first, ...rest] = this.visitors.filter(({ closed }) => closed === null)
      return rest.every(({ doc }) => Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(first!.doc)))
    }, "everyone has the same document")
    this.#checkFaults()
  }

  /** @throws what a visitor could not read */
  #checkFaults(): void {
    for (const { faults } of this.visitors) if (faults.length > 0) throw faults[0]
  }

  /** Set the own awareness state. */
  point(who: number, state: Record<string, unknown> | null): void {
    this.visitors[who]!.awareness.setLocalState(state)
  }

  /** A visitor's client id. */
  client(who: number): number {
    return this.visitors[who]!.doc.clientID
  }

  /** A visitor's awareness clock. */
  clock(who: number): number {
    return this.visitors[who]!.awareness.meta.get(this.client(who))!.clock
  }

  /** Resolves when the room has put everyone's presence where it survives a hibernation. */
  async attaches(): Promise<void> {
    const shown = this.visitors.filter(
      ({ closed, awareness }) => closed === null && awareness.getLocalState() !== null,
    )
    await until(
      () =>
        runInDurableObject(this.stub, (_, state) => {
          // partyserver hides its own part once it has seen the socket.
          const attached = state
            .getWebSockets()
            .map((socket) => socket.deserializeAttachment())
            .filter((attachment) => (attachment?.__user ?? attachment)?.presence)
          return attached.length >= shown.length
        }),
      "presence is attached",
    )
  }

  /** The awareness states this visitor sees of others. */
  cursors(who: number): unknown[] {
    const { awareness, doc } = this.visitors[who]!
    return [...awareness.getStates()].filter(([client]) => client !== doc.clientID).map(([, state]) => state)
  }

  /** Resolves when this visitor sees exactly these states of others. */
  async sees(who: number, states: unknown[]): Promise<void> {
    const wanted = JSON.stringify(states)
    await until(
      () => JSON.stringify(this.cursors(who)) === wanted,
      `visitor ${who} sees ${wanted}, not ${JSON.stringify(this.cursors(who))}`,
    )
  }

  /** Resolves when all this visitor sent is durable. */
  async saves(who: number): Promise<void> {
    const visitor = this.visitors[who]!
    const question = visitor.askSaved()
    await until(() => visitor.saved >= question, "what was sent is saved")
    this.#checkFaults()
  }

  /** Close a visitor's socket, and wait until the room has noticed. */
  async leave(who: number): Promise<void> {
    const before = (await this.connections()) ?? 0
    this.visitors[who]!.socket.close(1000, "bye")
    await until(async () => (await this.connections()) < before, "the room has noticed that someone left")
  }

  /** Resolves to how the room closed this visitor's socket. */
  async closing(who: number): Promise<{ code: number; reason: string }> {
    const visitor = this.visitors[who]!
    await until(() => visitor.closed, `visitor ${who} is closed`)
    return visitor.closed!
  }

  /** GET /docs/{id}/-/status */
  status(): Promise<DocumentStatus | null> {
    return unwrap(this.stub.status())
  }

  /** GET /docs/{id} */
  export(want: Parameters<RoomRpc["export"]>[0]): Promise<Exported | null> {
    return unwrap(this.stub.export(want))
  }

  /** PATCH /docs/{id} */
  merge(
    update: Uint8Array,
    grant: Grant = WRITER,
    conditions: Partial<Conditions> = {},
  ): Promise<{ revision: number; waiting?: true }> {
    return unwrap(this.stub.merge(update, grant, { ifMatch: null, ifNoneMatch: null, ...conditions }))
  }

  /** How often something happened since the room woke. */
  async happened(type: RoomEvent["type"]): Promise<number> {
    return (await this.status())?.events[type] ?? 0
  }

  /** DELETE /docs/{id} */
  remove(): Promise<boolean> {
    return unwrap(this.stub.remove(WRITER))
  }

  /** Edit the document on the server, as a subclass would. */
  edit<Result>(change: (doc: Y.Doc) => Result): Promise<Result> {
    return runInDurableObject(this.stub, (room) => room.edit(change))
  }

  /** A Y.Doc is in the room's memory. */
  async hydrated(): Promise<boolean> {
    return (await this.status())?.hydrated ?? false
  }

  /** Evict the room from memory; sockets stay open, as on the platform. */
  hibernate(): Promise<void> {
    return evictDurableObject(this.stub)
  }

  /** Evict the room and close its sockets. */
  evict(): Promise<void> {
    return evictDurableObject(this.stub, { webSockets: "close" })
  }

  /** Lose the room's storage, as a second deployment that has never seen the document. */
  async wipe(): Promise<void> {
    await runInDurableObject(this.stub, async (_, state) => {
      await state.storage.deleteAlarm()
      await state.storage.deleteAll()
    })
    await this.evict()
  }

  /** Let the alarm come now. */
  alarm(): Promise<boolean> {
    return runDurableObjectAlarm(this.stub)
  }

  /** Let an alarm come that fails before the room's own handling of it has begun. */
  async failAlarm(): Promise<void> {
    await runInDurableObject(this.stub, async (room, state) => {
      await state.storage.deleteAlarm()
      room.onAlarm = () => Promise.reject(new Error("A subclass failed"))
      await room.alarm()
    })
  }

  /** When the alarm is set for, ms since 1970, or null. */
  alarmAt(): Promise<number | null> {
    return runInDurableObject(this.stub, (_, state) => state.storage.getAlarm())
  }

  connections(): Promise<number> {
    return runInDurableObject(
      this.stub,
      (_, state) => state.getWebSockets().filter((s) => s.readyState === 1).length,
    )
  }

  /** Read the room's storage. */
  rows<Row extends Record<string, SqlStorageValue>>(query: string): Promise<Row[]> {
    return runInDurableObject(this.stub, (_, state) => state.storage.sql.exec<Row>(query).toArray())
  }

  /** Damage the room's storage. */
  damage(query: string, ...bindings: SqlStorageValue[]): Promise<void> {
    return runInDurableObject(this.stub, (_, state) => {
      state.storage.sql.exec(query, ...bindings)
    })
  }
}

/** A room with this many visitors in it, all synced. */
export async function openRoom({
  peers = 0,
  ours = false,
  id = freshId(),
}: {
  peers?: number
  /** They speak our own dialect, whose clients understand a close for good. */
  ours?: boolean
  id?: string
} = {}): Promise<TestRoom> {
  const room = new TestRoom(id)
  for (let i = 0; i < peers; i++) await room.join(WRITER, { ours })
  return room
}
