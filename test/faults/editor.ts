/**
 * An honest client with a known history: it keeps its document over any number of connections, gives the room what the
 * room lacks, asks whether it is saved, and remembers what was acknowledged. It speaks the stock dialect by
 * y-protocols alone, so that a fault of our own codec cannot hide itself.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import type * as prng from "lib0/prng"
import * as random from "lib0/prng"
import { WebSocket } from "ws"
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync"
import * as Y from "yjs"
import { until } from "../kit/server.ts"

const SYNC = 0
const AWARENESS = 1
const REFUSAL = 2
const QUERY = 3
const SAVED = 102

/** Every fifth edit takes back what this many edits earlier was put there for it. */
const TAKEN_BACK_AFTER = 2

export class Editor {
  readonly name: string
  readonly doc = new Y.Doc()
  /** How many edits were made. */
  made = 0
  /** How many of them, from the first on, were acknowledged as saved. */
  acknowledged = 0
  /** The room's step 2 has come on the connection that is open now. */
  synced = false
  /** Close codes of the connections that this editor did not close itself; 1006 where there was none. */
  readonly losses: number[] = []
  readonly refusals: string[] = []
  /** What could not be read or applied. */
  readonly faults: unknown[] = []
  /** The own clock after each edit. */
  readonly #clocks: number[] = []
  readonly #random: prng.PRNG
  #socket: WebSocket | null = null
  /** The room was given what it lacked, so that an acknowledgement means everything. */
  #given = false

  constructor(name: string, seed: number) {
    this.name = name
    this.#random = random.create(seed)
    this.doc.clientID = random.uint32(this.#random, 1, 2 ** 32 - 1)
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#write(SYNC, (encoder) => writeUpdate(encoder, update))
    })
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  /** Open a connection; resolves when the room's document is here and the room was given what it lacked. */
  async connect(address: string): Promise<void> {
    this.open(address)
    await until(() => this.#given && this.synced, `${this.name} is in sync`, { everyMs: 2 })
  }

  /** Open a connection and do not wait for anything. */
  open(address: string): void {
    this.disconnect()
    const socket = new WebSocket(address, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 })
    this.#socket = socket
    socket.on("open", () => this.#write(SYNC, (encoder) => writeSyncStep1(encoder, this.doc)))
    socket.on("message", (data: Buffer, isBinary) => {
      if (socket !== this.#socket) return
      try {
        if (isBinary) this.#receive(data)
      } catch (thrown) {
        this.faults.push(thrown)
      }
    })
    socket.on("close", (code) => {
      if (socket !== this.#socket) return
      this.losses.push(code)
      this.synced = false
      this.#given = false
    })
    socket.on("error", () => {}) // its close follows
  }

  /** Leave without a word, as a closed laptop does. */
  disconnect(): void {
    const socket = this.#socket
    this.#socket = null
    this.synced = false
    this.#given = false
    socket?.terminate()
  }

  /** Make edits of the known history. */
  write(count = 1): void {
    const map = this.doc.getMap("map")
    const text = this.doc.getText("text")
    for (; count > 0; count--) {
      const n = this.made
      this.doc.transact(() => {
        map.set(this.#key(n), n)
        if (n % 5 === 2) map.set(this.#temporaryKey(n), n)
        if (n % 5 === 2 + TAKEN_BACK_AFTER) map.delete(this.#temporaryKey(n - TAKEN_BACK_AFTER))
        const at = random.int32(this.#random, 0, text.length)
        if (n % 7 === 6 && at < text.length) text.delete(at, 1)
        else text.insert(at, random.word(this.#random, 1, 3))
      })
      this.made++
      this.#clocks.push(Y.getState(this.doc.store, this.doc.clientID))
    }
  }

  /** Ask for an acknowledgement of everything made so far. Nothing happens where the room has not all of it. */
  ask(): void {
    if (!this.#given) return
    const payload = encoding.encode((encoder) => encoding.writeVarUint(encoder, this.made))
    this.#write(SAVED, (encoder) => encoding.writeVarUint8Array(encoder, payload))
  }

  /** Resolves when everything made so far is acknowledged. */
  async saved({ timeoutMs = 15_000 } = {}): Promise<void> {
    const { made } = this
    this.ask()
    await until(() => this.acknowledged >= made, `${this.name} is told that ${made} edits are saved`, {
      everyMs: 2,
      timeoutMs,
    })
  }

  /** Make an edit and ask, again and again, a few ahead of the answers; until the returned function is called. */
  keepWriting({ ahead = 20 } = {}): () => Promise<void> {
    let writes = true
    const done = (async () => {
      while (writes) {
        if (!this.connected || this.made - this.acknowledged < ahead) {
          this.write()
          this.ask()
        }
        await new Promise((resolve) => setTimeout(resolve, this.connected ? 1 : 10))
      }
    })()
    return async () => {
      writes = false
      await done
    }
  }

  /** What of the acknowledged history is not in this document. */
  lostIn(doc: Y.Doc): string[] {
    const map = doc.getMap("map")
    const lost: string[] = []
    for (let n = 0; n < this.acknowledged; n++) {
      if (map.get(this.#key(n)) !== n) lost.push(this.#key(n))
      if (n % 5 === 2 && n + TAKEN_BACK_AFTER < this.acknowledged && map.has(this.#temporaryKey(n))) {
        lost.push(`the deletion of ${this.#temporaryKey(n)}`)
      }
    }
    const reached = Y.getState(doc.store, this.doc.clientID)
    const clock = this.#clocks[this.acknowledged - 1] ?? 0
    if (reached < clock) lost.push(`${this.name} at clock ${clock}: it ends at ${reached}`)
    return lost
  }

  /** Forget what was lost and refused so far: the fault was meant to do that. */
  forgive(): void {
    this.losses.length = 0
    this.refusals.length = 0
  }

  /** Take somebody else's update and send it on as it is, as a relay would. */
  passOn(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this)
    this.#write(SYNC, (encoder) => writeUpdate(encoder, update))
  }

  #send(message: Uint8Array): void {
    if (this.connected) this.#socket!.send(message)
  }

  #key(n: number): string {
    return `${this.name}:${n}`
  }

  #temporaryKey(n: number): string {
    return `${this.name}:temporary:${n}`
  }

  #receive(data: Uint8Array): void {
    const decoder = decoding.createDecoder(data)
    const type = decoding.readVarUint(decoder)
    switch (type) {
      case SYNC: {
        const encoder = encoding.createEncoder()
        encoding.writeVarUint(encoder, SYNC)
        const step = readSyncMessage(decoder, encoder, this.doc, this, (error) => this.faults.push(error))
        if (encoding.length(encoder) > 1) this.#send(encoding.toUint8Array(encoder))
        if (step === 0) {
          this.#given = true
          if (this.acknowledged < this.made) this.ask()
        }
        if (step === 1) this.synced = true
        return
      }
      case AWARENESS:
        return
      case REFUSAL:
        decoding.readVarUint(decoder)
        this.refusals.push(decoding.readVarString(decoder))
        return
      case QUERY:
        // "Nothing" is an answer: it shows that this side reads.
        return this.#write(AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, Uint8Array.of(0)))
      case SAVED: {
        const payload = decoding.createDecoder(decoding.readVarUint8Array(decoder))
        this.acknowledged = Math.max(this.acknowledged, decoding.readVarUint(payload))
        return
      }
      default:
        throw new Error(`An editor got an unknown frame ${type}`)
    }
  }

  #write(type: number, rest: (encoder: encoding.Encoder) => void): void {
    this.#send(
      encoding.encode((encoder) => {
        encoding.writeVarUint(encoder, type)
        rest(encoder)
      }),
    )
  }
}
