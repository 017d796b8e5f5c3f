/** The Worker under test: the real one, with an archive whose faults a test can order. */

import type { Registry } from "../../src/access/registry.ts"
import { type AnalyticsPoint, type Lookout, makeDesk } from "../../src/admin.ts"
import type { Archive, ArchiveLookup, ArchivePage, IndexPage } from "../../src/archive/archive.ts"
import { d1Archive } from "../../src/archive/d1.ts"
import { lazyArchive } from "../../src/archive/lazy.ts"
import { routeDocuments } from "../../src/http/routes.ts"
import { LIMITS, type Limits } from "../../src/limits.ts"
import type { Peer } from "../../src/room/peer.ts"
import { Room as YurtRoom } from "../../src/room/room.ts"
import type { Seed } from "../../src/room/seed.ts"
import { segmentsOf } from "../kit/segments.ts"

export interface Env {
  readonly DB: D1Database
  readonly Room: DurableObjectNamespace<Room>
  readonly Counter: DurableObjectNamespace<Counter>
  readonly Retiring: DurableObjectNamespace<Retiring>
  readonly Small: DurableObjectNamespace<Small>
  readonly Historic: DurableObjectNamespace<Historic>
  readonly Keeping: DurableObjectNamespace<Keeping>
  readonly Moving: DurableObjectNamespace<Moving>
  readonly Seeded: DurableObjectNamespace<Seeded>
  readonly Registry: DurableObjectNamespace<Registry>
  readonly Watched: DurableObjectNamespace<Watched>
  readonly Lookout: DurableObjectNamespace<Lookout>
  readonly Catalogue: DurableObjectNamespace<import("../../src/host/catalogue.ts").Catalogue>
}

export { Registry } from "../../src/access/registry.ts"
export { Lookout } from "../../src/admin.ts"
export { Catalogue } from "../../src/host/catalogue.ts"

/** What the archive does next: fail this many calls, or hang in all of them until released. And what happened so far. */
export const faults = {
  failures: 0,
  /** Fail in every call while something is done: one failure could be met by a room of an earlier test. */
  async while<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    this.failures = Number.POSITIVE_INFINITY
    try {
      return await act()
    } finally {
      this.failures = 0
    }
  },
  hanging: null as Promise<void> | null,
  /** Of stores that began: the document. */
  stores: [] as string[],
  /** What the stores that came to an end were answered. */
  outcomes: [] as { readonly id: string; readonly outcome: string }[],
  /** What was moved out of a room's past: of the one room that does. */
  segments: new Map<string, Uint8Array>(),
  /** How often a room was made or woke. */
  wakes: 0,
}

/** The backend that documents were in before: what it has, whether it is away, and for which it was asked. */
export const old = { documents: new Map<string, Uint8Array>(), isAway: false, asked: [] as string[] }

async function askOld(id: string): Promise<Uint8Array | null> {
  old.asked.push(id)
  if (old.isAway) throw new Error("the old backend is away")
  return old.documents.get(id) ?? null
}

/** D1, wrapped: everything it does is real, faults come before it. */
function faultyArchive(archive: Archive): Archive {
  const strike = async () => {
    if (faults.hanging !== null) await faults.hanging
    if (faults.failures > 0) {
      faults.failures--
      throw new Error("the database is away")
    }
  }
  return {
    name: archive.name,
    async load(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
      await strike()
      return archive.load(id, signal)
    },
    async store(...call: Parameters<Archive["store"]>) {
      faults.stores.push(call[0])
      // A database does not know that whoever asked it has given up.
      if (faults.hanging !== null) call[call.length - 1] = new AbortController().signal
      await strike()
      const outcome = await archive.store(...call)
      faults.outcomes.push({ id: call[0], outcome })
      return outcome
    },
    async remove(...call: Parameters<Archive["remove"]>) {
      await strike()
      return archive.remove(...call)
    },
    async list(page: IndexPage, signal: AbortSignal): Promise<ArchivePage> {
      await strike()
      return archive.list(page, signal)
    },
  }
}

export class Room extends YurtRoom<Env> {
  readonly archive = faultyArchive(lazyArchive(d1Archive(this.env.DB), askOld))
  readonly wake = ++faults.wakes
  override readonly limits: Limits = {
    ...LIMITS,
    flushMs: 300,
    archiveTimeoutMs: 500,
    retryMs: 10,
    retryCeilingMs: 50,
    dehydrateMs: 200,
    streamsPerSubject: 3,
    streamTickMs: 20,
    readyMs: 1,
    knockMs: 300,
  }

  override onCustomMessage(_peer: Peer, message: string): void {
    this.sendCustomMessage(`heard ${message}`)
  }
}

/** A room that keeps nothing which the archive has, and no past. */
export class Retiring extends Room {
  override readonly limits: Limits = { ...LIMITS, flushMs: 50, retentionMs: 100, pastBytes: 0 }
}

/** A room whose document is soon full, and whose rows are narrow. */
export class Small extends Room {
  override readonly limits: Limits = {
    ...LIMITS,
    documentBytes: 1_000_000,
    compactFloorBytes: 1_000,
    valueBytes: 100_000,
    rowClocksBytes: 25_000,
    flushMs: 300,
  }
}

/** A room that commits and folds its log early, so that a test has a long past soon. */
export class Historic extends Room {
  override readonly limits: Limits = {
    ...LIMITS,
    commitWindowMs: 15,
    compactFloorBytes: 1,
    originMs: 1,
    valueBytes: 1_000,
    segmentBytes: 2_000,
    flushMs: 300,
  }
}

/** The same, which drops what the archive has. */
export class Keeping extends Historic {
  override readonly limits: Limits = { ...LIMITS, commitWindowMs: 15, flushMs: 50, retentionMs: 100 }
}

/** The same, whose archive takes its past. */
export class Moving extends Keeping {
  override readonly archive = {
    ...faultyArchive(d1Archive(this.env.DB)),
    segments: segmentsOf(faults.segments),
  }
  override readonly limits: Limits = {
    ...LIMITS,
    commitWindowMs: 15,
    flushMs: 50,
    retentionMs: 100,
    pastHereBytes: 1,
  }
}

/** What the seed hook does next, and of which documents it was asked. */
export const seeding = {
  asked: [] as string[],
  give: (): Seed | null | Promise<Seed | null> => null,
}

/** A room whose documents begin with something. */
export class Seeded extends Room {
  override readonly limits: Limits = { ...LIMITS, flushMs: 300, archiveTimeoutMs: 500, seedMs: 200 }

  override seed(): Seed | null | Promise<Seed | null> {
    seeding.asked.push(this.name)
    return seeding.give()
  }
}

/** What rooms have written to Analytics Engine, which is not on this machine. */
export const points: AnalyticsPoint[] = []

/** A room with a desk, which reports soon. */
export class Watched extends Room {
  override readonly limits: Limits = {
    ...LIMITS,
    commitWindowMs: 15,
    flushMs: 300,
    reportMs: 50,
    lookoutMs: 100,
    frameTickMs: 5,
  }
  override readonly desk = makeDesk()

  constructor(ctx: DurableObjectState, env: Env) {
    super(
      ctx,
      Object.assign({}, env, {
        ANALYTICS: { writeDataPoint: (point: AnalyticsPoint) => points.push(point) },
      }),
    )
  }
}

/** The subclass the README shows. */
export class Counter extends YurtRoom<Env> {
  readonly archive = null

  override async onPost(): Promise<Response> {
    const n = await this.edit((doc) => {
      const counter = doc.getMap<number>("counter")
      const next = (counter.get("n") ?? 0) + 1
      counter.set("n", next)
      return next
    })
    return Response.json({ n })
  }
}

export default {
  fetch: (request: Request, env: Env) =>
    routeDocuments(request, env, { parties: ["counter", "retiring", "seeded"] }),
}
