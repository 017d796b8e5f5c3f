/**
 * The y-websocket dialect, stock and with our own words: bytes ↔ frames. No document and no socket in here; the
 * server and our provider call the same pairs.
 *
 *     message   = varUint(0) sync | varUint(1) awareness | varUint(2) refusal | varUint(3) query
 *               | varUint(102) saved | varUint(104) renewal | varUint(105) notice | varUint(106) probe
 *     sync      = varUint(0) varBytes(state vector)      step 1: what I have
 *               | varUint(1) varBytes(update)            step 2: what you lack
 *               | varUint(2) varBytes(update)            what just happened
 *     awareness = varBytes(entries)                      entries: see awareness.ts
 *     refusal   = varUint(0) varString(reason)           server → client; stock clients log it
 *     query     =                                        send me every awareness state you know
 *     saved     = varBytes(anything)                     client → server: echo this when all I sent before it is durable
 *     renewal   = varString(token)                       client → server: a fresh token for this connection
 *               | varBytes(varUint(expiresAtMs))         server → client: taken, good until then
 *     notice    = varString(code) varString(message)     server → client: something of yours was not taken; the
 *                                                        connection goes on. Codes: see errors.ts
 *     probe     = varBytes(nonce)                        server → client, and echoed: you have read up to here
 *
 * 0–3 are y-protocols' and every stock client's; y-partyserver's YProvider speaks them too, and adds
 * text frames `__YPS:` + string both ways. 102 is @y-sweet/client's sync status. 104 is ours, and is
 * answered only on sockets that sent it. 105 and 106 are ours, and go only to sockets that offered the
 * subprotocol `yurt`.
 *
 * @source y-protocols 1.0.7 PROTOCOL.md; y-websocket 3.1; y-partyserver 2.2; @y-sweet/client 0.9
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import type { Dialect, Said, Told } from "./dialect.ts"
import { readBytes } from "./fields.ts"
import { readSync, readWhole, SYNC, type SyncMessage, writeSync } from "./sync.ts"

const AWARENESS = 1
const REFUSAL = 2
const QUERY = 3
const SAVED = 102
const RENEWAL = 104
const NOTICE = 105
const PROBE = 106

/** The prefix of a custom message in a text frame, as y-partyserver's YProvider writes and expects it. */
const CUSTOM_PREFIX = "__YPS:"

/**
 * Heartbeat of our provider; the platform answers it without waking the room. Text, because auto-responses are text only,
 * and words that no application sends: stock y-websocket throws on a text frame, and applications do send `ping`.
 */
export const PING = "yurt:ping"
/** The answer to PING. */
export const PONG = "yurt:pong"

/** One binary message, in either direction. Byte fields are views into the message they were read from. */
export type Frame =
  | SyncMessage
  | { readonly type: "awareness"; readonly entries: Uint8Array }
  | { readonly type: "refusal"; readonly reason: string }
  | { readonly type: "query" }
  | { readonly type: "saved"; readonly payload: Uint8Array }
  | { readonly type: "renewal"; readonly payload: Uint8Array }
  | { readonly type: "notice"; readonly code: string; readonly message: string }
  | { readonly type: "probe"; readonly nonce: Uint8Array }

/**
 * Read one binary message.
 * @throws SyncError "bad-frame" on an unknown type, a truncated field, or bytes left over
 */
export function readFrame(message: Uint8Array): Frame {
  return readWhole(message, readTyped)
}

function readTyped(decoder: decoding.Decoder): Frame {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case SYNC:
      return readSync(decoder)
    case AWARENESS:
      return { type: "awareness", entries: readBytes(decoder) }
    case REFUSAL: {
      const kind = decoding.readVarUint(decoder)
      if (kind !== 0) throw new SyncError("bad-frame", `Unknown auth message ${kind}`)
      return { type: "refusal", reason: decoding.readVarString(decoder) }
    }
    case QUERY:
      return { type: "query" }
    case SAVED:
      return { type: "saved", payload: readBytes(decoder) }
    case RENEWAL:
      return { type: "renewal", payload: readBytes(decoder) }
    case NOTICE:
      return {
        type: "notice",
        code: decoding.readVarString(decoder),
        message: decoding.readVarString(decoder),
      }
    case PROBE:
      return { type: "probe", nonce: readBytes(decoder) }
    default:
      throw new SyncError("bad-frame", `Unknown frame type ${type}`)
  }
}

/** Step 1: what the sender has. */
export function writeStep1(stateVector: Uint8Array): Uint8Array {
  return writeSync({ type: "step-1", stateVector })
}

/** Step 2: what the receiver lacks; the client calls itself synced after it. */
export function writeStep2(update: Uint8Array): Uint8Array {
  return writeSync({ type: "step-2", update })
}

/** An update as it happens. */
export function writeUpdate(update: Uint8Array): Uint8Array {
  return writeSync({ type: "update", update })
}

/** Awareness entries, as `awareness.ts` (server) or y-protocols/awareness (client) encode them. */
export function writeAwareness(entries: Uint8Array): Uint8Array {
  return write(AWARENESS, (encoder) => encoding.writeVarUint8Array(encoder, entries))
}

/** "This was refused": stock clients log the reason, ours emits `refused`. */
export function writeRefusal(reason: string): Uint8Array {
  return write(REFUSAL, (encoder) => {
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarString(encoder, reason)
  })
}

/** "Send me every awareness state you know." */
export function writeQuery(): Uint8Array {
  return write(QUERY, () => {})
}

/** "Echo this when all I sent before it is durable", and the echo. */
export function writeSaved(payload: Uint8Array): Uint8Array {
  return write(SAVED, (encoder) => encoding.writeVarUint8Array(encoder, payload))
}

/** A fresh token (client → server). */
export function writeRenewal(token: string): Uint8Array {
  return write(RENEWAL, (encoder) => encoding.writeVarString(encoder, token))
}

/** The fresh token was taken; it is good until then, ms since 1970 (server → client). */
export function writeRenewed(expiresAtMs: number): Uint8Array {
  return write(RENEWAL, (encoder) => {
    const payload = encoding.encode((inner) => encoding.writeVarUint(inner, expiresAtMs))
    encoding.writeVarUint8Array(encoder, payload)
  })
}

/** "This was not taken; go on": for sockets of the subprotocol `yurt` only. */
export function writeNotice(code: string, message: string): Uint8Array {
  return write(NOTICE, (encoder) => {
    encoding.writeVarString(encoder, code)
    encoding.writeVarString(encoder, message)
  })
}

/** "Echo this, so that I know how far you have read", and the echo. */
export function writeProbe(nonce: Uint8Array): Uint8Array {
  return write(PROBE, (encoder) => encoding.writeVarUint8Array(encoder, nonce))
}

/** The custom message in a text frame, or null where the text is none. */
export function readCustom(text: string): string | null {
  return text.startsWith(CUSTOM_PREFIX) ? text.slice(CUSTOM_PREFIX.length) : null
}

/** A custom message as a text frame. */
export function writeCustom(message: string): string {
  return CUSTOM_PREFIX + message
}

/** Stock y-websocket, y-partyserver's YProvider, and @y-sweet/client: none of our own words. */
export const yWebsocket: Dialect = {
  name: "y-websocket",
  counts: false,
  proof: "rumour",
  about: () => yWebsocket,
  read: readStock,
  write: (frame) => (frame.type === "notice" || frame.type === "probe" ? null : writeTold(frame)),
  heartbeat: null,
}

/** y-websocket for sockets that offered the subprotocol `yurt`: a notice and a probe besides. */
export const yurt: Dialect = {
  name: "yurt",
  counts: false,
  proof: "echo",
  about: () => yurt,
  read: readSaid,
  write: writeTold,
  heartbeat: { ping: PING, pong: PONG },
}

/** Of Y-Sweet's clients a query has a payload: the awareness states that they answer the room's own query with. */
function readStock(message: Uint8Array | string): Said | null {
  if (typeof message === "string" || message[0] !== QUERY || message.length === 1) return readSaid(message)
  return { type: "awareness", entries: readWhole(message, readBytes, 1) }
}

function readSaid(message: Uint8Array | string): Said | null {
  if (typeof message === "string") {
    if (message === PING) return { type: "ping" }
    const custom = readCustom(message)
    return custom === null ? null : { type: "custom", message: custom }
  }
  const frame = readFrame(message)
  switch (frame.type) {
    case "refusal":
    case "notice":
      throw new SyncError("bad-frame", `A client sends no ${frame.type}`)
    case "renewal":
      return { type: "token", token: new TextDecoder().decode(frame.payload) }
    default:
      return frame
  }
}

function writeTold(frame: Told): Uint8Array | string | null {
  switch (frame.type) {
    case "step-1":
    case "step-2":
    case "update":
      return writeSync(frame)
    case "awareness":
      return writeAwareness(frame.entries)
    case "query":
      return writeQuery()
    case "saved":
      return writeSaved(frame.payload)
    case "refusal":
    case "denied":
    case "end":
      return writeRefusal(frame.reason)
    case "admitted":
    case "receipt":
      return null
    case "ping":
      // Who answers a query lives.
      return writeQuery()
    case "renewed":
      return writeRenewed(frame.expiresAtMs)
    case "notice":
      return writeNotice(frame.code, frame.message)
    case "probe":
      return writeProbe(frame.nonce)
    case "custom":
      return writeCustom(frame.message)
    case "pong":
      return PONG
    default:
      throw new TypeError(`No frame ${JSON.stringify(frame satisfies never)}`)
  }
}

function write(type: number, rest: (encoder: encoding.Encoder) => void): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, type)
    rest(encoder)
  })
}
