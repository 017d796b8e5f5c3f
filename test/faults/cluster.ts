/**
 * Faults of a cluster: `yurt serve --cluster`, two nodes over one bucket. A node dies, goes, or is cut off, or the bucket is
 * away, while people type on both; whoever is left has all that was acknowledged.
 */
import { startBucket, type TestBucket } from "../kit/bucket.ts"
import { startProxy } from "../kit/proxy.ts"
import { SelfHosted } from "../kit/self-hosted.ts"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import { authVars, RoomServer } from "./harness.ts"
import { Broken, checkArchived } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"

/** What was measured, ms, by what it is. */
export const FIGURES: Map<string, number[]> = new Map()

/** Edits whose way from one node to the other is measured in a round. */
const MEASURED_EDITS = 50

/** An outage that a cluster lives through ... */
const SHORT_OUTAGE_MS = 5_000
/** ... and how soon it ends where there is a longer one: it has to be gone before its lease is, of 20 s. */
const LEASE_MS = 20_000

/** An editor who was cut tries again after this long ... */
const AGAIN_MS = 200
/** ... and gives up after this. */
const COME_BACK_MS = 30_000

/**
 * The faults.
 * @param timeDivisor of the cluster's own times: 1 for figures that mean something
 */
export function clusterFaults(timeDivisor: number): readonly Fault[] {
  const fault = (name: string, short: number, strike: (cluster: Company) => Promise<void>): Fault => ({
    ...{ name, rule: "D2", rounds: { short, long: 10 } },
    strike: async (round) => strike(await assemble(round, timeDivisor)),
  })
  return [
    fault("the node of a room is killed while people type on two", 1, async (company) => {
      const { owner, other } = company
      const stops = company.editors.map((editor) => editor.keepWriting())
      await until(
        () => company.editors.every(({ acknowledged }) => acknowledged > 20),
        "much is acknowledged",
      )
      const killedAtMs = Date.now()
      await owner.killWorkerd()
      await allCut(company)
      for (const stop of stops) await stop()
      await untilServed(company, other)
      note("takeover after SIGKILL", Date.now() - killedAtMs)
      await settle(company, other, { cuts: 1 })
    }),
    fault("the node of a room goes on SIGTERM while people type on two", 0, async (company) => {
      const { owner, other } = company
      const stops = company.editors.map((editor) => editor.keepWriting())
      await until(
        () => company.editors.every(({ acknowledged }) => acknowledged > 20),
        "much is acknowledged",
      )
      const askedAtMs = Date.now()
      const gone = owner.terminate()
      await allCut(company)
      for (const stop of stops) await stop()
      for (const editor of company.editors) {
        if (!editor.losses.every((code) => code === 1012))
          throw new Broken("I4", `${editor.name} was not told that the server starts anew: ${editor.losses}`)
        // That was it being told.
        editor.forgive()
      }
      // Until the room has left, the node that goes has it still, and would be measured.
      await until(() => owner.log.some(({ event }) => event === "drained"), "the rooms have let go", {
        everyMs: 5,
      })
      await untilServed(company, other)
      note("handover on SIGTERM", Date.now() - askedAtMs)
      await settle(company, other)
      const { code, ms } = await gone
      note("end of a node on SIGTERM", ms)
      if (code !== 0) throw new Broken("I4", `The node that went ended with ${code}`)
    }),
    fault("the bucket is away for a while", 0, async (company) => {
      const { bucket, editors, other } = company
      for (const fault of ["hung", "away"] as const) {
        const stops = editors.map((editor) => editor.keepWriting())
        const before = editors.map(({ acknowledged }) => acknowledged)
        const isOn = (editor: Editor, i: number) => editor.acknowledged > before[i]! + 20
        await until(() => editors.every(isOn), "much is acknowledged")
        bucket.fault = fault
        await new Promise((resolve) => setTimeout(resolve, SHORT_OUTAGE_MS / timeDivisor))
        bucket.fault = "none"
        const backAtMs = Date.now()
        for (const stop of stops) await stop()
        await Promise.all(editors.map((editor) => comeBack(company, editor)))
        note(`all is saved after the bucket was ${fault}`, Date.now() - backAtMs)
        // A room whose write failed begins anew, as on a disk that failed: its people are cut, and come back.
        for (const editor of editors) editor.losses.length = 0
      }
      await settle(company, other)
    }),
    fault("the bucket is away for so long that every node ends", 0, async (company) => {
      const { bucket, editors, owner, other } = company
      const stops = editors.map((editor) => editor.keepWriting())
      await until(() => editors.every(({ acknowledged }) => acknowledged > 20), "much is acknowledged")
      const awayAtMs = Date.now()
      bucket.fault = "hung"
      const codes = await Promise.all([owner.ended(), other.ended()])
      note("end of a node without its bucket", Date.now() - awayAtMs)
      if (codes.some((code) => code !== 1)) throw new Broken("I4", `The nodes ended with ${codes}`)
      await allCut(company)
      for (const stop of stops) await stop()
      bucket.fault = "none"
      await Promise.all([owner.start(), other.start()])
      await untilServed(company, other)
      await settle(company, other, { cuts: 1 })
    }),
    fault(
      "the node of a room is cut off from bucket and nodes, and its people type on",
      0,
      async (company) => {
        const { editors, owner, other, cut, heal } = company
        const stops = editors.map((editor) => editor.keepWriting())
        await until(() => editors.every(({ acknowledged }) => acknowledged > 20), "much is acknowledged")
        const cutAtMs = Date.now()
        cut()
        await owner.ended()
        const endedMs = Date.now() - cutAtMs
        note("end of a node that was cut off", endedMs)
        if (endedMs > LEASE_MS / timeDivisor) throw new Broken("I2", `A node went on for ${endedMs} ms alone`)
        await allCut(company)
        for (const stop of stops) await stop()
        await untilServed(company, other)
        note("takeover from a node that was cut off", Date.now() - cutAtMs)
        await settle(company, other, { cuts: 1 })
        heal()
        await owner.start()
        await settle(company, owner, { cuts: 1 })
      },
    ),
  ]
}

/** Two nodes, and people of one room on both. */
interface Company {
  readonly round: Round
  readonly id: string
  readonly bucket: TestBucket
  readonly timeDivisor: number
  /** The node that has the room. */
  readonly owner: SelfHosted
  readonly other: SelfHosted
  /** Two on the owner, one on the other. */
  readonly editors: readonly Editor[]
  /** The owner reaches neither bucket nor node, and is not reached. */
  cut(): void
  heal(): void
}

async function assemble(round: Round, timeDivisor: number): Promise<Company> {
  const bucket = await startBucket()
  round.atEnd(() => bucket.close())
  const toBucket = await startProxy(bucket.port)
  round.atEnd(() => toBucket.close())
  const toOwner: Awaited<ReturnType<typeof startProxy>>[] = []
  const env = { ...authVars(round.auth), LIMIT_FLUSH_MS: "300" }
  const owner = await SelfHosted.node(env, {
    ...{ bucket: { ...bucket.env, AWS_ENDPOINT_URL: toBucket.url }, timeDivisor },
    async behind(port) {
      const proxy = await startProxy(port)
      round.atEnd(() => proxy.close())
      toOwner.push(proxy)
      return proxy.port
    },
  })
  const other = await SelfHosted.node(env, { bucket: bucket.env, timeDivisor })
  for (const node of [owner, other]) round.atEnd(() => node.discard())
  await Promise.all([owner.start(), other.start()])
  const id = round.id()
  const editors = round.editors(3)
  const server = new RoomServer(owner.port, round.auth)
  // Whoever is first brings the room to the node that they came to.
  await editors[0]!.connect(server, id)
  await Promise.all([editors[1]!.connect(server, id), editors[2]!.connect(server, id, other.port)])
  await measureRelay(editors[0]!, editors[2]!)
  const proxies = [toBucket, ...toOwner]
  return {
    ...{ round, id, bucket, timeDivisor, owner, other, editors },
    cut() {
      for (const proxy of proxies) proxy.sever()
    },
    heal() {
      for (const proxy of proxies) proxy.heal()
    },
  }
}

/** How long an edit takes from one node to the other. */
async function measureRelay(writer: Editor, reader: Editor): Promise<void> {
  for (let n = 0; n < MEASURED_EDITS; n++) {
    const arrived = new Promise<void>((resolve) => reader.doc.once("update", () => resolve()))
    const sentAtMs = performance.now()
    writer.write()
    await arrived
    note("relay between nodes", performance.now() - sentAtMs)
  }
  await writer.allSaved()
}

function serverOf({ round }: Company, node: SelfHosted): RoomServer {
  return new RoomServer(node.port, round.auth)
}

function allCut({ editors }: Company): Promise<void> {
  return until(() => editors.every(({ closed }) => closed !== null), "everyone is cut", { everyMs: 5 })
}

/** The fault is over: what must hold does, the list's too where there is time. */
async function settle(company: Company, node: SelfHosted, { cuts = 0 } = {}): Promise<void> {
  const { round, id, editors } = company
  const server = serverOf(company, node)
  await round.settle(server, id, { editors, cuts, archived: false })
  // An alarm of a node that died is another's only after its lease and a look around, each of up to 20 s.
  if (company.timeDivisor > 1) return
  const isListed = async () => (await server.listed(id))?.revision === (await server.status(id))?.revision
  await until(isListed, "the list has caught up", { timeoutMs: 60_000 })
  await checkArchived(server, id)
}

/** Stay until all is saved, and connect again, as every client does, where the room was not ready for it. */
async function comeBack({ owner, other, ...company }: Company, editor: Editor): Promise<void> {
  const isSaved = () => editor.acknowledged >= editor.made
  for (const endMs = Date.now() + COME_BACK_MS; !isSaved(); ) {
    if (Date.now() > endMs) throw new Error(`${editor.name} did not come back: ${editor.losses}`)
    if (editor.closed !== null) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      // On a slow machine an outage is long enough for a node to end; whoever watches over it starts it again.
      for (const node of [owner, other]) await node.ensure()
      editor.open(new RoomServer(other.port, company.round.auth), company.id)
    }
    editor.ask()
    await until(() => isSaved() || editor.closed !== null, `${editor.name} is back`, { everyMs: 5 })
  }
}

/** Resolves once this node answers for the room, wherever it runs. */
function untilServed(company: Company, node: SelfHosted): Promise<void> {
  const server = serverOf(company, node)
  return until(async () => (await server.status(company.id)) !== null, "the room is served", {
    everyMs: 20,
    timeoutMs: 60_000,
  })
}

function note(what: string, ms: number): void {
  FIGURES.set(what, [...(FIGURES.get(what) ?? []), ms])
}

/** What was measured, a line each. */
export function tellFigures(): string[] {
  return [...FIGURES].map(([what, all]) => {
    const sorted = all.toSorted((a, b) => a - b)
    const at = (share: number) =>
      Math.round(sorted[Math.ceil(share * sorted.length) - 1]!).toLocaleString("en")
    return `| ${what} | ${sorted.length} | ${at(0.5)} | ${at(1)} |`
  })
}
