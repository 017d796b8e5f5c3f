/// <reference types="@cloudflare/workers-types" />
/**
 * The Worker under fault: the real room, whose storage and archive report each step they take. The harness orders
 * what happens at a step: the world stops (until the process is killed), the step fails, or it hangs.
 *
 *     POST /orders   the orders that hold from now on
 *     GET /where     ?id= → the hex id of that room, which is the name of its database file
 *
 * Steps are lines like `sql INSERT INTO log …`, `sql done INSERT INTO log …`, `alarm`, `set alarm`, `store 7`,
 * `store done 7`, `load`, `d1 batch`, `r2 put`.
 */
import { env } from "cloudflare:workers"
import type { Archive, ArchiveWrite } from "../../src/archive/archive.ts"
import { type ArchiveEnv, chooseArchive } from "../../src/archive/choose.ts"
import { LIMITS, type Limits, routeDocuments, Room as YurtRoom } from "../../src/server.ts"
import { NO_ORDERS, type Orders, STOPPED } from "./orders.ts"

interface Env extends ArchiveEnv {
  readonly Room: DurableObjectNamespace<Room>
  /** JSON: limits that differ from the real ones. */
  readonly LIMITS?: string
  /** JSON: the orders to start with. */
  readonly ORDERS?: string
}

/** All rooms of a Worker share its isolate, so one set of orders is enough. */
let orders: Orders = { ...NO_ORDERS, ...JSON.parse((env as Partial<Env>).ORDERS ?? "{}") }

const wallClock = Date.now
Date.now = () => wallClock() + orders.clockMs

/** A step is taken now. */
function reach(step: string): void {
  if (orders.stop !== null && new RegExp(orders.stop).test(step)) {
    console.log(`${STOPPED} ${step}`)
    // Nothing else runs in this process from here on: no other room, no socket, no timer.
    for (;;);
  }
  if (!strikes(orders.fail, step)) return
  console.log(`a step fails: ${step}`)
  throw new Error(`The step "${step}" was ordered to fail`)
}

/** A step of a database that answers later. */
async function reachSlowly(step: string): Promise<void> {
  reach(step)
  const { hang } = orders
  if (!strikes(hang, step)) return
  const { ms } = hang!
  console.log(`${step.split(" ")[0]} waits`)
  await (ms === undefined ? new Promise(() => {}) : scheduler.wait(ms))
}

function strikes(order: Orders["fail"], step: string): boolean {
  if (order === null || order.times === 0 || !new RegExp(order.step).test(step)) return false
  order.times--
  return true
}

/** The storage of a room, every statement and alarm of which is a step. */
function reportingStorage(storage: DurableObjectStorage): DurableObjectStorage {
  const sql = instead(storage.sql, {
    exec: (query: string, ...bindings: unknown[]) => {
      const line = query.replace(/\s+/g, " ").slice(0, 80)
      reach(`sql ${line}`)
      const cursor = storage.sql.exec(query, ...bindings)
      reach(`sql done ${line}`)
      return cursor
    },
  })
  return instead(storage, {
    sql,
    setAlarm: (at: number) => {
      reach("set alarm")
      // The platform's own clock is never off.
      return storage.setAlarm(at - orders.clockMs)
    },
  })
}

function reportingArchive(archive: Archive): Archive {
  return {
    name: archive.name,
    async load(id, signal) {
      await reachSlowly("load")
      return archive.load(id, signal)
    },
    async store(id: string, document: ArchiveWrite, signal: AbortSignal) {
      await reachSlowly(`store ${document.revision}`)
      const outcome = await archive.store(id, document, signal)
      reach(`store done ${document.revision}`)
      return outcome
    },
    async remove(id, revision, signal) {
      await reachSlowly("remove")
      return archive.remove(id, revision, signal)
    },
    async list(page, signal) {
      return archive.list(page, signal)
    },
  }
}

/** Bindings whose calls are steps, so that a fault strikes below the adapter. */
function reportingBindings(env: Env): ArchiveEnv {
  const { DB, BUCKET } = env
  return {
    ...env,
    ...(DB && {
      DB: instead(DB, {
        batch: async (statements: D1PreparedStatement[]) => {
          await reachSlowly("d1 batch")
          return DB.batch(statements)
        },
      }),
    }),
    ...(BUCKET && {
      BUCKET: instead(BUCKET, {
        get: async (key: string) => {
          await reachSlowly("r2 get")
          return BUCKET.get(key)
        },
        put: async (...call: Parameters<typeof BUCKET.put>) => {
          await reachSlowly("r2 put")
          return BUCKET.put(...call)
        },
      }),
    }),
  }
}

/** An object of the platform with some properties replaced; its own methods keep their receiver. */
function instead<Target extends object>(target: Target, replaced: Record<string, unknown>): Target {
  return new Proxy(target, {
    get(_, key) {
      if (typeof key === "string" && key in replaced) return replaced[key]
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

export class Room extends YurtRoom {
  readonly archive: Archive | null
  override readonly limits: Limits

  constructor(ctx: DurableObjectState<Record<string, never>>, env: Env) {
    super(ctx, env as unknown as Cloudflare.Env) // reason: the room reads its settings from any env
    console.log("a room is in memory")
    this.ctx = instead(ctx, { storage: reportingStorage(ctx.storage) })
    this.limits = { ...LIMITS, ...JSON.parse(env.LIMITS ?? "{}") }
    const archive = chooseArchive(reportingBindings(env))
    this.archive = archive === null ? null : reportingArchive(archive)
  }

  override async onAlarm(): Promise<void> {
    reach("alarm")
    await super.onAlarm()
    reach("alarm done")
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url)
    switch (url.pathname) {
      case "/orders":
        orders = { ...NO_ORDERS, ...(await request.json<Partial<Orders>>()) }
        return new Response()
      case "/where":
        return new Response(env.Room.idFromName(url.searchParams.get("id") ?? "").toString())
      default:
        return routeDocuments(request, env)
    }
  },
}
