/// <reference types="@cloudflare/workers-types" />
/**
 * The Worker under fault: the real room, whose storage and archive report each step they take. The harness says
 * what happens at a step: the process stops (until it is killed), the step fails, or it hangs.
 *
 *     POST /inject   what happens from now on
 *     GET /where     ?id= → the hex id of that room, which is the name of its database file
 *     POST /docs/…   an edit by the room's own hand: its body becomes an entry
 *
 * Steps are lines like `sql INSERT INTO log …`, `sql done INSERT INTO log …`, `alarm`, `set alarm`, `store 7`,
 * `store done 7`, `load`, `d1 batch`, `r2 put`, `segment put`, `segment done put`.
 */
import { env } from "cloudflare:workers"
import type { WSMessage } from "partyserver"
import type { Archive, ArchiveSegments, Version } from "../../src/archive/archive.ts"
import { type ArchiveEnv, chooseArchive } from "../../src/archive/choose.ts"
import { LIMITS, type Limits, routeDocuments, Room as YurtRoom } from "../../src/server.ts"

export { Registry } from "../../src/server.ts"

import { FRAME } from "../kit/client.ts"
import { type Injection, NO_INJECTION, STOPPED } from "./injection.ts"

interface Env extends ArchiveEnv {
  readonly Room: DurableObjectNamespace<Room>
  /** JSON: limits that differ from the real ones. */
  readonly LIMITS?: string
  /** Where parts of the past are kept: see bucket.ts. Absent: they stay in their rooms. */
  readonly SEGMENTS_URL?: string
  /** JSON: what happens from the start on. */
  readonly INJECTION?: string
  /** A way in which this Worker misbehaves on purpose, so that the invariants can be seen to notice. */
  readonly MUTANT?: Mutant
}

/** What mutants.ts asks for; whatever needs no change of the source is done here. */
type Mutant =
  | "acknowledges at once"
  | "acknowledges before it writes"
  | "closes who brings much"
  | "forgets deletions"
  | "replaces whatever it holds"

const mutant = (env as Partial<Env>).MUTANT

/** Questions whether all is saved that are not answered yet. */
const questions: { socket: WebSocket; message: Uint8Array }[] = []

function acknowledgeAll(): void {
  for (const { socket, message } of questions.splice(0)) socket.send(message)
}

/** What a mutant does with a message before the room has it. */
function misread(socket: WebSocket, message: Uint8Array): void {
  const [type, step] = message
  if (type === FRAME.saved) questions.push({ socket, message })
  if (mutant === "acknowledges at once") acknowledgeAll()
  if (mutant === "closes who brings much" && type === FRAME.sync && step === 1 && message.length > 100) {
    socket.close(4403, "on purpose")
  }
}

/** All rooms of a Worker share its isolate, so one injection is enough. */
let injection: Injection = { ...NO_INJECTION, ...JSON.parse((env as Partial<Env>).INJECTION ?? "{}") }

const wallClock = Date.now
Date.now = () => wallClock() + injection.clockMs

/** A step is taken now. */
function reach(step: string): void {
  if (injection.stop !== null && new RegExp(injection.stop).test(step)) {
    console.log(`${STOPPED} ${step}`)
    // Nothing else runs in this process from here on: no other room, no socket, no timer.
    for (;;);
  }
  if (!strikes(injection.fail, step)) return
  console.log(`a step fails: ${step}`)
  throw new Error(`The step "${step}" was told to fail`)
}

/** A step of a database that answers later. */
async function reachSlowly(step: string): Promise<void> {
  reach(step)
  const { hang } = injection
  if (!strikes(hang, step)) return
  const { ms } = hang!
  console.log(`${step.split(" ")[0]} waits`)
  await (ms === undefined ? new Promise(() => {}) : scheduler.wait(ms))
}

function strikes(order: Injection["fail"], step: string): boolean {
  if (order === null || order.times === 0 || !new RegExp(order.step).test(step)) return false
  order.times--
  return true
}

/** The storage of a room, every statement and alarm of which is a step. */
function reportingStorage(storage: DurableObjectStorage): DurableObjectStorage {
  const sql = instead(storage.sql, {
    exec: (query: string, ...bindings: unknown[]) => {
      const line = query.replace(/\s+/g, " ").slice(0, 80)
      if (mutant === "acknowledges before it writes" && line.startsWith("INSERT INTO log")) acknowledgeAll()
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
      return storage.setAlarm(at - injection.clockMs)
    },
  })
}

/** Parts of pasts in the bucket of the round. */
function remoteSegments(url: string): ArchiveSegments {
  const call = async (verb: string, query: Record<string, string>, body?: Uint8Array) => {
    await reachSlowly(`segment ${verb}`)
    const init = { method: "POST", body: (body ?? null) as BodyInit | null }
    const response = await fetch(`${url}/${verb}?${new URLSearchParams(query)}`, init)
    reach(`segment done ${verb}`)
    return response
  }
  return {
    put: async (id, name, bytes) => void (await call("put", { id, name }, bytes)),
    async get(id, name) {
      const response = await call("get", { id, name })
      return response.status === 404 ? null : new Uint8Array(await response.arrayBuffer())
    },
    list: async (id, name) => (await call("list", { id, name })).json(),
    remove: async (id, name) => void (await call("remove", { id, name })),
  }
}

function reportingArchive(archive: Archive, segmentsUrl: string | undefined): Archive {
  return {
    name: archive.name,
    ...(segmentsUrl !== undefined && { segments: remoteSegments(segmentsUrl) }),
    async load(id, signal) {
      await reachSlowly("load")
      return archive.load(id, signal)
    },
    async store(...call: Parameters<Archive["store"]>) {
      const [id, { revision }, , signal] = call
      await reachSlowly(`store ${revision}`)
      if (mutant === "replaces whatever it holds") call[2] = await versionIn(archive, id, signal)
      const outcome = await archive.store(...call)
      reach(`store done ${revision}`)
      return outcome
    },
    async remove(...[id, ...rest]: Parameters<Archive["remove"]>) {
      await reachSlowly("remove")
      const outcome = await archive.remove(mutant === "forgets deletions" ? `not-${id}` : id, ...rest)
      reach("remove done")
      return outcome
    },
    async list(page, signal) {
      return archive.list(page, signal)
    },
  }
}

/** What an archive holds of a document, whatever the room takes it to hold. */
async function versionIn(archive: Archive, id: string, signal: AbortSignal): Promise<Version | null> {
  const found = await archive.load(id, signal)
  if (found.kind === "absent") return null
  return found.kind === "found" ? found.document : found.version
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
    console.log(`a room is in memory: ${ctx.id}`)
    this.ctx = instead(ctx, { storage: reportingStorage(ctx.storage) })
    this.limits = { ...LIMITS, ...JSON.parse(env.LIMITS ?? "{}") }
    const archive = chooseArchive(reportingBindings(env))
    this.archive = archive === null ? null : reportingArchive(archive, env.SEGMENTS_URL)
  }

  override async onPost(request: Request): Promise<Response> {
    const value = await request.text()
    await this.edit((doc) => doc.getMap("server").set("entry", value))
    return new Response()
  }

  override async webSocketMessage(socket: WebSocket, message: WSMessage): Promise<void> {
    if (typeof message !== "string") misread(socket, new Uint8Array(message as ArrayBuffer))
    await super.webSocketMessage(socket, message)
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
      case "/inject":
        injection = { ...NO_INJECTION, ...(await request.json<Partial<Injection>>()) }
        return new Response()
      case "/where":
        return new Response(env.Room.idFromName(url.searchParams.get("id") ?? "").toString())
      default:
        return routeDocuments(request, env)
    }
  },
}
