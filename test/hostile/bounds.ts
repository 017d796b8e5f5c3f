/**
 * Rows about what a little costs: few bytes, small frames or one token, and how much of the server's memory and of
 * other people's time they take [B1] [B3] [F3].
 */
import * as Y from "yjs"
import { exportBudget } from "../../src/export/budget.ts"
import type { DocumentStatus } from "../../src/rpc.ts"
import { statusPath } from "../kit/addresses.ts"
import { until } from "../kit/until.ts"
import { Attacker, ask, type Target, visit } from "./attacker.ts"
import * as b from "./bytes.ts"
import { client, frames, MB, type Row } from "./rows.ts"

/** Nothing of a few bytes may make the server grow by more, MB: half of what the platform gives a room. */
const SMALL_MB = 64
/** ... nor hold up a letter of somebody else's for longer, ms. */
const SHORT_MS = 1_500
/** The same of a thousand updates, each of which is judged, shown to ten, or kept in a row of its own: about 1 ms each. */
const THOUSAND_MS = 5_000
/** The long rows are played where YURT_HOSTILE is "full". */
const FULL = process.env.YURT_HOSTILE === "full"

/** A row about bounds: whatever it gets of these, the honest must not notice. */
function bounded(what: string, gets: Row["gets"], attack: Row["attack"], more: Partial<Row> = {}): Row {
  return { ...{ what, gets, attack, growthMb: SMALL_MB, latencyMs: SHORT_MS }, ...more }
}

/** What a room may do with somebody who asks for too much. */
const HELD_OFF = ["open", "told", "refused", "closed 1013", "closed 4429"]

/** Put an own text into the document, do something, and take the text away again. */
async function beside(target: Target, letters: number, act: () => Promise<string>): Promise<string> {
  const own = client()
  const root = { root: "beside" }
  const change = (...updates: Uint8Array[]) =>
    visit(target, (attacker) => attacker.send(...updates.map(b.updateFrame)))
  await change(b.update([[own, 0, b.letters(root, "x".repeat(letters))]]))
  try {
    return await act()
  } finally {
    await change(b.update([], [[own, [0, letters]]]))
  }
}

/** Send the same over and over on a socket that reads nothing; then read, and see what came of it. */
async function withoutReading(
  target: Target,
  round: () => (Uint8Array | string)[],
  rounds: number,
): Promise<string> {
  const attacker = await Attacker.enter(target)
  if (typeof attacker === "string") return attacker
  try {
    attacker.socket.pause()
    for (let i = 0; i < rounds; i++) {
      attacker.send(...round())
      // So that the room has its turns in between.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    attacker.socket.resume()
    return await attacker.outcome()
  } finally {
    attacker.leave()
  }
}

const EMPTY_AWARENESS = b.raw(1, 1, 0)
const STEP_1_OF_NOTHING = b.step1(b.raw(0))

/** Pairs of a state and its end: what a room would remember of people who are gone. */
function comingsAndGoings(pairs: number): Uint8Array {
  const first = client() + 10_000_000
  return b.awareness(
    ...Array.from({ length: pairs }, (_, i): [number, number, string][] => [
      [first + i, 1, "{}"],
      [first + i, 2, "null"],
    ]).flat(),
  )
}

/** Sections of a collected letter each, under client ids of their own. */
function manyClients(count: number, first: number): Uint8Array {
  return b.update(
    Array.from({ length: count }, (_, i): [number, number, Uint8Array] => [first - i, 0, b.gc(1)]),
  )
}

const memory: Row[] = [
  bounded("a document over and over for a socket that does not read", HELD_OFF, (target) =>
    beside(target, MB, () =>
      withoutReading(target, () => [EMPTY_AWARENESS, b.QUERY, STEP_1_OF_NOTHING], 200),
    ),
  ),
  bounded("queries from a socket that does not read", HELD_OFF, (target) =>
    withoutReading(target, () => Array.from({ length: 50 }, () => b.QUERY), 100),
  ),
  bounded(
    "presence of 20,000 people who come and go, in frames of 300 kB",
    [...HELD_OFF, "closed 4400", "closed 4413"],
    (target) =>
      visit(target, async (attacker) => {
        for (let i = 0; i < 5; i++) attacker.send(comingsAndGoings(4_000))
      }),
  ),
  bounded("presence of 40,000 people in one frame", [...HELD_OFF, "closed 4400", "closed 4413"], (target) =>
    visit(target, (attacker) => {
      const first = client() + 20_000_000
      attacker.send(
        b.awareness(
          ...Array.from({ length: 40_000 }, (_, i): [number, number, string] => [first + i, 1, "{}"]),
        ),
      )
    }),
  ),
  bounded(
    "letters of 200 formats in 1,000 runs, and their export as JSON",
    ["200", "406 not-acceptable", "413 too-large"],
    (target) => exported(target, { keys: 200, runs: 1_000 }),
  ),
]

/** Write a text of many formats, export it, and take it away; "… kB of JSON" where the export is out of all proportion. */
async function exported(target: Target, { keys, runs }: { keys: number; runs: number }): Promise<string> {
  const doc = new Y.Doc()
  const text = doc.getText("formats")
  const attributes = Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, true]))
  doc.transact(() => {
    text.insert(0, "x".repeat(runs), attributes)
    for (let i = 0; i < runs; i += 2) text.format(i, 1, { turn: i })
  })
  const written = await visit(target, (attacker) => attacker.send(b.updateFrame(Y.encodeStateAsUpdate(doc))))
  if (written !== "open") return written
  try {
    const said = async (path: string) => {
      const before = target.heard.length
      const outcome = await ask(target, { path })
      return { outcome, body: target.heard.splice(before).join("") }
    }
    const status = await said(statusPath(target.id))
    const limitBytes = exportBudget((JSON.parse(status.body) as DocumentStatus).bytes)
    const { outcome, body } = await said(`/docs/${target.id}?format=json&root=formats`)
    const bytes = body.length
    return bytes > limitBytes ? `${Math.round(bytes / 1024)} kB of JSON` : outcome
  } finally {
    const vector = Y.encodeStateVector(doc)
    doc.transact(() => text.delete(0, text.length))
    await visit(target, (attacker) => attacker.send(b.updateFrame(Y.encodeStateAsUpdate(doc, vector))))
  }
}

const clientIds: Row[] = [
  bounded(
    "10,000 client ids in frames of 5,000",
    [...HELD_OFF, "closed 4409", "closed 4413", "closed 4422"],
    (target) =>
      visit(target, (attacker) => {
        for (let i = 0; i < 2; i++)
          attacker.send(b.updateFrame(manyClients(5_000, 3_000_000_000 - i * 5_000)))
      }),
    { spoils: true },
  ),
  ...(FULL
    ? [
        bounded(
          "350,000 client ids, as an old public page comes to",
          ["refused", "told", "closed 4409", "closed 4413", "closed 4422", "closed 4429"],
          (target) =>
            visit(target, async (attacker) => {
              for (let i = 0; i < 6; i++) {
                attacker.send(b.updateFrame(manyClients(60_000, 3_000_000_000 - i * 60_000)))
                await attacker.outcome()
              }
            }),
          { spoils: true, growthMb: 128 },
        ),
      ]
    : []),
]

/** How long this many letters of the attacker's take until they are saved, ms. */
async function lettersTake(target: Target, letters: number): Promise<number> {
  const own = client()
  const sentAt = performance.now()
  await visit(target, (attacker) =>
    attacker.send(
      ...Array.from({ length: letters }, (_, i) =>
        b.updateFrame(
          b.update([[own, i, b.letters(i === 0 ? { root: "typed" } : { origin: [own, i - 1] }, "x")]]),
        ),
      ),
    ),
  )
  return performance.now() - sentAt
}

/** Letters may take this many times as long, and this much longer, ms, beside something that waits. */
const SLOWER = { times: 3, ms: 300 }

const waiting: Row[] = [
  bounded(
    "1 MB that waits for what never comes, while somebody types",
    ["not slower"],
    async (target) => {
      const before = await lettersTake(target, 1_000)
      const own = client()
      const waits = b.update([[own, 7, ...Array.from({ length: 300_000 }, () => b.gc(1))]])
      await visit(target, (attacker) => attacker.send(b.updateFrame(waits)))
      const after = await lettersTake(target, 1_000)
      return after <= before * SLOWER.times + SLOWER.ms
        ? "not slower"
        : `${Math.round(after)} ms, not ${Math.round(before)}`
    },
    { spoils: true, latencyMs: THOUSAND_MS },
  ),
  bounded(
    "1,000 updates in reverse order",
    HELD_OFF,
    (target) => {
      const own = client()
      const updates = Array.from({ length: 1_000 }, (_, i) =>
        b.update([[own, i, b.letters(i === 0 ? { root: "reversed" } : { origin: [own, i - 1] }, "x")]]),
      )
      return visit(target, (attacker) => attacker.send(...updates.reverse().map(b.updateFrame)))
    },
    { spoils: true, latencyMs: THOUSAND_MS },
  ),
  ...(
    [
      [
        "a step 2 with a gap",
        (own: number) => b.update([[own, 5, b.letters({ origin: [own, 4] }, "waits")]]),
      ],
      ["a step 2 of deletes of what nobody has", (own: number) => b.update([], [[own, [0, 5]]])],
    ] as const
  ).map(([what, make]) =>
    bounded(`${what}, again for each step 1`, ["few rounds"], (target) =>
      answeringEachStep1(target, make(client())),
    ),
  ),
]

/** How long a loop is watched, ms, and the most rounds it may take. */
const LOOP = { ms: 1_500, rounds: 20 }

/** As an honest client with a gap does: it answers each step 1 with all it has, which the room has already. */
async function answeringEachStep1(target: Target, update: Uint8Array): Promise<string> {
  const attacker = await Attacker.enter(target)
  if (typeof attacker === "string") return attacker
  try {
    let rounds = 0
    attacker.onStep1 = () => {
      rounds++
      attacker.send(b.step2(update))
    }
    attacker.send(STEP_1_OF_NOTHING, b.step2(update))
    await new Promise((resolve) => setTimeout(resolve, LOOP.ms))
    if (attacker.closed) return await attacker.outcome()
    return rounds <= LOOP.rounds ? "few rounds" : `${rounds} rounds`
  } finally {
    attacker.leave()
  }
}

/** A thousand renewals at once are worth this many to the registries. */
const RENEWALS = { sent: 1_000, taken: 10 }

const paced: Row[] = [
  bounded("1,000 fresh tokens of a reader's at once", [...HELD_OFF, "closed 4401"], async (target) => {
    const token = await target.mint!({ docs: [{ id: target.id, rights: "read" }] })
    const attacker = await Attacker.enter(target, { token })
    if (typeof attacker === "string") return attacker
    try {
      attacker.send(...Array.from({ length: RENEWALS.sent }, () => b.renewal(token)))
      const outcome = await attacker.outcome()
      return attacker.renewed <= RENEWALS.taken ? outcome : `${attacker.renewed} taken`
    } finally {
      attacker.leave()
    }
  }),
  bounded("100 exports at once", ["200", "200,429 rate-limited", "429 rate-limited"], async (target) => {
    const outcomes = await beside(target, MB / 4, async () => {
      const asked = Array.from({ length: 100 }, () =>
        ask(target, { path: `/docs/${target.id}?format=state-vector` }),
      )
      return [...new Set(await Promise.all(asked))].sort().join()
    })
    return outcomes
  }),
]

/** Where a state of this size is shown to an honest person: "seen"; else what the attacker gets. */
function presenceOf(bytes: number, gets: Row["gets"]): Row {
  return bounded(`presence of ${bytes.toLocaleString("en")} bytes`, gets, async (target) => {
    const own = client()
    const attacker = await Attacker.enter(target, { protocols: ["yurt"] })
    if (typeof attacker === "string") return attacker
    try {
      attacker.send(b.awareness([own, 1, JSON.stringify({ selected: "s".repeat(bytes) })]))
      const outcome = await attacker.outcome()
      const { awareness } = target.honest.at(-1)!
      await until(() => awareness.getStates().has(own), "it is seen", { timeoutMs: 1_000 }).catch(() => {})
      return awareness.getStates().has(own) ? "seen" : outcome
    } finally {
      attacker.leave()
    }
  })
}

export const BOUNDS: readonly Row[] = [
  ...memory,
  ...clientIds,
  ...waiting,
  ...paced,
  // What a drawing app shows of 200 selected shapes.
  presenceOf(6_000, "seen"),
  presenceOf(64_000, ["seen", "told"]),
  presenceOf(MB, "told"),
  frames("1,000 step 1 with a state vector of 1,000 clients", [...HELD_OFF], () => {
    const vector = b.join([1_000, ...Array.from({ length: 1_000 }, (_, i) => [i + 1, 1]).flat()])
    return Array.from({ length: 1_000 }, () => b.step1(vector))
  }),
]
