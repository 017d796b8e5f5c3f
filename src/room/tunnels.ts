/**
 * Peers whose network lets no WebSocket through (see wire/tunnel.ts). Their sockets end at this server: in the Worker,
 * which streams what comes, or here, in a mailbox, where what comes waits for the next request. What they say is brought by
 * requests, and is heard as if it had come on the socket.
 *
 * A mailbox keeps the room in memory while somebody asks for it. What it holds is bounded by the room's own back pressure:
 * who does not read echoes no probe. All together have a bound as well, since they lie in the room's own memory: who has not
 * asked for the longest time goes first.
 */
import { type Grant, narrow } from "../access/rights.ts"
import { asSyncError, SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { type ChannelFrame, writeChannelFrame } from "../wire/bundle.ts"
import { readUp } from "../wire/tunnel.ts"
import { type Crowd, closeQuietly, type SocketPeer } from "./crowd.ts"
import type { Dialogue } from "./dialogue.ts"

/** What came on a socket, until it is asked for. */
interface Mailbox {
  readonly socket: WebSocket
  readonly subject: string | null
  /** Channel messages. */
  messages: Uint8Array[]
  bytes: number
  /** Nothing comes after these. */
  isClosed: boolean
  /** Answers who waits. */
  answer: () => void
  /** Ends it when nobody asks any more. */
  idle: ReturnType<typeof setTimeout> | undefined
}

/** Sockets over HTTP. */
export class Tunnels {
  readonly #crowd: Crowd
  readonly #dialogue: Dialogue
  readonly #limits: Limits
  readonly #left: (peer: SocketPeer) => void
  /** By session; who has asked last is last. */
  readonly #mailboxes = new Map<string, Mailbox>()
  /** What all of them hold. */
  #bytes = 0

  /** @param parts.left a peer has gone */
  constructor(parts: { crowd: Crowd; dialogue: Dialogue; limits: Limits; left: (peer: SocketPeer) => void }) {
    this.#crowd = parts.crowd
    this.#dialogue = parts.dialogue
    this.#limits = parts.limits
    this.#left = parts.left
  }

  /** Hear what a request brings, with the rights that both its token and the session's own give. @throws SyncError unavailable | forbidden */
  hear(session: string, body: Uint8Array, grant: Grant): void {
    const peer = this.#crowd.findNamed(session)
    if (peer === undefined) throw ended()
    checkOwner(peer.grant, grant)
    const own = peer.grant
    const heard = narrow(own, grant)
    peer.grant = heard
    try {
      for (const frame of readUp(body)) {
        if (frame.type === "message") this.#dialogue.hear(peer, frame.message)
        else if (frame.type === "close") return this.#leave(session, peer)
        else throw new SyncError("bad-frame", `A client says no ${frame.type}`)
        // Who was closed for what it said has no more to say.
        if (peer.standing === "closing") return
      }
    } catch (thrown) {
      this.#crowd.refuse(peer, asSyncError(thrown))
    } finally {
      if (peer.grant === heard) peer.grant = own
    }
  }

  /** Keep the client's end of a peer's socket in a mailbox. */
  keep(session: string, { socket, grant }: { socket: WebSocket; grant: Grant }): void {
    this.#drop(session)
    const { subject } = grant
    const mailbox: Mailbox = {
      ...{ socket, subject, messages: [], bytes: 0, isClosed: false, answer: () => {}, idle: undefined },
    }
    this.#mailboxes.set(session, mailbox)
    const put = (frame: ChannelFrame) => {
      // It is dropped, and its socket closes.
      if (this.#mailboxes.get(session) !== mailbox) return
      const message = writeChannelFrame(frame)
      mailbox.messages.push(message)
      this.#hold(mailbox, message.length)
      mailbox.answer()
      this.#relieve()
    }
    socket.binaryType = "arraybuffer"
    socket.addEventListener("message", ({ data }) => {
      const message = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)
      put({ channel: 0, type: "message", message })
    })
    socket.addEventListener("close", ({ code, reason }) => {
      mailbox.isClosed = true
      put({ channel: 0, type: "close", code, reason })
      closeQuietly(socket, { code: 1000, reason: "" })
    })
    put({ channel: 0, type: "opened" })
    this.#expect(session, mailbox)
    socket.accept()
  }

  /** What has come for a peer: at once, with the next that comes, or nothing after `waitMs`. @throws SyncError unavailable | forbidden */
  async collect(session: string, waitMs: number, grant: Grant): Promise<Uint8Array[]> {
    const mailbox = this.#mailboxes.get(session)
    if (mailbox === undefined) throw ended()
    checkOwner(mailbox, grant)
    clearTimeout(mailbox.idle)
    this.#mailboxes.delete(session)
    this.#mailboxes.set(session, mailbox)
    // Who still waits is answered with nothing: its request is lost.
    mailbox.answer()
    if (mailbox.messages.length === 0 && waitMs > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs)
        mailbox.answer = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    const { messages } = mailbox
    // Another one may have taken its place while this one waited: that lives by its own clock.
    const isOver = this.#mailboxes.get(session) !== mailbox
    let bytes = 0
    const rest = messages.findIndex(({ length }, i) => {
      bytes += length
      return i > 0 && bytes > this.#limits.collectBytes
    })
    const taken = messages.splice(0, rest < 0 ? messages.length : rest)
    if (isOver) return taken
    this.#hold(mailbox, -taken.reduce((sum, { length }) => sum + length, 0))
    if (mailbox.isClosed && messages.length === 0) this.#mailboxes.delete(session)
    else this.#expect(session, mailbox)
    return taken
  }

  #hold(mailbox: Mailbox, bytes: number): void {
    mailbox.bytes += bytes
    this.#bytes += bytes
  }

  /** Let those go that hold much and have not asked for the longest time; never the one that asked last. */
  #relieve(): void {
    const { mailboxesBytes, probeBytes } = this.#limits
    if (this.#bytes <= mailboxesBytes) return
    const latest = [...this.#mailboxes.keys()].at(-1)
    for (const [session, { bytes }] of [...this.#mailboxes]) {
      if (this.#bytes <= mailboxesBytes) return
      if (bytes > probeBytes && session !== latest) this.#drop(session)
    }
  }

  #expect(session: string, mailbox: Mailbox): void {
    clearTimeout(mailbox.idle)
    mailbox.idle = setTimeout(() => this.#drop(session), this.#limits.mailboxMs)
  }

  #leave(session: string, peer: SocketPeer): void {
    this.#left(peer)
    closeQuietly(peer.connection, { code: 1000, reason: "" })
    this.#drop(session)
  }

  #drop(session: string): void {
    const mailbox = this.#mailboxes.get(session)
    if (mailbox === undefined) return
    this.#mailboxes.delete(session)
    this.#hold(mailbox, -mailbox.bytes)
    clearTimeout(mailbox.idle)
    mailbox.answer()
    closeQuietly(mailbox.socket, { code: 1000, reason: "" })
  }
}

function ended(): SyncError {
  return new SyncError("unavailable", "This session has ended; begin another one")
}

/** @throws SyncError forbidden */
function checkOwner(owner: { readonly subject: string | null }, { subject }: Grant): void {
  if (owner.subject !== subject) throw new SyncError("forbidden", "This session is someone else's")
}
