/**
 * A client for load: one `ws` socket without compression that sends prepared frames and hands every incoming frame, with
 * its kind, to whoever listens. It is not the DocumentClient of kit/client.ts, because it only measures: it holds no
 * Y.Doc and decodes nothing, so that the load never waits for Yjs, and it speaks the dialects of other servers too.
 */

import * as encoding from "lib0/encoding"
import { WebSocket } from "ws"
import type { Server } from "./servers.ts"

/** What a client of a load does beside sending. */
export interface LoadOptions {
  /** Hears every frame from the first on. */
  readonly listener?: Listener | undefined
  /**
   * Pass on the presence that is heard, as stock clients do: it is by this that a room knows they read. Left out where cursors
   * are measured, since all systems would have to carry everything once more.
   */
  readonly passesOn?: boolean | undefined
}

/** What a frame is. `other`: acknowledgements, authentication, whatever the load has no use for. */
export type Kind = "step1" | "step2" | "update" | "awareness" | "echo" | "other"

export type Listener = (kind: Kind, frame: Buffer) => void

const OPEN_LIMIT_MS = 30_000
const ECHO = 102

export class LoadClient {
  readonly #socket: WebSocket
  readonly #prefix: Uint8Array
  /** Frames received so far. */
  frames = 0
  /** Bytes received so far. */
  bytes = 0
  /** When the last frame with content (step 2, update, awareness) came, ms on the `performance` clock. */
  lastAtMs = 0
  /** When the last text message came, ms. */
  lastTextAtMs = 0
  listener: Listener = () => {}
  closed: { code: number; reason: string } | null = null

  private constructor(socket: WebSocket, prefix: Uint8Array, { passesOn = false }: LoadOptions) {
    this.#socket = socket
    this.#prefix = prefix
    socket.on("message", (data: Buffer, isBinary) => {
      this.frames++
      this.bytes += data.length
      if (!isBinary) {
        this.lastTextAtMs = performance.now()
        return this.listener("other", data)
      }
      const kind = this.#kindOf(data)
      if (kind === "awareness" && passesOn) this.#socket.send(data)
      if (kind === "step1") this.send(1, STEP_2_OF_NOTHING)
      else if (kind !== "other") this.lastAtMs = performance.now()
      this.listener(kind, data)
    })
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() }
    })
    socket.on("error", () => {})
  }

  /**
   * Connect, say hello as the dialect asks, and wait until the server has answered with the document.
   * A system that answers nothing is ready when the socket is open.
   *
   * @throws Error when the socket closes or nothing comes within 30 s
   */
  static async connect(server: Server, id: string, options: LoadOptions = {}): Promise<LoadClient> {
    const { dialect } = server.system
    const socket = new WebSocket(server.address(id), {
      perMessageDeflate: false,
      maxPayload: 256 * 1024 * 1024,
    })
    const client = new LoadClient(socket, dialect.prefix(id), options)
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => refuse("nothing came within 30 s"), OPEN_LIMIT_MS)
      const refuse = (why: string) => {
        clearTimeout(late)
        socket.terminate()
        reject(new Error(`${server.system.name}: no connection at ${id}: ${why}`))
      }
      const ready = () => {
        clearTimeout(late)
        client.listener = options.listener ?? (() => {})
        resolve()
      }
      client.listener = (kind, frame) => {
        options.listener?.(kind, frame)
        if (kind === "step2") ready()
      }
      socket.on("open", () => {
        for (const frame of dialect.hello(id)) socket.send(frame)
        if (!dialect.answers) ready()
      })
      socket.on("close", (code, reason) => refuse(`closed with ${code} ${reason.toString()}`))
      socket.on("error", (error) => refuse(error.message))
    })
    return client
  }

  /** Send what `frame` made, as it is. */
  sendFrame(frame: Uint8Array): void {
    this.#socket.send(frame)
  }

  /** Send a sync message: `1` step 2, `2` update. */
  send(type: 1 | 2, update: Uint8Array): void {
    this.#socket.send(this.frame(type, update))
  }

  sendText(text: string): void {
    this.#socket.send(text)
  }

  /** Ask for an echo once everything sent before is durable (type 102, the y-sweet dialect; Yurt only). */
  askEcho(version: number): void {
    this.#socket.send(
      encoding.encode((encoder) => {
        encoding.writeVarUint(encoder, ECHO)
        encoding.writeVarUint8Array(
          encoder,
          encoding.encode((inner) => encoding.writeVarUint(inner, version)),
        )
      }),
    )
  }

  /** A sync frame of this client's dialect, ready to send. */
  frame(type: 1 | 2, update: Uint8Array): Uint8Array {
    return encoding.encode((encoder) => {
      encoding.writeUint8Array(encoder, this.#prefix)
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarUint(encoder, type)
      encoding.writeVarUint8Array(encoder, update)
    })
  }

  /** An awareness frame of one state, ready to send. */
  awarenessFrame(state: { clientId: number; clock: number; json: string }): Uint8Array {
    return encoding.encode((encoder) => {
      encoding.writeUint8Array(encoder, this.#prefix)
      encoding.writeVarUint(encoder, 1)
      const states = encoding.encode((inner) => {
        encoding.writeVarUint(inner, 1)
        encoding.writeVarUint(inner, state.clientId)
        encoding.writeVarUint(inner, state.clock)
        encoding.writeVarString(inner, state.json)
      })
      encoding.writeVarUint8Array(encoder, states)
    })
  }

  /** The bytes inside a step 2, update, awareness or echo frame. */
  payload(kind: Kind, frame: Buffer): Buffer {
    let at = this.#prefix.length + (kind === "awareness" || kind === "echo" ? 1 : 2)
    let length = 0
    let factor = 1
    for (;;) {
      const byte = frame[at++]!
      length += (byte & 127) * factor
      factor *= 128
      if (byte < 128) return frame.subarray(at, at + length)
    }
  }

  /** Bytes that the socket has not handed to the kernel yet. */
  get waitingBytes(): number {
    return this.#socket.bufferedAmount
  }

  /** Close; a server that has not agreed within 200 ms finds the socket gone. */
  async leave(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => {
        this.#socket.terminate()
        resolve()
      }, 200)
      this.#socket.once("close", () => {
        clearTimeout(late)
        resolve()
      })
      this.#socket.close()
    })
  }

  #kindOf(frame: Buffer): Kind {
    const at = this.#prefix.length
    switch (frame[at]) {
      case 0:
        return frame[at + 1] === 2 ? "update" : frame[at + 1] === 1 ? "step2" : "step1"
      case 1:
        return "awareness"
      case ECHO:
        return "echo"
      default:
        return "other"
    }
  }
}

const STEP_2_OF_NOTHING = Uint8Array.of(0, 0)

/** Connect many clients, some at a time. */
export async function connectAll(
  server: Server,
  ids: readonly string[],
  options: { listener?: (index: number) => Listener; passesOn?: boolean; atOnce?: number } = {},
): Promise<LoadClient[]> {
  const clients: LoadClient[] = new Array(ids.length)
  let next = 0
  const worker = async () => {
    for (let index = next++; index < ids.length; index = next++) {
      const { passesOn } = options
      clients[index] = await LoadClient.connect(server, ids[index]!, {
        listener: options.listener?.(index),
        passesOn,
      })
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.atOnce ?? 20, ids.length) }, worker))
  return clients
}

/** Everyone disconnects. */
export const disconnectAll = async (clients: readonly LoadClient[]): Promise<void> => {
  await Promise.all(clients.map((client) => client.leave()))
}
