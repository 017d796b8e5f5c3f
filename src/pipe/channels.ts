/** Our own client with many documents on one socket: channels ↔ sockets of rooms. What is on a channel is not looked at. */
import { asSyncError, closeReason, SyncError } from "../errors.ts"
import { readChannelFrame, writeChannelFrame } from "../wire/bundle.ts"
import { Bundle, type BundleLimits, type Loss, type Socket, type Speech } from "./bundle.ts"

/** A client on whose socket channels are opened. */
export class Channels implements Speech<number> {
  readonly #bundle: Bundle<number>
  readonly #open: (path: string, token: string | null) => Promise<Socket>
  #nonce = ""

  /** @param options.open opens the socket that a path of the documents' address leads to, with what the token is worth */
  constructor(
    client: Socket,
    { limits, open }: { limits: BundleLimits; open: (path: string, token: string | null) => Promise<Socket> },
  ) {
    this.#open = open
    this.#bundle = new Bundle(client, limits)
    this.#bundle.begin(this)
  }

  hear(message: Uint8Array | string): void {
    try {
      if (typeof message === "string") throw new SyncError("bad-frame", "A text that is on no channel")
      this.#take(message)
    } catch (thrown) {
      this.#bundle.end(asSyncError(thrown))
    }
  }

  relay(channel: number, message: Uint8Array | string): void {
    this.#bundle.tell(writeChannelFrame({ channel, type: "message", message }))
  }

  opened(channel: number): void {
    this.#bundle.tell(writeChannelFrame({ channel, type: "opened" }))
  }

  lost(channel: number, { code, reason }: Loss): void {
    this.#bundle.tell(writeChannelFrame({ channel, type: "close", code, reason: closeReason(reason) }))
  }

  probe(): void {
    const nonce = crypto.getRandomValues(new Uint8Array(8))
    this.#nonce = nonce.join()
    this.#bundle.tell(writeChannelFrame({ channel: 0, type: "probe", nonce }))
  }

  ended(): void {}

  #take(message: Uint8Array): void {
    const frame = readChannelFrame(message)
    const { channel, type } = frame
    switch (type) {
      case "open": {
        const { path, token } = frame
        if (this.#bundle.has(channel)) throw new SyncError("bad-frame", `Channel ${channel} is open`)
        try {
          this.#bundle.open(channel, () => this.#open(path, token === "" ? null : token))
        } catch (thrown) {
          const { closeCode, message } = asSyncError(thrown)
          this.lost(channel, { code: closeCode, reason: message })
        }
        return
      }
      case "message":
        return this.#bundle.pass(channel, frame.message)
      case "close": {
        const { code, reason } = frame
        // Codes below these are the platform's own words.
        const own = code >= 3000 && code < 5000 ? code : 1000
        return this.#bundle.close(channel, { code: own, reason: closeReason(reason) })
      }
      case "probe":
        if (frame.nonce.join() === this.#nonce) this.#bundle.markRead()
        return
      case "opened":
        throw new SyncError("bad-frame", "A client opens, and does not say so")
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }
}
