/**
 * The hostile table: what an attacker does, and what they must get for it. After each row the honest people in the room
 * must be as well as before; hostile.test.ts looks after that, and after the bounds. Long because it is a table: a row
 * stands for itself, and rows of one kind are read together. What is about bounds is in bounds.ts.
 *
 * Attackers hold a token to write the document, unless the row is about tokens: what a token keeps out cannot hurt.
 */
import { randomBytes } from "node:crypto"
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { PING } from "../../src/wire/y-websocket.ts"
import { until } from "../kit/until.ts"
import { Attacker, ask, type Target, upgradeRequest, visit, Wire, webSocketFrame } from "./attacker.ts"
import { BOUNDS } from "./bounds.ts"
import { BUNDLES } from "./bundles.ts"
import * as b from "./bytes.ts"
import { PROGRAMS } from "./programs.ts"
import { client, enter, frames, http, knock, MB, ROOT, type Row, stall, updates, wire } from "./rows.ts"

const BAD_FRAME = "closed 4400"
const BAD_UPDATE = "closed 4422"

const framing: Row[] = [
  frames("an empty frame", BAD_FRAME, () => b.raw()),
  frames("a frame of an unknown type", BAD_FRAME, () => b.bytes(9, 0)),
  frames("a type of 2^53 - 1", BAD_FRAME, () => b.bytes(Number.MAX_SAFE_INTEGER)),
  frames("a type that never ends", BAD_FRAME, () => new Uint8Array(64).fill(255)),
  frames("a sync frame that ends before its step", BAD_FRAME, () => b.raw(0)),
  frames("an unknown sync step", BAD_FRAME, () => b.bytes(0, 3, 0)),
  frames("an update shorter than it says", BAD_FRAME, () => b.bytes(0, 2, 100, b.raw(1, 2, 3))),
  frames("an update of 2^50 bytes, it says", BAD_FRAME, () => b.bytes(0, 2, 2 ** 50, b.raw(1, 2, 3))),
  frames("bytes after an update", BAD_FRAME, () => b.bytes(b.updateFrame(b.raw(0, 0)), 1)),
  frames("a refusal from a client", BAD_FRAME, () => b.bytes(2, 0, "no")),
  frames("an auth frame of an unknown kind", BAD_FRAME, () => b.bytes(2, 7, "no")),
  frames("a query with a payload", BAD_FRAME, () => b.raw(3, 0)),
  frames("a saved frame that breaks off", BAD_FRAME, () => b.bytes(102, 5, b.raw(1))),
  frames("a frame in Hocuspocus' dialect", BAD_FRAME, () => b.bytes("notes", 0, 0, 1, 0)),
  frames("64 kB of noise", BAD_FRAME, () => noise(64 * 1024)),
  // Apps and proxies send such texts; a socket that is closed for one comes back and sends it again.
  frames("a text frame", "open", () => "hello"),
  frames("an empty text frame", "open", () => ""),
  frames("JSON in a text frame", "open", () => '{"type":"sync","doc":"notes"}'),
  frames("a text frame of 1 MB", ["open", "closed 4413"], () => "x".repeat(MB)),
  frames("a custom message of 1 MB", "closed 4413", () => `__YPS:${"x".repeat(MB)}`),
  frames("a custom message of lone surrogates", "open", () => "__YPS:\ud800\udc00\ud800"),
]

const malformed: Row[] = [
  updates("a delete of no length, which stops a stock Yjs room", BAD_UPDATE, () =>
    b.hex("01014d00010101740000"),
  ),
  updates("a collected struct of no length, which stops it for good", BAD_UPDATE, () =>
    b.hex("01014d00000000"),
  ),
  updates("an update of no bytes", BAD_UPDATE, () => b.raw()),
  updates("an update that breaks off", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.letters(ROOT, "abc")]]).slice(0, -3),
  ),
  updates("bytes after the deletes", BAD_UPDATE, (own) =>
    b.bytes(b.update([[own, 0, b.letters(ROOT, "a")]]), 0),
  ),
  updates("2^32 sections in five bytes", BAD_UPDATE, () => b.bytes(2 ** 32)),
  updates("2^50 structs in one section", BAD_UPDATE, (own) => b.bytes(1, 2 ** 50, own, 0)),
  updates("an empty section", BAD_UPDATE, (own) => b.update([[own, 0]])),
  updates("sections in ascending order", "open", (own) =>
    b.update([
      [own, 0, b.letters(ROOT, "a")],
      [own + 1, 0, b.letters(ROOT, "a")],
    ]),
  ),
  updates("two sections of one client", BAD_UPDATE, (own) =>
    b.update([
      [own, 0, b.letters(ROOT, "a")],
      [own, 0, b.letters(ROOT, "b")],
    ]),
  ),
  updates("an item that follows itself", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.letters({ origin: [own, 0] }, "a")]]),
  ),
  updates("a type that is its own parent", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.shared({ parent: [own, 0] }, 1)]]),
  ),
  updates("a parent of a kind that is none", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.bytes(4, 2, "text", "a")]]),
  ),
  updates("content of an unknown kind", BAD_UPDATE, (own) => b.update([[own, 0, b.item(11, ROOT, "a")]])),
  updates("a shared type of an unknown kind", BAD_UPDATE, (own) => b.update([[own, 0, b.shared(ROOT, 7)]])),
  updates("an Any value of an unknown kind", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.anys(ROOT, b.raw(50))]]),
  ),
  updates("a clock above 2^31", BAD_UPDATE, (own) => b.update([[own, 2 ** 31, b.letters(ROOT, "a")]])),
  updates("a skip up to 2^52", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.skip(2 ** 52), b.letters(ROOT, "a")]]),
  ),
  updates("delete ranges that overlap", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.letters(ROOT, "abcd")]], [[own, [0, 3], [2, 2]]]),
  ),
  updates("two delete sections of one client", BAD_UPDATE, (own) =>
    b.update(
      [[own, 0, b.letters(ROOT, "ab")]],
      [
        [own, [0, 1]],
        [own, [1, 1]],
      ],
    ),
  ),
  updates("2^40 delete ranges", BAD_UPDATE, (own) => b.bytes(0, 1, own, 2 ** 40)),
  updates("text that is not UTF-8", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.item(4, ROOT, b.sized(b.raw(0xff, 0xfe, 0x41)))]]),
  ),
  updates("half a surrogate pair in UTF-8", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.item(4, ROOT, b.sized(b.raw(0xed, 0xa0, 0x80)))]]),
  ),
  updates("an embed that is not JSON", BAD_UPDATE, (own) => b.update([[own, 0, b.json(ROOT, "{a:1}")]])),
  updates("an embed nested 10,000 deep", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.json(ROOT, "[".repeat(10_000) + "]".repeat(10_000))]]),
  ),
  updates("a value nested 10,000 deep", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.anys(ROOT, b.nestedAny(10_000))]]),
  ),
  updates("shared types nested 10,000 deep", BAD_UPDATE, (own) =>
    b.update([[own, 0, ...b.nestedTypes(own, 0, { depth: 10_000, place: { root: "deep" } })]]),
  ),
  updates("an embed with the key __proto__", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.json(ROOT, '{"__proto__":{"admin":true}}')]]),
  ),
  updates("a value with the key __proto__", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.anys(ROOT, b.bytes(b.raw(118), 1, "__proto__", b.raw(118), 0))]]),
  ),
  updates("a map with the key __proto__", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.anys({ root: "map", key: "__proto__" }, b.raw(126))]]),
  ),
  updates("a root named __proto__", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.letters({ root: "__proto__" }, "a")]]),
  ),
  updates("a key of 5 kB", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.anys({ root: "map", key: "k".repeat(5_000) }, b.raw(126))]]),
  ),
  updates("4,097 roots", BAD_UPDATE, (own) =>
    b.update([[own, 0, ...Array.from({ length: 4_097 }, (_, i) => b.letters({ root: `root-${i}` }, "a"))]]),
  ),
  updates("65,537 new clients", BAD_UPDATE, () =>
    b.update(
      Array.from(
        { length: 65_537 },
        (_, i) => [2_000_000_000 - i, 0, b.gc(1)] as [number, number, Uint8Array],
      ),
    ),
  ),
  updates("a subdocument that brings its own guid option", BAD_UPDATE, (own) =>
    b.update([[own, 0, b.item(9, ROOT, "guid-1", b.bytes(b.raw(118), 1, "guid", b.raw(119), "other"))]]),
  ),
  updates("a Yjs V2 update", BAD_UPDATE, () => {
    const doc = new Y.Doc()
    doc.getText("text").insert(0, "written by V2")
    return Y.encodeStateAsUpdateV2(doc)
  }),
  frames("a malformed update as step 2", BAD_UPDATE, () => b.step2(b.hex("01014d00010101740000"))),
  updates("an update one byte above 25 MB", "closed 4413", () => new Uint8Array(25 * MB + 1)),
  {
    what: "200 honest updates with a few bytes changed",
    gets: "open",
    async attack(target) {
      const random = prng.create(20261122)
      const kinds = new Set<string>()
      for (let round = 0; round < 200; ) {
        const attacker = await Attacker.enter(target)
        if (typeof attacker === "string") return attacker
        // Until one of them closes the socket.
        while (!attacker.closed && round < 200) {
          round++
          attacker.send(b.updateFrame(mutated(random, client())))
          if (round % 10 === 0) kinds.add(await attacker.outcome())
        }
        attacker.leave()
      }
      const wrong = [...kinds].filter((kind) => !["open", "told", BAD_UPDATE].includes(kind))
      return wrong.length === 0 ? "open" : wrong.join()
    },
  },
]

const STOCK = { protocols: [] }

/** Stock clients come back whatever the code of a close, with all they hold: they are kept, and heard no longer. */
const stock: Row[] = [
  frames("a frame of an unknown type", "unheard", () => b.bytes(9, 0), STOCK),
  frames("a malformed update", "unheard", () => b.updateFrame(b.hex("01014d00010101740000")), STOCK),
  frames(
    "an update one byte above 25 MB",
    "unheard",
    () => b.updateFrame(new Uint8Array(25 * MB + 1)),
    STOCK,
  ),
  {
    what: "a malformed update, and everything else after it",
    gets: "unheard",
    attack: (target) =>
      visit(
        target,
        async (attacker) => {
          const own = client()
          attacker.send(
            b.updateFrame(b.hex("01014d00010101740000")),
            b.updateFrame(b.update([[own, 0, b.letters(ROOT, "unheard")]])),
            b.awareness([own, 1, '{"name":"unheard"}']),
            ...Array.from({ length: 1_000 }, () => b.updateFrame(b.raw())),
          )
          if ((await attacker.outcome()) !== "unheard") return
          const { updates } = attacker
          await until(() => attacker.updates > updates, "it is told of what the others write")
        },
        STOCK,
      ),
  },
  {
    what: "the words of a reader, over and over",
    gets: "refused",
    attack: async (target) =>
      visit(
        target,
        (attacker) =>
          attacker.send(
            ...Array.from({ length: 100 }, () =>
              b.updateFrame(b.update([[client(), 0, b.letters(ROOT, "forged")]])),
            ),
          ),
        { ...STOCK, token: await readers(target) },
      ),
  },
]

/** Well-formed and strange: the room may take them, and everybody must end in the same state and be exportable. */
const strange: Row[] = [
  updates("values that JSON does not have", "open", (own) =>
    b.update([
      [
        ...([own, 0] as const),
        b.anys(
          { root: "strange values", key: "all" },
          b.bytes(
            b.raw(117, 6),
            // bigint, NaN, undefined, bytes, -0, Infinity
            b.raw(122, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
            b.raw(123, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0),
            b.raw(127),
            b.raw(116, 2, 0, 255),
            b.raw(125, 64),
            b.raw(123, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0),
          ),
        ),
      ],
    ]),
  ),
  updates("roots and keys named like methods of Object", "open", (own) =>
    b.update([
      [
        ...([own, 0] as const),
        ...["constructor", "toString", "hasOwnProperty", "", "a\u0000b"].map((name) =>
          b.anys({ root: name, key: name }, b.raw(120)),
        ),
      ],
    ]),
  ),
  updates("a root that is text, map, array and XML at once", "open", (own) =>
    b.update([
      [
        ...([own, 0] as const),
        b.letters({ root: "mixed" }, "text"),
        b.anys({ root: "mixed", key: "k" }, b.raw(120)),
        b.item(7, { origin: [own, 3] }, 3, "p"),
        b.item(6, { origin: [own, 5] }, "bold", "true"),
        b.anys({ origin: [own, 6] }, b.raw(126)),
      ],
    ]),
  ),
  updates("an item whose parent is a letter", "open", (own) =>
    b.update([[own, 0, b.letters(ROOT, "x"), b.letters({ parent: [own, 0] }, "y")]], [[own, [0, 2]]]),
  ),
  updates("a map entry that hangs on a letter", "open", (own) =>
    b.update(
      [[own, 0, b.letters(ROOT, "x"), b.anys({ parent: [own, 0], key: "k" }, b.raw(120))]],
      [[own, [0, 2]]],
    ),
  ),
  updates("an unknown shared hook and a subdocument", "open", (own) =>
    b.update([
      [
        own,
        0,
        b.item(7, { root: "hooks" }, 5, "widget"),
        b.item(9, { root: "subs", key: "s" }, "g", b.raw(118, 0)),
      ],
    ]),
  ),
  updates("a struct of 2^30 clocks", "open", (own) => b.update([[own, 0, b.gc(2 ** 30)]])),
  updates("a deletion of 2^30 clocks of nobody", "open", (own) => b.update([], [[own, [0, 2 ** 30]]])),
  updates("an update that waits for one that never comes", "open", (own) =>
    b.update([[own, 5, b.letters({ origin: [own, 2] }, "waits")]]),
  ),
  updates("two sections that wait for each other", "open", (own) =>
    b.update([
      [own + 1, 0, b.letters({ origin: [own, 0] }, "a")],
      [own, 0, b.letters({ origin: [own + 1, 0] }, "b")],
    ]),
  ),
  frames("2 MB that wait for what never comes", "told", () => {
    const own = client()
    return b.updateFrame(b.update([[own, 5, b.letters({ origin: [own, 2] }, "w".repeat(2 * MB))]]))
  }),
  frames("2,000 updates that wait for what never comes", ["open", "told"], () => {
    const own = client()
    return Array.from({ length: 2_000 }, (_, i) =>
      b.updateFrame(b.update([[own, 2 * i + 1, b.letters({ origin: [own, 2 * i] }, "w")]])),
    )
  }),
  frames("two updates that say different things at the same clock", "open", () => {
    const own = client()
    return ["first", "another, longer one"].map((text) =>
      b.updateFrame(b.update([[own, 0, b.letters(ROOT, text)]])),
    )
  }),
  {
    what: "two sockets that say different things at the same clock in the same moment",
    gets: "open",
    async attack(target) {
      const own = client()
      const say = (text: string) =>
        visit(target, (attacker) => attacker.send(b.updateFrame(b.update([[own, 0, b.letters(ROOT, text)]]))))
      const outcomes = await Promise.all(["one", "two!", "three", "4"].map(say))
      return [...new Set(outcomes)].join()
    },
  },
  frames("types nested 5,000 deep in 25 updates, and then deleted", ["open", BAD_UPDATE], () => {
    const own = client()
    const parts = Array.from({ length: 25 }, (_, i) =>
      b.update([
        [
          ...([own, i * 200] as const),
          ...b.nestedTypes(own, i * 200, {
            depth: 200,
            place: i === 0 ? { root: "deep-by-parts" } : { parent: [own, i * 200 - 1] },
          }),
        ],
      ]),
    )
    return [...parts, b.update([], [[own, [0, 1]]])].map(b.updateFrame)
  }),
  frames(
    "types nested 5,000 deep that wait for a letter, which comes, and then deleted",
    ["open", "told", BAD_UPDATE],
    () => {
      const own = client()
      const place = { root: "deep-and-late" }
      const late = b.update([[own, 1, ...b.nestedTypes(own, 1, { depth: 5_000, place })]])
      const letter = b.update([[own, 0, b.letters(ROOT, "x")]])
      return [late, letter, b.update([], [[own, [0, 2]]])].map(b.updateFrame)
    },
  ),
  frames("a new struct under the client id of someone who writes", "open", ({ honest }) => {
    const { doc } = honest[0]!
    const clock = Y.getState(doc.store, doc.clientID) + 1_000
    const forged = b.updateFrame(b.update([[doc.clientID, clock, b.letters(ROOT, "forged")]]))
    return [forged, forged]
  }),
  {
    what: "a struct under the client id of someone who is here and has not written yet",
    gets: "open",
    async attack(target) {
      // Honest and new: seen by everyone, and about to write the first word.
      const quiet = await Attacker.enter(target, { token: await target.mint!({ sub: "quiet" }) })
      if (typeof quiet === "string") return quiet
      try {
        const theirs = client()
        quiet.send(b.awareness([theirs, 1, '{"name":"quiet"}']))
        if ((await quiet.outcome()) !== "open") return "the quiet one is not in"
        const stolen = b.updateFrame(b.update([[theirs, 0, b.letters(ROOT, "forged")]]))
        const outcome = await visit(target, (attacker) => attacker.send(stolen))
        quiet.send(b.updateFrame(b.update([[theirs, 0, b.letters(ROOT, "mine")]])))
        const own = await quiet.outcome()
        return own === "open" ? outcome : `${outcome}, and the quiet one is ${own}`
      } finally {
        quiet.leave()
      }
    },
  },
]

const presence: Row[] = [
  frames("someone else's cursor, moved", "open", ({ honest }) =>
    honest.map(({ doc, awareness }) =>
      b.awareness([doc.clientID, awareness.meta.get(doc.clientID)!.clock + 100, '{"name":"forged"}']),
    ),
  ),
  frames("someone else's cursor, taken away", "open", ({ honest }) =>
    honest.map(({ doc, awareness }) =>
      b.awareness([doc.clientID, awareness.meta.get(doc.clientID)!.clock + 100, "null"]),
    ),
  ),
  frames("everyone's cursors in one frame, with the last possible clock", "open", ({ honest }) =>
    b.awareness(
      ...honest.map(({ doc }) => [doc.clientID, 2 ** 31 - 1, '{"forged":true}'] as [number, number, string]),
    ),
  ),
  frames("a clock of 2^31", "open", () => b.awareness([client(), 2 ** 31, '{"name":"m"}'])),
  frames("a client id and a clock of 2^53 - 1", "open", () =>
    b.awareness([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, '{"name":"m"}']),
  ),
  frames("a state of 5 kB", "open", () =>
    b.awareness([client(), 1, JSON.stringify({ name: "n".repeat(5_000) })]),
  ),
  frames("a state of 5 MB", "told", () =>
    b.awareness([client(), 1, JSON.stringify({ name: "n".repeat(5 * MB) })]),
  ),
  frames("a state nested 100,000 deep", "told", () =>
    b.awareness([client(), 1, `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`]),
  ),
  frames("a state that is a list", "told", () => b.awareness([client(), 1, '["a"]'])),
  frames("a state that is a word", "told", () => b.awareness([client(), 1, '"a"'])),
  frames("a state that is not JSON", "told", () => b.awareness([client(), 1, "{name:1}"])),
  frames("a state with the key __proto__", "open", () =>
    b.awareness([client(), 1, '{"__proto__":{"admin":true}}']),
  ),
  frames("1,000 clients in one frame", "open", () =>
    b.awareness(
      ...Array.from({ length: 1_000 }, () => [client(), 1, '{"name":"many"}'] as [number, number, string]),
    ),
  ),
  frames("10,000 frames of presence", "open", () => {
    const own = client()
    return Array.from({ length: 10_000 }, (_, i) => b.awareness([own, i, `{"n":${i}}`]))
  }),
  frames("2^40 entries, it says", "closed 4413", () => b.bytes(1, b.sized(b.bytes(2 ** 40, 1, 1, "null")))),
  frames("an entry that breaks off", BAD_FRAME, () => b.bytes(1, b.sized(b.bytes(1, 5, 1)))),
  frames("a state that is not UTF-8", "told", () =>
    b.bytes(1, b.sized(b.bytes(1, 5, 1, b.sized(b.raw(0xff, 0xfe))))),
  ),
  frames("bytes after the entries", BAD_FRAME, () => b.bytes(1, b.sized(b.bytes(0, 1)))),
  {
    what: "presence of a reader whose token says no",
    gets: "open",
    attack: async (target) =>
      visit(target, (attacker) => attacker.send(b.awareness([client(), 1, '{"name":"reader"}'])), {
        token: await target.mint!({ docs: [{ id: target.id, rights: "read" }] }),
      }),
  },
]

const resources: Row[] = [
  frames("a frame of 26 MB and a byte", "closed 4413", () => new Uint8Array(26 * MB + 1)),
  stall("a frame larger than the platform takes", webSocketFrame(new Uint8Array(34 * MB))),
  frames(
    "30 MB of zeros, compressed to a few kB",
    ["closed 4413", "closed 1009"],
    () => new Uint8Array(30 * MB),
    {
      deflate: true,
    },
  ),
  frames("90 MB in a moment", ["closed 4429", "closed 1013"], () => {
    const state = b.awareness([client(), 1, JSON.stringify({ name: "n".repeat(5 * MB) })])
    return Array.from({ length: 18 }, () => state)
  }),
  // As many as the proxy of `wrangler dev` passes on in good time; the room itself takes ten times as many.
  frames("20,000 empty frames", BAD_FRAME, () => Array.from({ length: 20_000 }, () => b.raw())),
  frames("5,000 queries", ["open", "closed 1013", "closed 4429"], () =>
    Array.from({ length: 5_000 }, () => b.QUERY),
  ),
  frames("5,000 questions whether it is saved", "open", () =>
    Array.from({ length: 5_000 }, (_, i) => b.saved(b.bytes(i))),
  ),
  frames("10,000 pings", "open", () => Array.from({ length: 10_000 }, () => PING)),
  frames("2,000 step 1 with nothing", ["open", "closed 1013", "closed 4429"], () =>
    Array.from({ length: 2_000 }, () => b.step1(b.raw(0))),
  ),
  frames("4,000 step 1 with something", ["closed 1013", "closed 4429"], () =>
    Array.from({ length: 4_000 }, (_, i) => b.step1(b.bytes(1, 1, i + 1))),
  ),
  frames("a state vector of noise", BAD_FRAME, () => b.step1(new Uint8Array(1_000).fill(255))),
  frames("a state vector of 2^53 - 1 clients, it says", BAD_FRAME, () =>
    b.step1(b.bytes(Number.MAX_SAFE_INTEGER, 1, 1)),
  ),
  frames("a state vector of no bytes", BAD_FRAME, () => b.step1(b.raw())),
  frames("a state vector of 200,000 clients", "open", () =>
    b.step1(b.join([200_000, ...Array.from({ length: 400_000 }, (_, i) => i)])),
  ),
  // Its echo is as long; a question is a number, and anything that is not is an amplifier.
  frames("a question of 10 MB whether it is saved", "closed 4413", () => b.saved(new Uint8Array(10 * MB))),
  {
    what: "200 sockets that come and go at once",
    gets: ["open", "429 rate-limited,open"],
    async attack(target) {
      const token = await target.mint!()
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, () => visit(target, () => {}, { token })),
      )
      return [...new Set(outcomes)].sort().join()
    },
  },
  {
    what: "20 sockets that are open by half",
    gets: "open",
    async attack(target) {
      const wires = Array.from({ length: 20 }, () => new Wire(target))
      const text = upgradeRequest(target, { path: `/docs/${target.id}` })
      for (const one of wires) one.write(text.slice(0, 60))
      try {
        return await visit(target, () => {})
      } finally {
        for (const one of wires) one.end()
      }
    },
  },
]

const transport: Row[] = [
  // workerd reads it all the same.
  wire("a frame without a mask", ["open", "ended"], webSocketFrame(b.QUERY, { masked: false })),
  stall("reserved bits nobody agreed on", webSocketFrame(b.QUERY, { reserved: 4 })),
  stall("half a frame, and then silence", webSocketFrame(b.updateFrame(new Uint8Array(1_000))).slice(0, 500)),
  wire("a reserved opcode", "ended", webSocketFrame(b.QUERY, { opcode: 5 })),
  wire("a ping of 200 bytes", ["open", "ended"], webSocketFrame(new Uint8Array(200), { opcode: 9 })),
  wire("a ping in pieces", "ended", webSocketFrame([1], { opcode: 9, final: false })),
  wire("a continuation of nothing", "ended", webSocketFrame(b.QUERY, { opcode: 0 })),
  wire(
    "a second message inside the first",
    "ended",
    webSocketFrame(b.QUERY, { final: false }),
    webSocketFrame(b.QUERY, { opcode: 1 }),
  ),
  stall("a frame of 2^63 bytes, it says", webSocketFrame([], { length: 2n ** 63n - 1n })),
  // workerd reads it all the same, and what is in a text is nobody's affair.
  wire("text that is not UTF-8", ["open", "ended"], webSocketFrame([0xff, 0xfe, 0xfd], { opcode: 1 })),
  wire("a goodbye with half a code", "ended", webSocketFrame([3], { opcode: 8 })),
  wire("a goodbye with code 999", "ended", webSocketFrame([3, 231], { opcode: 8 })),
  wire("a goodbye with code 1006", "ended", webSocketFrame([3, 238], { opcode: 8 })),
  wire(
    "a goodbye with a reason that is not UTF-8",
    "ended",
    webSocketFrame([3, 232, 255, 254], { opcode: 8 }),
  ),
  wire("a message in fragments of a byte", "open", ...fragments(b.step1(b.raw(0)))),
  wire("10,000 empty fragments in one message", "open", ...emptyFragments(10_000)),
  knock("an upgrade without a key", "400", async (target) =>
    upgradeRequest(target, { path: await ticket(target), headers: { "Sec-WebSocket-Key": null } }),
  ),
  knock("an upgrade of another version", ["400", "426"], async (target) =>
    upgradeRequest(target, { path: await ticket(target), headers: { "Sec-WebSocket-Version": "12" } }),
  ),
  knock(
    "an upgrade by POST",
    ["400", "405", "404", "405 method-not-allowed", "400 bad-request"],
    async (target) =>
      upgradeRequest(target, {
        path: await ticket(target),
        method: "POST",
        headers: { "Content-Length": "0" },
      }),
  ),
  knock("a line that is no request", "400", () => "HELLO YURT\r\n\r\n"),
  knock(
    "a request with two lengths",
    "400",
    (target) =>
      `POST /docs/x HTTP/1.1\r\nHost: ${new URL(target.url).host}\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc`,
  ),
  knock(
    "a request with a length and chunks",
    ["400", "401 unauthorized"],
    (target) =>
      `PATCH /docs/x HTTP/1.1\r\nHost: ${new URL(target.url).host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ),
  knock(
    "a header of 1 MB",
    ["431", "400", "ended"],
    (target) =>
      `GET /health HTTP/1.1\r\nHost: ${new URL(target.url).host}\r\nX-Long: ${"x".repeat(MB)}\r\n\r\n`,
  ),
]

const names: Row[] = [
  ...(
    [
      ["an id with a zero byte", "%00"],
      ["an id of dots behind an encoded slash", "a%2f..%2fb"],
      ["an id with an empty segment", "a%2f%2fb"],
      ["an id with the segment that stands before resources", "a%2f-%2fb"],
      ["an id of 300 characters", "x".repeat(300)],
      ["an id of 90 characters and 270 bytes", "%E6%97%A5".repeat(90)],
      ["an id that is no UTF-8", "%ff%fe"],
      ["an id with half an escape", "a%2"],
      ["an id with a control character of Latin-1", "a%C2%85b"],
      ["an id with a space at its end", "a%20"],
      ["an id with a backslash", "a%5cb"],
      ["the name of the room that answers for the archive", "-"],
      ["the same, encoded", "%2D"],
      ["a pattern of a token", "*"],
      ["an id with a line break", "a%0d%0aSet-Cookie:x"],
    ] as const
  ).flatMap(([what, id]) => [
    http(`${what}, over HTTP`, "400 bad-id", { path: `/docs/${id}` }),
    enter(`${what}, by a socket`, "400 bad-id", { path: `/docs/${id}` }),
  ]),
  // They are ids like any other: the token does not name them, that is all.
  ...(
    [
      ["two dots, encoded twice", "%252e%252e"],
      ["an id outside of ASCII", "%C3%BC"],
      ["an id with a space", "a%20b"],
      ["an id with a slash that is not encoded", "a/b"],
      ["an address as an id", "user@example.com"],
      ["an id that is not in normal form", "u%CC%88"],
    ] as const
  ).flatMap(([what, id]) => [
    http(`${what}, over HTTP`, "403 forbidden", { path: `/docs/${id}` }),
    enter(`${what}, by a socket`, "403 forbidden", { path: `/docs/${id}` }),
  ]),
  http("no id at all", "400 bad-id", { path: "/docs/" }),
  http("a resource that is none", "404 not-found", { path: "/docs/a/-/passwd" }),
  http("a resource behind encoded slashes", "400 bad-id", { path: "/docs/a%2F-%2Fstatus" }),
  http("dots that lead out of /docs", ["404 not-found", "200", "404"], {
    path: "/docs/%2e%2e/%2e%2e/etc/passwd",
  }),
  http("a party that is none", "404 not-found", { path: "/parties/evil/x" }),
  http("a party named __proto__", "404 not-found", { path: "/parties/__proto__/x" }),
  http("the binding of the database as a party", "404 not-found", { path: "/parties/db/x" }),
  http("the registry of revocations as a party", "404 not-found", {
    path: "/parties/registry/x",
    method: "POST",
  }),
  http("a path of 8 kB", ["404 not-found", "414", "431"], { path: `/${"x".repeat(8_000)}` }),
  enter("a connection id of 10 kB", ["open", "400 bad-request", "414", "431"], {
    query: `&_pk=${"x".repeat(10_000)}`,
  }),
  enter("a connection id of 300 characters", ["open", "400 bad-request"], {
    query: `&_pk=${"x".repeat(300)}`,
  }),
  enter("a query of 14 kB", ["open", "400 bad-request", "414", "431"], { query: `&x=${"x".repeat(14_000)}` }),
  {
    // Together more than a socket's attachment holds, 16 kB.
    what: "a query of 14 kB and a state of 4 kB",
    gets: ["open", "400 bad-request", "414", "431"],
    attack: (target) =>
      visit(
        target,
        (attacker) => {
          attacker.send(b.awareness([client(), 1, JSON.stringify({ name: "n".repeat(4_000) })]))
          for (const { awareness } of target.honest) awareness.setLocalStateField("moved", true)
        },
        { query: `&x=${"x".repeat(14_000)}`, protocols: [] },
      ),
  },
  enter("an id of 60 characters whose refusal is longer than a reason may be", "closed 4401", {
    ...{ token: null, path: `/docs/${"%E6%97%A5".repeat(60)}`, protocols: ["yurt"] },
  }),
  enter("an empty connection id", "open", { query: "&_pk=" }),
  enter("the connection id of someone who is here", "open", { query: "&_pk=honest" }),
]

const OTHER = { path: "/docs/attackers" }

const rest: Row[] = [
  http("TRACE", ["405 method-not-allowed", "405", "501", "400"], { method: "TRACE" }),
  http("a PUT that does not say what it is", "415 unsupported-media-type", { method: "PUT", body: "x" }),
  http("a method nobody knows", ["405 method-not-allowed", "405", "501", "400"], { method: "PROPFIND" }),
  http("a POST to a room that takes none", "405 method-not-allowed", { method: "POST", body: "{}" }),
  http("DELETE without the right", "403 forbidden", { method: "DELETE" }),
  http("the list without the right", "403 forbidden", { path: "/docs" }),
  http("a revocation without the right", "403 forbidden", {
    path: "/admin/revocations",
    method: "POST",
    body: "{}",
  }),
  http("a PATCH of JSON", "415 unsupported-media-type", {
    ...{ method: "PATCH", body: "{}" },
    headers: { "content-type": "application/json" },
  }),
  http("a PATCH that says it is compressed", "415 unsupported-media-type", {
    ...{ method: "PATCH", body: "x" },
    headers: { "content-encoding": "gzip" },
  }),
  http("a PATCH of no bytes", "422 bad-update", { method: "PATCH", body: "" }),
  http("a PATCH of noise", "422 bad-update", () => ({ method: "PATCH", body: noise(10_000) })),
  http("a PATCH with a delete of no length", "422 bad-update", {
    ...{ method: "PATCH", body: b.hex("01014d00010101740000") },
  }),
  http("a PATCH of a byte more than 25 MB", ["413 too-large", "ended"], () => ({
    ...{ method: "PATCH", body: new Uint8Array(25 * MB + 1) },
  })),
  http("a PATCH of 30 MB that does not say how long it is", ["413 too-large", "ended"], () => ({
    ...{ method: "PATCH", body: new Uint8Array(30 * MB), chunked: true },
  })),
  {
    what: "a PATCH that is shorter than it says, and waits",
    gets: "open",
    async attack(target) {
      const one = new Wire(target)
      const { host } = new URL(target.url)
      one.write(`PATCH ${await ticket(target)} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1000\r\n\r\nx`)
      try {
        return await visit(target, () => {})
      } finally {
        one.end()
      }
    },
  },
  http("a range", "200", { headers: { range: "bytes=0-1,5-9,-3" } }),
  http("an If-None-Match of noise", "200", { headers: { "if-none-match": 'W/"", "" "x, *y' } }),
  http("an Accept of noise", "406 not-acceptable", { headers: { accept: ";;q=,/,a/b;q=9" } }),
  http("an Accept of 8 kB", ["200", "406 not-acceptable", "431"], {
    headers: { accept: "a/b,".repeat(2_000) },
  }),
  http("a format that is none", "400 bad-request", (target) => ({
    path: `/docs/${target.id}?format=__proto__`,
  })),
  http("a root of bytes", "400 bad-request", (target) => ({ path: `/docs/${target.id}?root=text` })),
  http("a root that is none", "404 not-found", (target) => ({
    path: `/docs/${target.id}?format=json&root=__proto__`,
  })),
  http("a resource that is none", "404 not-found", (target) => ({ path: `/docs/${target.id}/-/secrets` })),
  http("an answer by WebSocket to what is no upgrade", "401 unauthorized", {
    ...{ token: null, headers: { "sec-websocket-protocol": "yurt" } },
  }),
  http("a path below a document, which is another document", "403 forbidden", (target) => ({
    path: `/docs/${target.id}/secrets`,
  })),
  http("a path that is none", "404 not-found", { path: "/docs2/x" }),
  http("a GET with a body", ["200", "400"], { body: "surprise", headers: { "content-type": "text/plain" } }),
  http("headers that only the Worker may set", "401 unauthorized", {
    token: null,
    headers: {
      "x-yurt-grant": Buffer.from('{"subject":null,"rights":"write","admin":true}').toString("base64url"),
      "x-partykit-room": "*",
      "x-partykit-props": "{}",
    },
  }),
  {
    what: "a list with a limit and a cursor of noise",
    gets: "400 bad-request,400 bad-request,400 bad-request,200",
    async attack(target) {
      const token = await target.mint!({ admin: true })
      const queries = [
        "limit=0",
        "limit=1e3",
        "limit=99999",
        `limit=5&cursor=${encodeURIComponent("';DROP TABLE--\u0000")}`,
      ]
      const outcomes = []
      for (const query of queries) outcomes.push(await ask(target, { path: `/docs?${query}`, token }))
      return outcomes.join()
    },
  },
  {
    what: "revocations of noise",
    gets: "400 bad-request,400 bad-request,400 bad-request,413 too-large",
    async attack(target) {
      const token = await target.mint!({ admin: true })
      const outcomes = []
      for (const body of ["", "[]", '{"subject":""}', new Uint8Array(26 * MB)]) {
        outcomes.push(await ask(target, { path: "/admin/revocations", method: "POST", body, token }))
      }
      return outcomes.join()
    },
  },
]

/** A token that is not good enough, at both doors. */
function token(
  what: string,
  gets: string,
  make: (target: Target) => string | null | Promise<string | null>,
): Row[] {
  return [
    enter(`${what}, by a socket`, gets, async (target) => ({ token: await make(target) })),
    {
      ...{ what: `${what}, over HTTP`, gets },
      attack: async (target) => ask(target, { token: (await make(target)) ?? null }),
    },
  ]
}

/** A fresh token on an open socket. It is verified outside of the turn: the answer to a question may overtake it. */
function renews(what: string, gets: string, fresh: string): Row {
  return {
    ...{ what, gets },
    attack: (target) =>
      visit(target, async (attacker) => {
        attacker.send(b.renewal(fresh))
        await attacker.ended()
      }),
  }
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600

const tokens: Row[] = [
  ...token("no token", "401 unauthorized", () => null),
  ...token("a token that has expired", "401 unauthorized", ({ mint }) => mint!({ exp: 1_700_000_000 })),
  ...token("a token without an end", "401 unauthorized", ({ mint }) => mint!({ exp: undefined })),
  ...token("a token of nobody", "401 unauthorized", ({ mint }) => mint!({ sub: undefined })),
  ...token("a token for another audience", "401 unauthorized", ({ mint }) => mint!({ aud: "elsewhere" })),
  ...token("a token without an audience", "401 unauthorized", ({ mint }) => mint!({ aud: undefined })),
  ...token("a token of another key", "401 unauthorized", ({ mint }) =>
    mint!({}, { secret: randomBytes(32).toString("hex") }),
  ),
  ...token("a token by another algorithm", "401 unauthorized", ({ mint }) => mint!({}, { alg: "HS512" })),
  ...token("a token by the algorithm none", "401 unauthorized", ({ id }) => {
    const claims = { sub: "attacker", aud: "yurt", exp: inAnHour(), docs: [{ id, rights: "write" }] }
    return `${base64({ alg: "none", typ: "JWT" })}.${base64(claims)}.`
  }),
  ...token("a token whose claims were changed", "401 unauthorized", async ({ mint, id }) => {
    const [head, , signature] = (await mint!()).split(".")
    const claims = {
      sub: "attacker",
      aud: "yurt",
      exp: inAnHour(),
      admin: true,
      docs: [{ id, rights: "write" }],
    }
    return `${head}.${base64(claims)}.${signature}`
  }),
  ...token("a token of 9 kB", "401 unauthorized", ({ mint }) => mint!({ name: "n".repeat(9_000) })),
  ...token("a token that is none", "401 unauthorized", () => "a.b.c"),
  ...token("a token with docs that are no list", "401 unauthorized", ({ mint }) => mint!({ docs: "*" })),
  ...token("a token with rights that are none", "401 unauthorized", ({ mint, id }) =>
    mint!({ docs: [{ id, rights: "own" }] }),
  ),
  ...token("a token for another document", "403 forbidden", ({ mint }) =>
    mint!({ docs: [{ id: "another", rights: "write" }] }),
  ),
  ...token(
    "a token for the documents that begin with what this id does not",
    "403 forbidden",
    ({ mint, id }) => mint!({ docs: [{ id: `${id}/*`, rights: "write" }] }),
  ),
  ...token("an admin's token that names no document", "403 forbidden", ({ mint }) =>
    mint!({ admin: true, docs: [] }),
  ),
  enter("a token as a subprotocol without the name of ours", "401 unauthorized", async ({ mint }) => ({
    token: null,
    protocols: [await mint!()],
  })),
  enter("a token as a password", "401 unauthorized", async ({ mint }) => ({
    token: null,
    headers: { authorization: `Basic ${Buffer.from(`x:${await mint!()}`).toString("base64")}` },
  })),
  {
    what: "a PATCH of a reader",
    gets: "403 forbidden",
    attack: async (target) =>
      ask(target, {
        ...{ method: "PATCH", body: b.update([[client(), 0, b.letters(ROOT, "forged")]]) },
        token: await readers(target),
      }),
  },
  ...[b.updateFrame, b.step2].map((write) => ({
    what: `a reader who writes, by ${write === b.step2 ? "step 2" : "update"}`,
    gets: "refused",
    attack: async (target: Target) => {
      const forged = () => write(b.update([[client(), 0, b.letters(ROOT, "forged")]]))
      return visit(target, (attacker) => attacker.send(forged(), forged()), { token: await readers(target) })
    },
  })),
  renews("a fresh token of noise on an open socket", "closed 4401", "a.b.c"),
  renews("a fresh token of 1 MB on an open socket", "closed 4401", "x".repeat(MB)),
  ...(
    [
      ["someone else's fresh token on an open socket", { sub: "someone else" }],
      [
        "a fresh token for another document on an open socket",
        { docs: [{ id: "another", rights: "write" }] },
      ],
    ] as const
  ).map(([what, claims]) => ({
    ...{ what, gets: "closed 4403" },
    attack: async (target: Target) => {
      const fresh = b.renewal(await target.mint!(claims))
      return visit(target, async (attacker) => {
        attacker.send(fresh)
        await attacker.refused()
        attacker.send(fresh)
        await attacker.ended()
      })
    },
  })),
  {
    what: "a token that expires while its socket is open",
    gets: "closed 4401",
    attack: async (target) =>
      visit(target, expires, {
        token: await target.mint!({ exp: Math.floor(Date.now() / 1000) + 2 }),
      }),
  },
]

const doors: Row[] = [
  enter("a page of another site that opens a socket on localhost", "403 origin-refused", {
    headers: { origin: "https://example.com" },
  }),
  http("a page of another site that reads a document on localhost", "403 origin-refused", {
    headers: { origin: "https://example.com" },
  }),
  http("a page without an origin of its own", "403 origin-refused", { headers: { origin: "null" } }),
  http("a name that leads to localhost", "503 closed", { headers: { host: "localhost.example.com" } }),
  enter("a socket by a name that leads to localhost", "503 closed", { headers: { host: "example.com" } }),
  http("a proxy that tells where it stands", "503 closed", {
    headers: { "x-forwarded-host": "example.com" },
  }),
  http("a proxy that tells for whom it asks", "503 closed", {
    headers: { "x-forwarded-for": "203.0.113.9" },
  }),
  knock(
    "a request for an address of another host",
    ["503 closed", "400"],
    ({ id }) => `GET http://example.com/docs/${id} HTTP/1.1\r\nHost: example.com\r\n\r\n`,
  ),
  knock("a request without a host", "400", ({ id }) => `GET /docs/${id} HTTP/1.1\r\n\r\n`),
  http("an id that is none, without a key", "400 bad-id", { path: "/docs/%00" }),
  http("a document nobody has made", "404 not-found", OTHER),
  frames("a fresh token where there is no key", "open", () => b.renewal("a.b.c")),
].map((row) => ({ ...row, open: true }))

/** Every row, by what it is about. */
export const TABLE: Readonly<Record<string, readonly Row[]>> = {
  "[W1] framing": framing,
  "[W3] malformed updates": malformed,
  "[W3] strange updates": strange,
  "[W1] [W3] a stock client": stock,
  "[P1] [P2] presence": presence,
  "[F3] resources": resources,
  "[B1] [B3] bounds": BOUNDS,
  "[R1] [B1] Hocuspocus and bundles": BUNDLES,
  "[W1] transport": transport,
  "[W1] names": names,
  "[W1] REST": rest,
  "[G1] [B1] programs": PROGRAMS,
  "[R1] [R2] tokens": tokens,
  "[R1] the open door": doors,
}

// ---- makings

async function expires(attacker: Attacker): Promise<void> {
  // workerd ends the TCP connection of a socket that never said a word only after a while.
  attacker.send(b.QUERY)
  await attacker.ended()
}

async function ticket(target: Target): Promise<string> {
  return `/docs/${target.id}?token=${await target.mint!()}`
}

function readers({ mint, id }: Target): Promise<string> {
  return mint!({ docs: [{ id, rights: "read" }] })
}

function fragments(message: Uint8Array): Uint8Array[] {
  return Array.from(message, (byte, i) =>
    webSocketFrame([byte], { opcode: i === 0 ? 2 : 0, final: i === message.length - 1 }),
  )
}

/** One message, most of which is empty fragments. */
function emptyFragments(count: number): Uint8Array[] {
  return [
    webSocketFrame([], { final: false }),
    ...Array.from({ length: count }, () => webSocketFrame([], { opcode: 0, final: false })),
    webSocketFrame(b.step1(b.raw(0)), { opcode: 0 }),
  ]
}

/** Bytes that look like nothing, always the same. */
function noise(length: number): Uint8Array {
  const random = prng.create(7)
  return Uint8Array.from({ length }, (_, i) => (i === 0 ? 200 : prng.int32(random, 0, 255)))
}

/** An honest update of this client's with up to three bytes changed. */
function mutated(random: prng.PRNG, own: number): Uint8Array {
  const bytes = b.honestUpdate((doc) => {
    const text = doc.getText("mutants")
    text.insert(0, "an honest word")
    text.format(3, 4, { bold: true })
    text.delete(1, 2)
    doc.getMap("mutant").set("k", { list: [1, "two", null] })
  }, own)
  for (let n = prng.int32(random, 1, 3); n > 0; n--) {
    bytes[prng.int32(random, 0, bytes.length - 1)] = prng.int32(random, 0, 255)
  }
  return bytes
}
