/** The two ends of a socket for a bundle: what is sent to it is kept, and the test says what comes. */
import type { Socket } from "../../../src/pipe/bundle.ts"

type Listener = (event: never) => void

export class FakeSocket implements Socket {
  readonly sent: (Uint8Array | string)[] = []
  closed: { code?: number; reason?: string } | null = null
  accepted = false
  readonly #listeners = new Map<string, Listener[]>()

  accept(): void {
    this.accepted = true
  }

  send(message: Uint8Array | string): void {
    if (this.closed !== null) throw new TypeError("closed")
    this.sent.push(message)
  }

  close(code?: number, reason?: string): void {
    this.closed ??= { ...(code !== undefined && { code }), ...(reason !== undefined && { reason }) }
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
  }

  /** A message comes on it. */
  says(message: Uint8Array | string): void {
    const data = typeof message === "string" ? message : message.slice().buffer
    this.#happens("message", { data })
  }

  /** It is closed from the other side. */
  goes(code: number, reason = ""): void {
    this.#happens("close", { code, reason })
  }

  /** What was sent to it since this was asked last. */
  heard(): (Uint8Array | string)[] {
    return this.sent.splice(0)
  }

  #happens(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never)
  }
}

/** Resolves when what was begun in this turn has come to where it waits. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}
