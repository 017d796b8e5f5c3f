import { describe, expect, it } from "vitest"
import type { Told } from "../../../src/wire/dialect.ts"
import * as wire from "../../../src/wire/y-websocket.ts"

const { yurt, yWebsocket } = wire
const bytes = new Uint8Array([1, 2, 3])

describe("[W1] what a peer says", () => {
  it.each([
    [wire.writeStep1(bytes), { type: "step-1", stateVector: bytes }],
    [wire.writeStep2(bytes), { type: "step-2", update: bytes }],
    [wire.writeUpdate(bytes), { type: "update", update: bytes }],
    [wire.writeAwareness(bytes), { type: "awareness", entries: bytes }],
    [wire.writeQuery(), { type: "query" }],
    [wire.writeSaved(bytes), { type: "saved", payload: bytes }],
    [wire.writeProbe(bytes), { type: "probe", nonce: bytes }],
    [wire.writeRenewal("a.b.c"), { type: "token", token: "a.b.c" }],
    [wire.writeCustom("hello"), { type: "custom", message: "hello" }],
    [wire.PING, { type: "ping" }],
  ] as const)("is read as it was written: %#", (message, said) => {
    expect(yurt.read(message)).toEqual(said)
    expect(yWebsocket.read(message)).toEqual(said)
  })

  it.each([
    ["a refusal", wire.writeRefusal("no")],
    ["a notice", wire.writeNotice("conflict", "no")],
    ["an unknown type", new Uint8Array([99])],
    ["a field that ends early", new Uint8Array([0, 2, 5, 1])],
    ["bytes left over", new Uint8Array([3, 0])],
    ["nothing", new Uint8Array([])],
  ])("is a bad frame where it is %s", (_, message) => {
    expect(() => yurt.read(message)).toThrow(expect.objectContaining({ code: "bad-frame" }))
  })

  it.each(["", "ping", "keep-alive", '{"type":"ping"}', "__YPS", wire.PONG])(
    "is ignored where it is the text %j of an application",
    (message) => {
      expect(yWebsocket.read(message)).toBeNull()
    },
  )
})

describe("[W2] what a room says", () => {
  const said: Told[] = [
    { type: "step-1", stateVector: bytes },
    { type: "step-2", update: bytes },
    { type: "update", update: bytes },
    { type: "awareness", entries: bytes },
    { type: "query" },
    { type: "saved", payload: bytes },
    { type: "refusal", reason: "no" },
  ]

  it("is the same for stock clients and for ours, but for our own words", () => {
    for (const frame of said) {
      const message = yWebsocket.write(frame) as Uint8Array
      expect(message).toEqual(yurt.write(frame))
      expect(wire.readFrame(message)).toEqual(frame)
    }
  })

  it("reaches no stock client where it would not understand it", () => {
    const notice: Told = { type: "notice", code: "too-large", message: "no" }
    const probe: Told = { type: "probe", nonce: bytes }
    expect([yWebsocket.write(notice), yWebsocket.write(probe)]).toEqual([null, null])
    expect(wire.readFrame(yurt.write(notice) as Uint8Array)).toEqual(notice)
    expect(wire.readFrame(yurt.write(probe) as Uint8Array)).toEqual(probe)
  })

  it("answers a heartbeat with a word that no application sends", () => {
    expect(yurt.heartbeat).toEqual({ ping: wire.PING, pong: yurt.write({ type: "pong" }) })
    expect(yWebsocket.heartbeat).toBeNull()
    expect(["ping", "pong"]).not.toContain(wire.PING)
  })
})
