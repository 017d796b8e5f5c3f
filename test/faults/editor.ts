/**
 * An honest client with a known history: it keeps its document over any number of connections, gives the room what the
 * room lacks, asks whether it is saved, and remembers what was acknowledged.
 */
import type * as prng from "lib0/prng"
import * as random from "lib0/prng"
import * as Y from "yjs"
import { renewal } from "../hostile/bytes.ts"
import { DocumentClient } from "../kit/client.ts"
import { clientSocketOf, openWebSocket } from "../kit/node-socket.ts"
import { type Patience, until } from "../kit/until.ts"
import type { RoomServer } from "./harness.ts"

/** No goodbye (1006), or one in which no code was named (1005) or nothing is wrong (1000, 1001). */
export const HARMLESS: readonly number[] = [1000, 1001, 1005, 1006]

/** Every fifth edit takes back what this many edits earlier was put there for it. */
const TAKEN_BACK_AFTER = 2

export interface EditorOptions {
  /** What its token says. A reader does not write. Default: write. */
  readonly rights?: "read" | "write"
  /** Offers the subprotocol `yurt`, and so gets the room's own frames. */
  readonly speaksYurt?: boolean
}

export class Editor extends DocumentClient {
  /** Its name, and its token's subject. */
  readonly name: string
  readonly rights: "read" | "write"
  /** How many edits were made. */
  made = 0
  readonly #protocols: string[]
  /** The own clock after each edit. */
  readonly #clocks: number[] = []
  readonly #random: prng.PRNG

  constructor(name: string, seed: number, { rights = "write", speaksYurt = false }: EditorOptions = {}) {
    super()
    this.name = name
    this.rights = rights
    this.#protocols = speaksYurt ? ["yurt"] : []
    this.#random = random.create(seed)
    this.writeUnder(random.uint32(this.#random, 1, 2 ** 32 - 1))
    this.onGiven = () => {
      if (this.acknowledged < this.made) this.ask()
    }
  }

  /** How many edits, from the first on, were acknowledged as saved. */
  get acknowledged(): number {
    return this.saved
  }

  /** Write, and show itself, under this client id, as every stock client does: it belongs to whoever shows themselves. */
  writeUnder(client: number): void {
    this.awareness.setLocalState(null)
    this.doc.clientID = client
    this.awareness.clientID = client
    this.awareness.setLocalState({ name: this.name })
  }

  /** Open a connection; resolves when the room's document is here and the room was given what it lacked. */
  async connect(server: RoomServer, id: string, port = server.port): Promise<void> {
    this.open(server, id, port)
    // The room asks no reader what it has.
    await until(() => (this.given || this.rights === "read") && this.synced, `${this.name} is in sync`, {
      everyMs: 2,
    })
  }

  /** Open a connection and do not wait for anything. */
  open(server: RoomServer, id: string, port = server.port): void {
    const address = server.address(id, { subject: this.name, rights: this.rights, port })
    this.attach(clientSocketOf(openWebSocket(address, { protocols: this.#protocols })))
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
    if (this.given) this.askSaved(this.made)
  }

  /** Go on with a fresh token on the open connection. */
  renew(token: string): void {
    this.send(renewal(token))
  }

  /** The room has refused something, or closed the connection for a reason of its own. */
  get turnedAway(): boolean {
    const { closed, refusals, notices } = this
    return refusals.length + notices.length > 0 || (closed !== null && !HARMLESS.includes(closed.code))
  }

  /**
   * Resolves when everything made so far is acknowledged.
   * @throws Error when the time is over, and at once where the room has turned this one away
   */
  async allSaved({ timeoutMs = 15_000 }: Patience = {}): Promise<void> {
    const { made } = this
    this.ask()
    const isSaved = () => this.acknowledged >= made
    await until(() => isSaved() || this.turnedAway, `${this.name} is told that ${made} edits are saved`, {
      everyMs: 2,
      timeoutMs,
    })
    if (!isSaved()) throw new Error(`${this.name} was turned away`)
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
    this.notices.length = 0
  }

  /** Take somebody else's update and send it on as it is, as a relay would. */
  passOn(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this)
    this.sendUpdate(update)
  }

  #key(n: number): string {
    return `${this.name}:${n}`
  }

  #temporaryKey(n: number): string {
    return `${this.name}:temporary:${n}`
  }
}
