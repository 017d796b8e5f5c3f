/**
 * As much of Redis as reading takes: its protocol, over a socket of Node. A client of the registry would be everybody's
 * dependency for the sake of four commands.
 *
 * @source Redis serialization protocol specification, RESP 2
 */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { CommandError } from "./terminal.ts"

/** What Redis answers; texts are bytes. */
export type Reply = Buffer | number | null | Reply[]

/** How long it may take to connect, and to answer one command, ms. */
const ANSWER_MS = 30_000

/** A connection. Commands are answered one after another. */
export class Redis {
  readonly #socket: Socket
  readonly #host: string
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = []
  #buffered: Buffer[] = []

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.#host = host
    socket.on("data", (chunk) => this.#read(chunk))
    const end = (cause?: Error) => {
      const gone = new CommandError("unreachable", `${host} is gone${cause ? `: ${cause.message}` : ""}.`)
      for (const { reject } of this.#waiting.splice(0)) reject(gone)
    }
    socket.on("error", end)
    socket.on("close", () => end())
  }

  /**
   * @param url `redis://user:password@host:6379/0`, or rediss:// with TLS
   * @throws CommandError "unreachable", "refused"
   */
  static async open(url: string): Promise<Redis> {
    const { protocol, hostname, port, username, password, pathname } = new URL(url)
    const at = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 6379) }
    const isTls = protocol === "rediss:"
    const socket = isTls ? connectTls({ ...at, servername: at.host }) : connect(at)
    try {
      await once(socket, isTls ? "secureConnect" : "connect", { signal: AbortSignal.timeout(ANSWER_MS) })
    } catch (thrown) {
      socket.destroy()
      throw new CommandError("unreachable", `${hostname} does not answer: ${(thrown as Error).message}.`)
    }
    const redis = new Redis(socket, hostname)
    try {
      const secret = decodeURIComponent(password)
      if (secret !== "")
        await redis.ask("AUTH", ...(username === "" ? [] : [decodeURIComponent(username)]), secret)
      const database = pathname.slice(1)
      if (database !== "") await redis.ask("SELECT", database)
      return redis
    } catch (thrown) {
      redis.close()
      throw thrown
    }
  }

  /** @throws CommandError "refused" with what it said, "unreachable" */
  ask(...words: (string | Buffer)[]): Promise<Reply> {
    const parts = words.flatMap((word) => [`$${Buffer.byteLength(word)}\r\n`, word, "\r\n"])
    const command = [`*${words.length}\r\n`, ...parts].map((part) => Buffer.from(part))
    let timer: NodeJS.Timeout
    return new Promise<Reply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      timer = setTimeout(() => this.#socket.destroy(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS)
      this.#socket.write(Buffer.concat(command))
    }).finally(() => clearTimeout(timer))
  }

  /** Every key of a kind that matches a pattern, in no order; none comes twice. */
  async *scan(pattern: string, type: "stream" | "list"): AsyncGenerator<string> {
    const seen = new Set<string>()
    let cursor = "0"
    do {
      const page = await this.ask("SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", type)
      const [next, keys] = listOf(page)
      for (const key of listOf(keys).map(String)) {
        if (seen.has(key)) continue
        seen.add(key)
        yield key
      }
      cursor = String(next)
    } while (cursor !== "0")
  }

  /** The field `m` of each entry of a stream, oldest first. */
  async messages(key: string): Promise<Buffer[]> {
    const found: Buffer[] = []
    for (const entry of listOf(await this.ask("XRANGE", key, "-", "+"))) {
      const fields = listOf(listOf(entry)[1])
      for (let at = 0; at < fields.length; at += 2) {
        const value = fields[at + 1]
        if (String(fields[at]) === "m" && isBytes(value)) found.push(value)
      }
    }
    return found
  }

  /** A list, whole. */
  async items(key: string): Promise<Buffer[]> {
    return listOf(await this.ask("LRANGE", key, "0", "-1")).filter(isBytes)
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    this.#buffered.push(chunk)
    // A large answer comes in many pieces: nothing is read twice that cannot be whole yet.
    if (!chunk.includes("\r\n") && chunk.at(-1) !== 10) return
    let bytes = Buffer.concat(this.#buffered)
    for (let reply = readReply(bytes, 0); reply !== null; reply = readReply(bytes, 0)) {
      bytes = bytes.subarray(reply.end)
      const asked = this.#waiting.shift()
      if (reply.error === null) asked?.resolve(reply.value)
      else asked?.reject(new CommandError("refused", `${this.#host}: ${reply.error}`))
    }
    this.#buffered = [bytes]
  }
}

interface Read {
  readonly value: Reply
  readonly error: string | null
  /** Where the next one begins. */
  readonly end: number
}

/** @returns null where it has not all arrived */
function readReply(bytes: Buffer, at: number): Read | null {
  const eol = bytes.indexOf("\r\n", at)
  if (eol < 0) return null
  const line = bytes.toString("utf8", at + 1, eol)
  const end = eol + 2
  switch (String.fromCharCode(bytes[at]!)) {
    case "+":
      return { value: Buffer.from(line), error: null, end }
    case "-":
      return { value: null, error: line, end }
    case ":":
      return { value: Number(line), error: null, end }
    case "$": {
      const length = Number(line)
      if (length < 0) return { value: null, error: null, end }
      if (bytes.length < end + length + 2) return null
      return { value: bytes.subarray(end, end + length), error: null, end: end + length + 2 }
    }
    case "*": {
      const values: Reply[] = []
      let next = end
      for (let left = Number(line); left > 0; left--) {
        const item = readReply(bytes, next)
        if (item === null) return null
        values.push(item.value)
        next = item.end
      }
      return { value: values, error: null, end: next }
    }
    default:
      return { value: null, error: `it speaks another protocol: ${line.slice(0, 40)}`, end: bytes.length }
  }
}

/** @throws CommandError "bad-source" where it is no list */
function listOf(reply: Reply | undefined): Reply[] {
  if (Array.isArray(reply)) return reply
  throw new CommandError("bad-source", "Redis answered something else than was asked for.")
}

function isBytes(reply: Reply | undefined): reply is Buffer {
  return Buffer.isBuffer(reply)
}
