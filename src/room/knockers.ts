/**
 * Knockers: who has a socket to a room and is not in it yet. Two things can be open: which dialect they speak, which
 * their first message tells, and who they are, which Hocuspocus says by its first frame instead of at the door.
 *
 * Nothing is told to someone who knocks but why they are not let in, and nothing is done for them but to verify their
 * token. What they send meanwhile is kept, within bounds of bytes, messages and time, and heard once they are in.
 */
import type { Connection } from "partyserver"
import type { Grant } from "../access/rights.ts"
import { asSyncError, closeReason, SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { Dialect } from "../wire/dialect.ts"
import { type Hello, hocuspocus, readHello } from "../wire/hocuspocus.ts"
import { yWebsocket } from "../wire/y-websocket.ts"
import { closeQuietly, sendQuietly } from "./crowd.ts"
import type { Emit } from "./events.ts"

/** What is known of somebody who knocks; a socket's attachment keeps it through a hibernation. */
export interface Knock {
  readonly standing: "knocking"
  /** What the door has granted; null: the token comes on the socket. */
  readonly grant: Grant | null
  /** Its path says that it speaks Hocuspocus; else its first message tells. */
  readonly isHocuspocus: boolean
  /** Since when it knocks, ms since 1970. */
  readonly sinceMs: number
}

/** How someone comes in. */
export interface Entrance {
  readonly grant: Grant
  readonly dialect: Dialect
  /** What it has sent already and nobody has heard. */
  readonly messages: readonly (Uint8Array | string)[]
}

/** Where things go from here. */
export interface Ports {
  /** What a token is worth here. @throws SyncError where it is worth nothing */
  verify(token: string): Promise<Grant>
  /** @throws SyncError room-full */
  checkSpace(grant: Grant): void
  /** Someone comes in. */
  admit(connection: Connection, entrance: Entrance): void
}

interface Knocker extends Knock {
  /** Its token is being verified. */
  isChecked: boolean
  /** All that it has sent. */
  messages: number
  bytes: number
  tokens: number
  /** What it has sent since its token is being verified. */
  kept: (Uint8Array | string)[]
  keptBytes: number
}

/** Those who knock at a room. */
export class Knockers {
  readonly #names: readonly string[]
  readonly #limits: Limits
  readonly #emit: Emit
  readonly #ports: Ports
  readonly #knockers = new Map<Connection, Knocker>()
  /** Of all of them. */
  #keptBytes = 0

  /** @param name the document's */
  constructor(name: string, { limits, emit, ...ports }: { limits: Limits; emit: Emit } & Ports) {
    // A client of a party knows the id alone.
    const [, id] = /^\/[^/]+\/(.*)$/s.exec(name) ?? []
    this.#names = id === undefined ? [name] : [name, id]
    this.#limits = limits
    this.#emit = emit
    this.#ports = ports
  }

  /** How many knock. */
  get size(): number {
    return this.#knockers.size
  }

  /** Whether this socket knocks. */
  has(connection: Connection): boolean {
    return this.#knockers.has(connection)
  }

  /** May another one knock that has shown no token? @throws SyncError room-full */
  checkSpace(): void {
    let strangers = 0
    for (const { grant } of this.#knockers.values()) if (grant === null) strangers++
    if (strangers >= this.#limits.knockers)
      throw new SyncError("room-full", `${strangers} sockets have shown no token yet; at most ${strangers}`)
  }

  /** Someone is at the door. */
  knock(connection: Connection, { grant, isHocuspocus }: Pick<Knock, "grant" | "isHocuspocus">): void {
    const knock: Knock = { standing: "knocking", grant, isHocuspocus, sinceMs: Date.now() }
    connection.setState(knock)
    this.#add(connection, knock)
  }

  /** A socket that outlived the room's memory. @returns whether it knocks */
  recall(connection: Connection): boolean {
    const knock = connection.state as { readonly standing: string } | null
    if (knock?.standing !== "knocking") return false
    this.#add(connection, knock as Knock)
    return true
  }

  /** Its socket has closed, or it is in. @returns whether it had knocked */
  left(connection: Connection): boolean {
    const knocker = this.#knockers.get(connection)
    if (knocker === undefined) return false
    this.#release(knocker)
    return this.#knockers.delete(connection)
  }

  /** Close those whose grants this means. */
  dismiss(isMeant: (grant: Grant) => boolean): void {
    for (const [connection, { grant }] of [...this.#knockers]) {
      if (grant !== null && isMeant(grant))
        this.#close(connection, new SyncError("unauthorized", "This token was revoked"))
    }
  }

  /** When somebody will have knocked for too long next, ms since 1970; null: nobody will. */
  get nextEndMs(): number | null {
    let next: number | null = null
    for (const knocker of this.#knockers.values()) {
      const endMs = this.#endOf(knocker)
      if (endMs !== null && (next === null || endMs < next)) next = endMs
    }
    return next
  }

  /** Close those who have knocked for too long. */
  closeLate(nowMs: number): void {
    for (const [connection, knocker] of [...this.#knockers]) {
      const endMs = this.#endOf(knocker)
      if (endMs !== null && endMs <= nowMs)
        this.#close(connection, new SyncError("unauthorized", "No token has come that opens this document"))
    }
  }

  /** A message has come. Never throws: what is wrong is answered. Resolves once its token is verified. */
  async hear(connection: Connection, message: Uint8Array | string): Promise<void> {
    const knocker = this.#knockers.get(connection)
    if (knocker === undefined) return
    try {
      this.#checkBounds(knocker, message)
      if (knocker.isChecked) return this.#keep(knocker, message)
      const hello = typeof message === "string" ? null : readHello(message)
      if (hello !== null) return await this.#greet(connection, { knocker, hello })
      // Before its token a Hocuspocus client has nothing to say that it would not say again.
      if (knocker.isHocuspocus || knocker.grant === null) return
      this.#enter(connection, { grant: knocker.grant, dialect: yWebsocket, messages: [message] })
    } catch (thrown) {
      this.#close(connection, asSyncError(thrown))
    }
  }

  async #greet(
    connection: Connection,
    { knocker, hello: { key, document, token } }: { knocker: Knocker; hello: Hello },
  ): Promise<void> {
    const { keyLength, knockTokens } = this.#limits
    if (key.length > keyLength)
      throw new SyncError("bad-frame", `A document's name of ${key.length} characters; at most ${keyLength}`)
    const dialect = hocuspocus(key)
    if (!this.#names.includes(document.normalize("NFC")))
      return this.#deny(connection, dialect, new SyncError("forbidden", "This address is another document's"))
    const { grant } = knocker
    // Open mode asks nobody who they are; and a token in the address need not be said again.
    if (grant !== null && (grant.subject === null || token === ""))
      return this.#enter(connection, { grant, dialect, messages: [] })
    if (token === "") return this.#deny(connection, dialect, new SyncError("unauthorized", "Bring a token"))
    if (++knocker.tokens > knockTokens) throw new SyncError("rate-limited", `More than ${knockTokens} tokens`)
    knocker.isChecked = true
    try {
      const verified = await this.#ports.verify(token)
      // Its socket may have closed meanwhile.
      if (this.#knockers.get(connection) !== knocker) return
      this.#ports.checkSpace(verified)
      this.#enter(connection, { grant: verified, dialect, messages: knocker.kept })
    } catch (thrown) {
      const error = asSyncError(thrown)
      // Everything else says nothing of the token: it is closed, and comes again.
      if (error.code !== "unauthorized" && error.code !== "forbidden") throw error
      this.#release(knocker)
      this.#deny(connection, dialect, error)
    }
  }

  /** It is told, and may show another token: from a close it would come back at once with the same one. */
  #deny(connection: Connection, dialect: Dialect, { code, message }: SyncError): void {
    this.#emit({ type: "refused", code, message, subject: null })
    const frame = dialect.write({ type: "denied", reason: message })
    if (frame !== null) sendQuietly(connection, frame)
  }

  #enter(connection: Connection, entrance: Entrance): void {
    this.left(connection)
    this.#ports.admit(connection, entrance)
  }

  /** @throws SyncError rate-limited */
  #checkBounds(knocker: Knocker, message: Uint8Array | string): void {
    const { knockMessages, knockBytes } = this.#limits
    knocker.messages++
    knocker.bytes += message.length
    // Whom the door has let in is heard as a peer from its first message on.
    if (knocker.grant !== null && !knocker.isHocuspocus) return
    if (knocker.messages > knockMessages || knocker.bytes > knockBytes) {
      const most = `at most ${knockMessages} messages and ${knockBytes} bytes`
      throw new SyncError("rate-limited", `Too much was sent before a token: ${most}`)
    }
  }

  /** @throws SyncError rate-limited */
  #keep(knocker: Knocker, message: Uint8Array | string): void {
    knocker.kept.push(message)
    knocker.keptBytes += message.length
    this.#keptBytes += message.length
    if (this.#keptBytes > this.#limits.knockTotalBytes)
      throw new SyncError("rate-limited", "Too much is kept for those who knock; try again in a moment")
  }

  /** What was kept of it is let go. */
  #release(knocker: Knocker): void {
    this.#keptBytes -= knocker.keptBytes
    knocker.keptBytes = 0
    knocker.kept = []
    knocker.isChecked = false
  }

  #endOf({ grant, sinceMs }: Knock): number | null {
    return grant === null ? sinceMs + this.#limits.knockMs : grant.expiresAtMs
  }

  #add(connection: Connection, knock: Knock): void {
    const nothing = { isChecked: false, messages: 0, bytes: 0, tokens: 0, kept: [], keptBytes: 0 }
    this.#knockers.set(connection, { ...knock, ...nothing })
  }

  #close(connection: Connection, error: SyncError): void {
    const { code, message, cause, closeCode } = error
    this.left(connection)
    this.#emit({ type: "refused", code, message, subject: null, cause })
    try {
      // It may never answer the close: after a sleep the room must not take it for a knocker again (R6).
      connection.setState({ standing: "closing" })
    } catch {
      // The socket is gone already.
    }
    closeQuietly(connection, { code: closeCode, reason: closeReason(message) })
  }
}
