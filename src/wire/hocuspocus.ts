/**
 * The dialect of Hocuspocus 4: bytes ↔ frames. Every frame but the heartbeat begins with the document it is about, so
 * a dialect is made for one document, by the key that its client writes: the name, and where several providers of one
 * document share a socket, `\0` and a session behind it.
 *
 *     message   = varString(key) varUint(type) payload       | 0x09 ping, | 0x0A pong: one byte, without a key
 *     0 sync      = as in y-websocket
 *     1 awareness = varBytes(entries)                        entries: see awareness.ts
 *     2 auth      = varUint(0) varString(token) [varString(version of the client)]       client → server
 *                 | varUint(1) varString(reason)             server → client: not let in
 *                 | varUint(2) varString("read-write" | "readonly")    server → client: in
 *     3 query     =                                          send me every awareness state you know
 *     5 stateless = varString(message)                       an application's own message
 *     7 close     = [varString(reason)]                      the sender goes; the socket stays
 *     8 status    = varUint(1 | 0)                           server → client: an update was taken, or refused
 *
 * A client counts its updates, and takes one off for each status of 1: sent after the commit, a count of 0 says that
 * everything is on disk. Its own step 1 sets the count to 1 again, whatever it was, for the step 2 that it is going to
 * be asked for.
 *
 * @source @hocuspocus/provider and @hocuspocus/common 4.8
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import type { Dialect, Said, Told } from "./dialect.ts"
import { readBytes } from "./fields.ts"
import { readStep, readSync, readWhole, SYNC, writeSync } from "./sync.ts"

const AWARENESS = 1
const AUTH = 2
const QUERY = 3
const STATELESS = 5
const CLOSE = 7
const STATUS = 8
const PING = 9
const PONG = 10

const TOKEN = 0
const DENIED = 1
const AUTHENTICATED = 2

/** What stands between a document's name and a session. No name holds it. */
const SEPARATOR = "\0"

/** The first frame of a client: who it is, and about which document. */
export interface Hello {
  /** How the client names the document, session included: every frame to it begins with it. */
  readonly key: string
  /** The document's name. */
  readonly document: string
  /** "": it has none. */
  readonly token: string
}

/**
 * The first frame of a Hocuspocus client. No other client's frame reads as one: y-websocket's begin with a byte below
 * 4, 102 or 104, and would need a client id of 0 behind it.
 *
 * @returns null where it is anything else
 */
export function readHello(message: Uint8Array): Hello | null {
  try {
    return readWhole(message, (decoder) => {
      const key = readText(decoder)
      if (key === "") return null
      const said = readTyped(decoder)
      return said.type === "token" ? { key, document: documentOf(key), token: said.token } : null
    })
  } catch {
    return null
  }
}

/** What passes a frame on has to know of it; `token`, `step-1`, `update` … as in dialect.ts, "other" for all else. */
export interface Passing {
  /** As the client names the document, session included. */
  readonly key: string
  /** The document's name. */
  readonly document: string
  readonly type: "token" | "admitted" | "step-1" | "update" | "kept" | "not kept" | "denied" | "end" | "other"
}

/**
 * What a frame is about, of a client's or a room's, without reading what is in it.
 * @returns null for a frame that is about no document
 */
export function readPassing(message: Uint8Array): Passing | null {
  try {
    const decoder = decoding.createDecoder(message)
    const key = readText(decoder)
    return key === "" ? null : { key, document: documentOf(key), type: readPassingType(decoder) }
  } catch {
    return null
  }
}

function readPassingType(decoder: decoding.Decoder): Passing["type"] {
  switch (decoding.readVarUint(decoder)) {
    case SYNC: {
      const step = readStep(decoder)
      return step === "step-2" ? "other" : step
    }
    case AUTH: {
      const kind = decoding.readVarUint(decoder)
      return kind === TOKEN ? "token" : kind === DENIED ? "denied" : "admitted"
    }
    case STATUS:
      return decoding.readVarUint(decoder) === 1 ? "kept" : "not kept"
    case CLOSE:
      return "end"
    default:
      return "other"
  }
}

/** Ask a client for its token. */
export function writeTokenRequest(key: string): Uint8Array {
  const prefix = encoding.encode((encoder) => encoding.writeVarString(encoder, key))
  return write(prefix, AUTH, (encoder) => encoding.writeVarUint(encoder, TOKEN))
}

/** Whether a message is a heartbeat, which is about no document: its answer is the other one. */
export function heartbeatOf(message: Uint8Array): "ping" | "pong" | null {
  if (message.length !== 1) return null
  return message[0] === PING ? "ping" : message[0] === PONG ? "pong" : null
}

/** The name of the dialect of one document and the key it is made of. */
export const hocuspocusName = {
  of: (key: string): string => `hocuspocus ${key}`,
  /** @returns null where it is another dialect's name */
  keyOf: (name: string): string | null =>
    name.startsWith("hocuspocus ") ? name.slice("hocuspocus ".length) : null,
}

/** The dialect of Hocuspocus, about the document that its client names so. */
export function hocuspocus(key: string): Dialect {
  const prefix = encoding.encode((encoder) => encoding.writeVarString(encoder, key))
  return {
    name: hocuspocusName.of(key),
    counts: true,
    proof: "answer",
    heartbeat: null,
    about: hocuspocus,
    read: (message) => (typeof message === "string" ? null : readMessage(message, prefix)),
    write: (frame) => writeTold(frame, prefix),
  }
}

/** @throws SyncError "bad-frame" where the frame ends before it, TypeError where it is not UTF-8 */
function readText(decoder: decoding.Decoder): string {
  return strictUtf8.decode(readBytes(decoder))
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function documentOf(key: string): string {
  const at = key.indexOf(SEPARATOR)
  return at < 0 ? key : key.slice(0, at)
}

/** @throws SyncError "bad-frame" */
function readMessage(message: Uint8Array, prefix: Uint8Array): Said {
  const heartbeat = heartbeatOf(message)
  if (heartbeat !== null) return { type: heartbeat }
  if (startsWith(message, prefix)) return readWhole(message, readTyped, prefix.length)
  return readWhole(message, (decoder) => {
    const document = readText(decoder)
    if (document === "") throw new SyncError("bad-frame", "A frame about no document")
    return { document, ...readTyped(decoder) }
  })
}

/** @throws SyncError "bad-frame", or what lib0 throws where the frame ends inside a field */
function readTyped(decoder: decoding.Decoder): Said {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case SYNC:
      return readSync(decoder)
    case AWARENESS:
      return { type: "awareness", entries: readBytes(decoder) }
    case AUTH: {
      const kind = decoding.readVarUint(decoder)
      if (kind !== TOKEN) throw new SyncError("bad-frame", `A client sends no auth message ${kind}`)
      const token = readText(decoder)
      // The client's version, which older ones leave out.
      if (decoding.hasContent(decoder)) readText(decoder)
      return { type: "token", token }
    }
    case QUERY:
      return { type: "query" }
    case STATELESS:
      return { type: "custom", message: readText(decoder) }
    case CLOSE:
      if (decoding.hasContent(decoder)) readText(decoder)
      return { type: "leave" }
    default:
      throw new SyncError("bad-frame", `Unknown frame type ${type}`)
  }
}

function writeTold(frame: Told, prefix: Uint8Array): Uint8Array | null {
  switch (frame.type) {
    case "step-1":
    case "step-2":
    case "update":
      return writeSync(frame, prefix)
    case "awareness":
      return write(prefix, AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, frame.entries))
    case "query":
      return write(prefix, QUERY)
    case "admitted":
    case "renewed":
      return writeAuth(prefix, AUTHENTICATED, frame.rights === "write" ? "read-write" : "readonly")
    case "denied":
      return writeAuth(prefix, DENIED, frame.reason)
    case "end":
      return write(prefix, CLOSE, (encoder) => encoding.writeVarString(encoder, frame.reason))
    case "receipt":
      return write(prefix, STATUS, (encoder) => encoding.writeVarUint(encoder, frame.kept ? 1 : 0))
    case "custom":
      return write(prefix, STATELESS, (encoder) => encoding.writeVarString(encoder, frame.message))
    case "ping":
      return new Uint8Array([PING])
    case "pong":
      return new Uint8Array([PONG])
    case "saved":
    case "probe":
    case "notice":
    case "refusal":
      // What was refused, a receipt tells it.
      return null
    default:
      throw new TypeError(`No frame ${JSON.stringify(frame satisfies never)}`)
  }
}

function writeAuth(prefix: Uint8Array, kind: number, text: string): Uint8Array {
  return write(prefix, AUTH, (encoder) => {
    encoding.writeVarUint(encoder, kind)
    encoding.writeVarString(encoder, text)
  })
}

function write(
  prefix: Uint8Array,
  type: number,
  rest: (encoder: encoding.Encoder) => void = () => {},
): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, prefix)
    encoding.writeVarUint(encoder, type)
    rest(encoder)
  })
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false
  return true
}
