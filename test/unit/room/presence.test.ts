import { describe, expect, it } from "vitest"
import { LIMITS, type Limits } from "../../../src/limits.ts"
import { Presence, type Shelf } from "../../../src/room/presence.ts"
import { type Entry, readEntries, writeEntries } from "../../../src/wire/awareness.ts"

/** Presence whose sockets are names, and what a newcomer would be shown. */
function openPresence({ limits = {}, shelf }: { limits?: Partial<Limits>; shelf?: Shelf } = {}) {
  const presence = new Presence<string>(
    { ...LIMITS, ...limits },
    {
      // "ada/1" and "ada/2" are sockets of ada; a name without a slash is nobody's.
      subjectOf: (socket) => (socket.includes("/") ? socket.split("/")[0]! : null),
      ...(shelf !== undefined && { shelf }),
    },
  )
  return {
    presence,
    say: (socket: string, entries: Entry[], options: Parameters<typeof presence.note>[2] = {}) =>
      presence.note(socket, writeEntries(entries), options),
    shown: () => decode(presence.encode(presence.clients())),
  }
}

const text = new TextDecoder()

function decode(entries: Uint8Array): Entry[] {
  return readEntries(entries, { maxEntries: 10_000 }).map((raw) => ({
    ...raw,
    state: text.decode(raw.state),
  }))
}

function entry(client: number, clock: number, state: unknown = {}): Entry {
  return { client, clock, state: JSON.stringify(state) }
}

/** A state of this many bytes. */
function stateOf(bytes: number): { big: string } {
  return { big: "x".repeat(bytes - '{"big":""}'.length) }
}

describe("who speaks for whom", () => {
  it("[P1] lets nobody change or remove what another socket shows", () => {
    const { say, shown } = openPresence()
    say("ada", [entry(1, 1, { name: "Ada" })])
    say("eve", [entry(6, 1)])
    expect(say("eve", [entry(1, 9, { name: "Eve" }), entry(1, 10, null)]).changed).toEqual([])
    expect(say("bob", [entry(1, 11, null)]).changed).toEqual([])
    expect(shown()).toContainEqual(entry(1, 1, { name: "Ada" }))
  })

  it("[P3] takes exactly its own client with it, unless a newer socket of that client is there", () => {
    const { presence, say, shown } = openPresence()
    say("ada", [entry(1, 1)])
    say("bob", [entry(2, 1)])
    say("ada again", [entry(1, 2, { moved: true })])
    expect(presence.leave("ada")).toEqual([1])
    expect(shown()).toEqual([entry(2, 1), entry(1, 2, { moved: true })])
    expect(presence.leave("bob")).toEqual([2])
    expect(presence.leave("bob")).toEqual([])
    expect(decode(presence.encode([2]))).toEqual([entry(2, 1, null)])
  })

  it("[P3] does not take a viewer's echo for the owner, come back", () => {
    const { presence, say, shown } = openPresence()
    say("ada", [entry(1, 5)])
    say("viewer", [entry(1, 5)])
    // A claim that the owner has overtaken meanwhile is an echo too.
    say("viewer", [entry(1, 6)])
    say("ada", [entry(1, 6)])
    presence.leave("ada")
    expect(shown()).toEqual([])
  })

  it("[P3] gives a client id to the same person's new socket at once, but removes nothing on its word", () => {
    const { say, shown, presence } = openPresence()
    say("ada/1", [entry(1, 1)])
    expect(say("ada/2", [entry(1, 2, null)]).changed).toEqual([])
    expect(say("ada/2", [entry(1, 2, { tab: 2 })]).changed).toEqual([1])
    expect(presence.speakerOf(1)).toBe("ada/2")
    expect(presence.leave("ada/1")).toEqual([])
    expect(shown()).toEqual([entry(1, 2, { tab: 2 })])
  })

  it("[P3] keeps someone who is there when a late close puts an old entry back", () => {
    const { presence, say, shown } = openPresence()
    say("new", [entry(1, 7, { here: true })])
    presence.restore("old", { client: 1, clock: 3, state: "{}", visible: true })
    expect(presence.leave("old")).toEqual([])
    expect(shown()).toEqual([entry(1, 7, { here: true })])
  })
})

describe("what is taken", () => {
  it("[P2] drops what is stale and takes the newest of a frame, in whatever order it comes", () => {
    const { say, shown } = openPresence()
    say("ada", [entry(1, 6, { a: 1 }), entry(1, 6, { a: 2 }), entry(1, 4, { a: 3 })])
    expect(shown()).toEqual([entry(1, 6, { a: 1 })])
    expect(say("ada", [entry(1, 6, { a: 4 })]).changed).toEqual([])
  })

  it("[B1] relays nothing of clients that came and went within a frame", () => {
    const { say, shown } = openPresence()
    const pairs = Array.from({ length: 500 }, (_, i) => [entry(i, 1), entry(i, 1, null)]).flat()
    expect(say("eve", pairs).changed).toEqual([])
    expect(shown()).toEqual([])
  })

  it("[B1] remembers a bounded number of those who left, however they left", () => {
    const { presence, say } = openPresence({ limits: { departedClients: 10 } })
    for (let client = 0; client < 50; client++) {
      say("eve", [entry(client, 1)])
      say("eve", [entry(client, 1, null)])
    }
    // A clock that is remembered is encoded, one that is forgotten is 0.
    const clients = Array.from({ length: 50 }, (_, client) => client)
    expect(decode(presence.encode(clients)).filter(({ clock }) => clock > 0)).toHaveLength(10)
  })

  it("[B1] refuses a frame of more entries than the room has sockets, before reading them", () => {
    const { say } = openPresence()
    const entries = Array.from({ length: LIMITS.sockets + LIMITS.awarenessSpare + 1 }, (_, i) => entry(i, 1))
    expect(() => say("eve", entries)).toThrow(expect.objectContaining({ code: "too-large" }))
  })

  it("[P2] takes states of the size that drawing apps have", () => {
    const { say, shown } = openPresence()
    for (const [i, bytes] of [6_000, LIMITS.awarenessBytes].entries()) {
      const state = stateOf(bytes)
      expect(say("ada", [entry(1, i, state)])).toMatchObject({ changed: [1], refused: null })
      expect(shown()).toEqual([entry(1, i, state)])
    }
  })

  it.each([
    ["too large", JSON.stringify(stateOf(LIMITS.awarenessBytes + 1)), "too-large"],
    ["an array", "[1]", "bad-frame"],
    ["a string", '"here"', "bad-frame"],
    ["no JSON", "{", "bad-frame"],
    ["too deep", `${'{"a":'.repeat(17)}1${"}".repeat(17)}`, "bad-frame"],
  ])("[P2] tells the sender of a state that is %s, and goes on with the last one", (_, state, code) => {
    const { say, shown } = openPresence()
    say("ada", [entry(1, 1, { small: true })])
    const noted = say("ada", [{ client: 1, clock: 2, state }])
    expect(noted).toMatchObject({
      changed: [],
      answer: true,
      refused: { client: 1, bytes: state.length, code },
    })
    expect(shown()).toEqual([entry(1, 1, { small: true })])
    expect(say("ada", [entry(1, 3, { small: 3 })]).changed).toEqual([1])
  })

  it("[P2] tells someone who moves with a state that is not taken once, and not at each move", () => {
    const { say } = openPresence()
    const toldAtMs: number[] = []
    for (let nowMs = 0; nowMs <= 25_000; nowMs += 50) {
      if (say("ada", [entry(1, nowMs, [nowMs])], { nowMs }).refused !== null) toldAtMs.push(nowMs)
    }
    expect(toldAtMs).toEqual([0, 10_000, 20_000])
  })

  it("[P2] tells nobody of a foreign state that it does not take", () => {
    const { say } = openPresence()
    say("ada", [entry(1, 1)])
    say("bob", [entry(2, 1)])
    expect(say("bob", [entry(1, 2, [1])]).refused).toBeNull()
  })

  it("[B1] bounds all states of a room together, claims among them, and has room again when someone leaves", () => {
    const { presence, say } = openPresence({ limits: { presenceBytes: 3_000 } })
    say("ada", [entry(1, 1, stateOf(1_000))])
    say("bob", [entry(2, 1, stateOf(1_000))])
    say("ada again", [entry(1, 2, stateOf(1_000))])
    expect(say("cyd", [entry(3, 1, stateOf(1_000))]).refused).toMatchObject({ code: "too-large" })
    // As large as before is not more.
    expect(say("bob", [entry(2, 2, stateOf(1_000))]).changed).toEqual([2])
    presence.leave("ada again")
    expect(say("cyd", [entry(3, 2, stateOf(1_000))]).changed).toEqual([3])
    for (const socket of ["ada", "bob", "cyd"]) presence.leave(socket)
    expect(say("dan", [entry(4, 1, stateOf(3_000))]).changed).toEqual([4])
  })
})

describe("what is answered", () => {
  it("[P5] answers a renewal, be its state large or small", () => {
    for (const bytes of [100, LIMITS.awarenessBytes]) {
      const { say } = openPresence()
      expect(say("ada", [entry(1, 1, stateOf(bytes))], { nowMs: 0 }).answer).toBe(false)
      const renewal = say("ada", [entry(1, 2, stateOf(bytes))], { nowMs: 1 })
      expect(renewal).toMatchObject({ changed: [1], renewal: true, answer: true })
    }
  })

  it("[P5] answers someone alone who moves all the time, and not each move", () => {
    const { say } = openPresence()
    const answers: number[] = []
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 50) {
      const noted = say("ada", [entry(1, nowMs, { x: nowMs })], { nowMs })
      expect(noted.renewal).toBe(false)
      if (noted.answer) answers.push(nowMs)
    }
    expect(answers).toEqual([10_000, 20_000, 30_000, 40_000, 50_000, 60_000])
  })
})

describe("without the right to presence", () => {
  it("[P5] answers a reader's renewals and shows it to nobody", () => {
    const { presence, say, shown } = openPresence()
    const hidden = { visible: false }
    expect(say("reader", [entry(1, 1)], hidden)).toMatchObject({ changed: [], renewal: false })
    expect(say("reader", [entry(1, 2)], hidden)).toMatchObject({ changed: [], renewal: false, answer: true })
    expect(shown()).toEqual([])
    expect(presence.announcedBy("reader")).toBe(1)
    expect(presence.speakerOf(1)).toBe("reader")
    expect(presence.leave("reader")).toEqual([])
    expect(presence.speakerOf(1)).toBeNull()
  })

  it("[R2] takes away what was shown when the right ends, and shows it again when it is back", () => {
    const { presence, say, shown } = openPresence()
    say("ada", [entry(1, 1)])
    expect(presence.hide("ada")).toEqual([1])
    expect(presence.hide("ada")).toEqual([])
    expect(decode(presence.encode([1]))).toEqual([entry(1, 1, null)])
    expect(say("ada", [entry(1, 2)], { visible: false }).changed).toEqual([])
    expect(shown()).toEqual([])
    expect(say("ada", [entry(1, 3)])).toMatchObject({ changed: [1], renewal: false })
    expect(shown()).toEqual([entry(1, 3)])
  })

  it("[R2] shows nothing of a claim that comes true after its right has ended", () => {
    const { presence, say, shown } = openPresence()
    say("old", [entry(1, 1)])
    say("new", [entry(1, 2)])
    expect(presence.hide("new")).toEqual([])
    expect(presence.leave("old")).toEqual([1])
    expect(presence.speakerOf(1)).toBe("new")
    expect(shown()).toEqual([])
  })

  it("[P1] lets no hidden client keep an id from someone who may show it", () => {
    const { say, shown } = openPresence()
    say("eve", [entry(1, 1)], { visible: false })
    expect(say("ada", [entry(1, 2, { name: "Ada" })]).changed).toEqual([1])
    expect(say("eve", [entry(1, 3)], { visible: false }).changed).toEqual([])
    expect(shown()).toEqual([entry(1, 2, { name: "Ada" })])
  })
})

describe("through a hibernation", () => {
  it("[P4] keeps what fits in the attachment and puts the rest on the shelf, once a state", () => {
    const rows = new Map<number, string>()
    let writes = 0
    const shelf: Shelf = {
      put: (client, state) => {
        rows.set(client, state)
        writes++
      },
      get: (client) => rows.get(client) ?? null,
      drop: (client) => void rows.delete(client),
    }
    const large = stateOf(LIMITS.awarenessBytes)
    const before = openPresence({ shelf })
    before.say("ada", [entry(1, 1, large)])
    before.say("bob", [entry(2, 1, { small: true })])
    before.say("eve", [entry(3, 1)], { visible: false })
    const keep = () => ["ada", "bob", "eve"].map((socket) => before.presence.keep(socket)!)
    keep()
    before.say("ada", [entry(1, 2, large)])
    const kept = keep()
    expect(writes).toBe(1)
    expect(JSON.stringify(kept).length).toBeLessThan(LIMITS.attachmentStateBytes)

    const after = openPresence({ shelf })
    for (const [i, socket] of ["ada", "bob", "eve"].entries()) after.presence.restore(socket, kept[i]!)
    expect(after.shown()).toEqual([entry(1, 2, large), entry(2, 1, { small: true })])
    expect(after.presence.announcedBy("eve")).toBe(3)
    after.say("ada", [entry(1, 3, { small: true })])
    after.presence.keep("ada")
    expect(rows.size).toBe(0)
  })

  it("[P3] takes a large state off the shelf when its socket goes, and removes its cursor", () => {
    const rows = new Map<number, string>()
    const shelf: Shelf = {
      put: (client, state) => void rows.set(client, state),
      get: (client) => rows.get(client) ?? null,
      drop: (client) => void rows.delete(client),
    }
    const { presence, say } = openPresence({ shelf })
    say("ada", [entry(1, 1, stateOf(20_000))])
    const kept = presence.keep("ada")!
    const woken = openPresence({ shelf }).presence
    woken.restore("ada", kept)
    expect(woken.leave("ada")).toEqual([1])
    expect(rows.size).toBe(0)
  })
})

describe("[F3] a read probe", () => {
  /** What y-protocols answers: its own clock, one beyond the one it was told. */
  const answerTo = (probe: Uint8Array): Entry => {
    const [asked] = decode(probe)
    return { client: asked!.client, clock: asked!.clock + 1, state: "{}" }
  }

  it("is answered by who read it, once, and is nothing but a renewal to everyone else", () => {
    const { presence, say } = openPresence()
    say("ada", [entry(1, 1)])
    const probe = presence.probe("ada")!
    expect(presence.probe("ada")).toBeNull()
    const answer = answerTo(probe)
    expect(say("ada", [entry(1, 2)]).proof).toBe(false)
    expect(say("ada", [answer])).toMatchObject({ proof: true, changed: [1], renewal: true })
    expect(say("ada", [{ ...answer, clock: answer.clock + 1 }]).proof).toBe(false)
    expect(presence.probe("ada")).not.toBeNull()
  })

  it("cannot be answered by another socket", () => {
    const { presence, say } = openPresence()
    say("ada", [entry(1, 1)])
    const answer = answerTo(presence.probe("ada")!)
    expect(say("eve", [answer]).proof).toBe(false)
    expect(say("ada", [answer]).proof).toBe(true)
  })

  it("cannot be answered blindly: not by an empty frame, and a wrong guess is the last", () => {
    const { presence, say } = openPresence()
    say("eve", [entry(1, 1)])
    const answer = answerTo(presence.probe("eve")!)
    expect(say("eve", []).proof).toBe(false)
    expect(say("eve", [{ ...answer, clock: answer.clock - 1 }]).proof).toBe(false)
    expect(say("eve", [answer]).proof).toBe(false)
    expect(presence.probe("eve")).not.toEqual(null)
  })

  it("cannot be answered by counting up to it", () => {
    const { presence, say } = openPresence()
    say("eve", [entry(1, 1)])
    const answer = answerTo(presence.probe("eve")!)
    const proofs: number[] = []
    for (let clock = 2; clock <= answer.clock; clock++) {
      if (say("eve", [entry(1, clock)]).proof) proofs.push(clock)
    }
    expect(proofs).toEqual([])
  })

  it("moves a clock by another number each time", () => {
    const clocks = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const { presence, say } = openPresence()
      say("ada", [entry(1, 1)])
      clocks.add(decode(presence.probe("ada")!)[0]!.clock)
    }
    expect(clocks.size).toBeGreaterThan(10)
  })

  it("asks a socket that has announced nobody about a client that nobody is shown", () => {
    const { presence, say, shown } = openPresence()
    const [came, went] = decode(presence.probe("viewer")!)
    expect([came!.state, went]).toEqual(["{}", { ...came!, state: "null" }])
    expect(say("viewer", [{ ...went!, clock: went!.clock + 1 }]).proof).toBe(false)
    const [asked] = decode(presence.probe("viewer")!)
    expect(say("viewer", [{ ...asked!, state: "null" }])).toMatchObject({ proof: true, changed: [] })
    expect(shown()).toEqual([])
  })
})
