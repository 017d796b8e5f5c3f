/**
 * A small real server for the provider's tests in Node: the y-websocket dialect over `ws`, a Y.Doc a room, and the
 * weather a client must stand: silence, lost connections, refusals, restarts that forget what was not yet saved.
 *
 * It keeps two documents a room. `doc` is what it has shown; `disk` is what it has called saved, and all that is
 * left after a crash.
 */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http"
import type { AddressInfo } from "node:net"
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { type WebSocket, WebSocketServer } from "ws"
import * as Y from "yjs"
import * as wire from "../../src/wire/y-websocket.ts"

/** A frame a client has sent, or a text. */
export type Received = wire.Frame | { readonly type: "text"; readonly text: string }

/** What a client asked for when it connected. */
export interface Attempt {
  readonly path: string
  readonly query: URLSearchParams
  readonly protocols: string[]
}

/** Which connections something is about; all where it is left out. */
export type Only = (attempt: Attempt) => boolean

const ALL: Only = () => true
const NONE: Only = () => false

interface Peer {
  readonly socket: WebSocket
  readonly attempt: Attempt
  readonly room: Room
  /** Answers that wait for the disk. */
  readonly waiting: Uint8Array[]
  /** The awareness entry it speaks for. */
  entry: Entry | null
}

interface Room {
  doc: Y.Doc
  readonly disk: Y.Doc
  readonly peers: Set<Peer>
}

export class Relay {
  /** Every connection that was asked for, those refused as well. */
  readonly attempts: Attempt[] = []
  /** Everything that came from clients, in order. */
  readonly received: Received[] = []
  /** Whether the disk takes what comes; while not, nothing is answered as saved. */
  #writes = true
  #deafTo: Only = NONE
  #refuses: Only = NONE
  #refusal = 503
  #accepts: (token: string | undefined) => boolean = () => true
  #forbidden: Only = NONE
  #asks = true
  readonly #rooms = new Map<string, Room>()
  #http: Server | null = null
  #port = 0

  /** Where its rooms are. */
  get url(): string {
    return `ws://127.0.0.1:${this.#port}/docs`
  }

  /** The document as the relay shows it. */
  doc(id: string): Y.Doc {
    return this.#room(id).doc
  }

  /** The document as it would be after a crash. */
  disk(id: string): Y.Doc {
    return this.#room(id).disk
  }

  /** How many are connected, or connected to one room. */
  connections(id?: string): number {
    const rooms = id === undefined ? [...this.#rooms.values()] : [this.#room(id)]
    return rooms.reduce((sum, room) => sum + room.peers.size, 0)
  }

  /** How many frames of a type have come. */
  count(type: Received["type"]): number {
    return this.received.filter((frame) => frame.type === type).length
  }

  async listen(): Promise<void> {
    // It has sockets alone.
    const http = createServer((_, response) => response.writeHead(404).end())
    const sockets = new WebSocketServer({
      noServer: true,
      // As the real server: see LIMITS.frameBytes.
      maxPayload: 26 * 1024 * 1024,
      handleProtocols: (offered) => (offered.has("yurt") ? "yurt" : false),
    })
    http.on("upgrade", (request, socket, head) => {
      const attempt = readAttempt(request)
      this.attempts.push(attempt)
      // A client that has given up meanwhile resets its end: nothing to do about it.
      socket.on("error", () => {})
      if (this.#refuses(attempt)) {
        socket.end(`HTTP/1.1 ${this.#refusal} ${STATUS_CODES[this.#refusal]}\r\nConnection: close\r\n\r\n`)
        return
      }
      sockets.handleUpgrade(request, socket, head, (opened) => this.#join(opened, attempt))
    })
    http.listen(this.#port, "127.0.0.1")
    await once(http, "listening")
    this.#port = (http.address() as AddressInfo).port
    this.#http = http
  }

  /** Stop listening and cut every connection. */
  async stop(): Promise<void> {
    const http = this.#http
    if (http === null) return
    this.#http = null
    this.drop()
    http.close()
    http.closeAllConnections()
    await once(http, "close")
  }

  /** Die, and forget all that was not saved. `listen` brings it back on the same port. */
  async crash(): Promise<void> {
    await this.stop()
    for (const room of this.#rooms.values()) {
      room.doc = new Y.Doc()
      Y.applyUpdate(room.doc, Y.encodeStateAsUpdate(room.disk))
    }
  }

  /** The disk takes nothing until `flush`. */
  hold(): void {
    this.#writes = false
  }

  /** The disk takes everything that waits, and goes on. */
  flush(): void {
    this.#writes = true
    for (const room of this.#rooms.values()) {
      store(room)
      for (const peer of room.peers) {
        for (const payload of peer.waiting.splice(0)) peer.socket.send(wire.writeSaved(payload))
      }
    }
  }

  /** Hear nothing any more from these, with their sockets left open. */
  mute(only: Only = ALL): void {
    this.#deafTo = only
  }

  /** Hear everybody again. */
  unmute(): void {
    this.#deafTo = NONE
  }

  /** Cut these connections without a goodbye. */
  drop(only: Only = ALL): void {
    for (const { socket, attempt } of this.#peers()) if (only(attempt)) socket.terminate()
  }

  /** Close every connection with a code. */
  close(code: number, reason: string): void {
    for (const { socket } of this.#peers()) socket.close(code, reason)
  }

  /** Refuse upgrades with an HTTP status. */
  refuse(status: number, only: Only = ALL): void {
    this.#refusal = status
    this.#refuses = only
  }

  /** Accept upgrades again. */
  admit(): void {
    this.#refuses = NONE
  }

  /** Close connections with 4401 whose token this does not accept. */
  check(accepts: (token: string | undefined) => boolean): void {
    this.#accepts = accepts
  }

  /** Refuse every change of these from now on. */
  forbidWriting(only: Only = ALL): void {
    this.#forbidden = only
  }

  /** Take changes again. */
  allowWriting(): void {
    this.#forbidden = NONE
  }

  /** Send no step 1 to whoever connects: the room wants no changes. */
  stopAsking(): void {
    this.#asks = false
  }

  /** Ask everybody for what a room lacks. */
  ask(): void {
    for (const { socket, room } of this.#peers()) socket.send(wire.writeStep1(Y.encodeStateVector(room.doc)))
  }

  /** Send these bytes to everybody. */
  send(message: Uint8Array | string): void {
    for (const { socket } of this.#peers()) socket.send(message)
  }

  /**
   * Change a document under somebody's client id, and keep it as saved: what a client finds that was away while the room
   * lost what it had made, or while somebody else wrote under its id.
   */
  forge(id: string, client: number, change: (doc: Y.Doc) => void): void {
    const room = this.#room(id)
    const own = room.doc.clientID
    room.doc.clientID = client
    this.edit(id, change)
    room.doc.clientID = own
    store(room)
  }

  /** Change a document, as a server would. */
  edit(id: string, change: (doc: Y.Doc) => void): void {
    const room = this.#room(id)
    room.doc.once("update", (update: Uint8Array) => tell(room, wire.writeUpdate(update)))
    room.doc.transact(() => change(room.doc))
  }

  #peers(): Peer[] {
    return [...this.#rooms.values()].flatMap((room) => [...room.peers])
  }

  #room(id: string): Room {
    const known = this.#rooms.get(id)
    if (known !== undefined) return known
    const room = { doc: new Y.Doc(), disk: new Y.Doc(), peers: new Set<Peer>() }
    this.#rooms.set(id, room)
    return room
  }

  #join(socket: WebSocket, attempt: Attempt): void {
    if (!this.#accepts(attempt.protocols[1])) {
      socket.close(4401, "The token is not good")
      return
    }
    const room = this.#room(attempt.path.slice("/docs/".length))
    const peer: Peer = { socket, attempt, room, waiting: [], entry: null }
    room.peers.add(peer)
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#take(peer, wire.readFrame(new Uint8Array(data)))
      else this.#takeText(peer, data.toString())
    })
    socket.on("close", () => this.#leave(peer))
    if (this.#asks) socket.send(wire.writeStep1(Y.encodeStateVector(room.doc)))
    for (const { entry } of room.peers) if (entry !== null) socket.send(writeEntry(entry))
  }

  #leave(peer: Peer): void {
    peer.room.peers.delete(peer)
    if (peer.entry !== null) tell(peer.room, writeEntry({ ...peer.entry, state: "null" }))
  }

  /** A client belongs to the socket that spoke for it first: stock clients repeat what they hear of others. */
  #note(peer: Peer, entry: Entry): void {
    for (const other of peer.room.peers) {
      if (other === peer || other.entry?.client !== entry.client) continue
      if (other.socket.readyState === other.socket.OPEN) return
      other.entry = null
    }
    if (peer.entry !== null && (peer.entry.client !== entry.client || peer.entry.clock >= entry.clock)) return
    peer.entry = entry.state === "null" ? null : entry
    // Its sender hears it as well: stock clients live on that echo.
    tell(peer.room, writeEntry(entry))
  }

  #takeText(peer: Peer, text: string): void {
    this.received.push({ type: "text", text })
    if (!this.#deafTo(peer.attempt)) peer.socket.send(text === wire.PING ? wire.PONG : text)
  }

  #take(peer: Peer, frame: wire.Frame): void {
    this.received.push(frame)
    if (this.#deafTo(peer.attempt)) return
    const { room, socket } = peer
    switch (frame.type) {
      case "step-1":
        socket.send(wire.writeStep2(Y.encodeStateAsUpdate(room.doc, frame.stateVector)))
        break
      case "step-2":
      case "update":
        if (this.#forbidden(peer.attempt)) {
          socket.send(wire.writeRefusal("The token may read, but not write"))
          break
        }
        Y.applyUpdate(room.doc, frame.update)
        if (this.#writes) store(room)
        tell(room, wire.writeUpdate(frame.update), peer)
        break
      case "awareness":
        for (const entry of readEntries(frame.entries)) this.#note(peer, entry)
        break
      case "saved":
        if (this.#writes) socket.send(wire.writeSaved(frame.payload))
        else peer.waiting.push(frame.payload)
        break
      case "renewal": {
        const token = new TextDecoder().decode(frame.payload)
        const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
        socket.send(wire.writeRenewed(exp * 1000))
        break
      }
      case "query":
      case "refusal":
      case "notice":
      case "probe":
        break
      default:
        throw new TypeError(`Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }
}

/** A relay that listens on a port of its own. */
export async function openRelay(): Promise<Relay> {
  const relay = new Relay()
  await relay.listen()
  return relay
}

function tell(room: Room, frame: Uint8Array, except?: Peer): void {
  for (const peer of room.peers) if (peer !== except) peer.socket.send(frame)
}

function store(room: Room): void {
  Y.applyUpdate(room.disk, Y.encodeStateAsUpdate(room.doc, Y.encodeStateVector(room.disk)))
}

function readAttempt(request: IncomingMessage): Attempt {
  const url = new URL(request.url ?? "", "http://relay")
  const protocols = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim())
  return { path: decodeURIComponent(url.pathname), query: url.searchParams, protocols }
}

interface Entry {
  readonly client: number
  readonly clock: number
  readonly state: string
}

function readEntries(entries: Uint8Array): Entry[] {
  const decoder = decoding.createDecoder(entries)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    client: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    state: decoding.readVarString(decoder),
  }))
}

function writeEntry({ client, clock, state }: Entry): Uint8Array {
  const entries = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, state)
  })
  return wire.writeAwareness(entries)
}
