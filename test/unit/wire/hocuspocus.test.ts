import * as encoding from "lib0/encoding"
import { describe, expect, it } from "vitest"
import { Awareness } from "y-protocols/awareness"
import * as Y from "yjs"
import { asSyncError } from "../../../src/errors.ts"
import type { Said, Told } from "../../../src/wire/dialect.ts"
import { dialectNamed } from "../../../src/wire/dialects.ts"
import { hocuspocus, readHello } from "../../../src/wire/hocuspocus.ts"
import { writeAwareness, writeSaved, writeStep1, yWebsocket } from "../../../src/wire/y-websocket.ts"

/** A frame as the provider writes it: every field a number, a text or bytes. */
function frame(key: string, ...fields: (number | string | Uint8Array)[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, key)
    for (const field of fields) {
      if (typeof field === "number") encoding.writeVarUint(encoder, field)
      else if (typeof field === "string") encoding.writeVarString(encoder, field)
      else encoding.writeVarUint8Array(encoder, field)
    }
  })
}

const BYTES = new Uint8Array([1, 2, 3])

describe("[W1] what a Hocuspocus client says", () => {
  const said: readonly [Uint8Array, Said][] = [
    [frame("a", 0, 0, BYTES), { type: "step-1", stateVector: BYTES }],
    [frame("a", 0, 1, BYTES), { type: "step-2", update: BYTES }],
    [frame("a", 0, 2, BYTES), { type: "update", update: BYTES }],
    [frame("a", 1, BYTES), { type: "awareness", entries: BYTES }],
    [frame("a", 2, 0, "a.b.c", "4.8.0"), { type: "token", token: "a.b.c" }],
    [frame("a", 2, 0, ""), { type: "token", token: "" }],
    [frame("a", 3), { type: "query" }],
    [frame("a", 5, "hello"), { type: "custom", message: "hello" }],
    [frame("a", 7), { type: "leave" }],
    [frame("a", 7, "bye"), { type: "leave" }],
    [new Uint8Array([9]), { type: "ping" }],
    [new Uint8Array([10]), { type: "pong" }],
    [frame("b", 3), { type: "query", document: "b" }],
    [frame("a\0session", 3), { type: "query", document: "a\0session" }],
  ]
  for (const [message, expected] of said) {
    it(`reads ${JSON.stringify(expected)}`, () => {
      expect(hocuspocus("a").read(message)).toEqual(expected)
    })
  }

  it("ignores a text, as upstream's server does", () => {
    expect(hocuspocus("a").read("ping")).toBeNull()
  })

  const broken: Record<string, Uint8Array> = {
    "an empty message": new Uint8Array(),
    "a name without a type": frame("a"),
    "an empty name": frame("", 3),
    "an unknown type": frame("a", 11),
    "a broadcast, which only a server may send": frame("a", 6, "hello"),
    "a status, which only a server may send": frame("a", 8, 1),
    "an auth message that only a server may send": frame("a", 2, 2, "read-write"),
    "an unknown sync step": frame("a", 0, 9, BYTES),
    "a declared length beyond the frame": new Uint8Array([1, 97, 0, 2, 200, 1, 5]),
    "bytes left over": new Uint8Array([...frame("a", 3), 0]),
    "a name beyond the frame": new Uint8Array([9, 97]),
    "a name that is no UTF-8": new Uint8Array([1, 255, 3]),
    "an endless varint": new Uint8Array(40).fill(255),
  }
  for (const [what, message] of Object.entries(broken)) {
    it(`refuses ${what}`, () => {
      let thrown: unknown
      try {
        hocuspocus("a").read(message)
      } catch (error) {
        thrown = error
      }
      expect(asSyncError(thrown).code).toBe("bad-frame")
    })
  }
})

describe("[W1] what a room says in Hocuspocus", () => {
  const told: readonly [Told, Uint8Array | null][] = [
    [{ type: "step-1", stateVector: BYTES }, frame("ä", 0, 0, BYTES)],
    [{ type: "step-2", update: BYTES }, frame("ä", 0, 1, BYTES)],
    [{ type: "update", update: BYTES }, frame("ä", 0, 2, BYTES)],
    [{ type: "awareness", entries: BYTES }, frame("ä", 1, BYTES)],
    [{ type: "query" }, frame("ä", 3)],
    [{ type: "admitted", rights: "write" }, frame("ä", 2, 2, "read-write")],
    [{ type: "admitted", rights: "read" }, frame("ä", 2, 2, "readonly")],
    [{ type: "renewed", rights: "read", expiresAtMs: 1 }, frame("ä", 2, 2, "readonly")],
    [{ type: "denied", reason: "no" }, frame("ä", 2, 1, "no")],
    [{ type: "end", reason: "gone" }, frame("ä", 7, "gone")],
    [{ type: "receipt", kept: true }, frame("ä", 8, 1)],
    [{ type: "receipt", kept: false }, frame("ä", 8, 0)],
    [{ type: "custom", message: "hello" }, frame("ä", 5, "hello")],
    [{ type: "ping" }, new Uint8Array([9])],
    [{ type: "pong" }, new Uint8Array([10])],
    [{ type: "saved", payload: BYTES }, null],
    [{ type: "probe", nonce: BYTES }, null],
    [{ type: "refusal", reason: "no" }, null],
    [{ type: "notice", code: "conflict", message: "no" }, null],
  ]
  for (const [frameTold, message] of told) {
    it(`writes ${JSON.stringify(frameTold)}`, () => {
      expect(hocuspocus("ä").write(frameTold)).toEqual(message)
    })
  }
})

it("finds a dialect again by its name, session included", () => {
  for (const key of ["a", "a b\0session", ""]) {
    const dialect = dialectNamed(hocuspocus(key).name)
    expect(dialect.write({ type: "query" })).toEqual(frame(key, 3))
  }
  expect(dialectNamed("y-websocket")).toBe(yWebsocket)
})

describe("[W1] the first frame", () => {
  it("says the document, the session and the token", () => {
    expect(readHello(frame("a/b\0session", 2, 0, "a.b.c", "4.8.0"))).toEqual({
      ...{ key: "a/b\0session", document: "a/b", token: "a.b.c" },
    })
  })

  it("is none where it is any other frame, or names nothing", () => {
    for (const message of [frame("a", 3), frame("a", 0, 0, BYTES), frame("", 2, 0, "t"), new Uint8Array([9])])
      expect(readHello(message)).toBeNull()
  })

  it("is never one of y-websocket's, whatever its client id, state and token", () => {
    const doc = new Y.Doc()
    const awareness = new Awareness(doc)
    clearInterval(awareness._checkInterval)
    const stateVector = Y.encodeStateVector(doc)
    expect(readHello(writeStep1(stateVector))).toBeNull()
    for (let client = 1; client < 2 ** 32; client = client * 3 + 1) {
      for (let length = 0; length < 300; length++) {
        const entries = encoding.encode((encoder) => {
          encoding.writeVarUint(encoder, 1)
          encoding.writeVarUint(encoder, client)
          encoding.writeVarUint(encoder, 0)
          encoding.writeVarString(encoder, `{"name":"${"x".repeat(length)}"}`)
        })
        expect(readHello(writeAwareness(entries))).toBeNull()
      }
    }
    for (let length = 0; length < 200; length++)
      expect(readHello(writeSaved(new Uint8Array(length)))).toBeNull()
  })
})
