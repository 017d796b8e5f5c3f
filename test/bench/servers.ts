/**
 * The systems that are compared, and how each is started and ended: on loopback, on a fresh folder, one process.
 *
 * Workers run on plain `workerd serve` (no proxy process before the room), bundled once; the rest runs on the
 * Node that runs the benchmark. A measurement runs in a process group of its own (see run.ts), so a server can
 * never outlive it.
 */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as encoding from "lib0/encoding"
import { freePort } from "../kit/port.ts"

export const BENCH_FOLDER = dirname(fileURLToPath(import.meta.url))
export const PROJECT_FOLDER = resolve(BENCH_FOLDER, "../..")
/** What a run leaves behind: bundles, prepared edits, results of partial runs. Not committed. */
export const OUTPUT_FOLDER = join(BENCH_FOLDER, "output")
const PEERS_FOLDER = join(BENCH_FOLDER, "peers")

/** The newest date that the pinned workerd takes. */
const COMPATIBILITY_DATE = "2026-10-23"

export type SystemName =
  | "yurt"
  | "y-partyserver"
  | "relay"
  | "sink"
  | "y-websocket"
  | "hocuspocus"
  | "ceiling"

/** How a raw client speaks to a system. */
export interface Dialect {
  /** The bytes before every frame of a document. */
  prefix(id: string): Uint8Array
  /** What a client sends when its socket opens. */
  hello(id: string): Uint8Array[]
  path(id: string): string
  /** Whether the server answers a step 1, so that a client knows when it holds the document. */
  answers: boolean
}

export interface System {
  readonly name: SystemName
  /** As the tables name it. */
  readonly title: string
  readonly runsOn: "workerd" | "Node"
  /** The document is on disk some time after an edit. */
  readonly stores: boolean
  readonly dialect: Dialect
}

/** How long a server may take to end by itself. workerd has nothing to save, and waits for sockets until killed. */
const GRACE_MS = { workerd: 1_000, Node: 5_000 }

const NOTHING = new Uint8Array()
const STEP_1_OF_NOTHING = Uint8Array.of(0, 0, 1, 0)

const yWebsocketDialect = (path: (id: string) => string): Dialect => ({
  prefix: () => NOTHING,
  hello: () => [STEP_1_OF_NOTHING],
  path,
  answers: true,
})

const silentDialect: Dialect = {
  prefix: () => NOTHING,
  hello: () => [],
  path: (id) => `/parties/main/${id}`,
  answers: false,
}

const hocuspocusDialect: Dialect = {
  prefix: (id) => encoding.encode((encoder) => encoding.writeVarString(encoder, id)),
  hello: (id) => {
    const authenticate = encoding.encode((encoder) => {
      encoding.writeVarString(encoder, id)
      encoding.writeVarUint(encoder, 2)
      encoding.writeVarUint(encoder, 0)
      encoding.writeVarString(encoder, "")
    })
    return [authenticate, Buffer.concat([hocuspocusDialect.prefix(id), STEP_1_OF_NOTHING])]
  },
  path: () => "/",
  answers: true,
}

/** Every system of the comparison, in the order in which the tables show them. */
export const SYSTEMS: readonly System[] = [
  {
    name: "yurt",
    title: "Yurt",
    runsOn: "workerd",
    stores: true,
    dialect: yWebsocketDialect((id) => `/docs/${id}`),
  },
  {
    name: "y-partyserver",
    title: "y-partyserver",
    runsOn: "workerd",
    stores: true,
    dialect: yWebsocketDialect((id) => `/parties/main/${id}`),
  },
  { name: "relay", title: "partyserver relay", runsOn: "workerd", stores: false, dialect: silentDialect },
  { name: "sink", title: "idle Durable Object", runsOn: "workerd", stores: false, dialect: silentDialect },
  {
    name: "y-websocket",
    title: "@y/websocket-server",
    runsOn: "Node",
    stores: false,
    dialect: yWebsocketDialect((id) => `/${id}`),
  },
  { name: "hocuspocus", title: "Hocuspocus", runsOn: "Node", stores: true, dialect: hocuspocusDialect },
  {
    name: "ceiling",
    title: "the load process alone",
    runsOn: "Node",
    stores: false,
    dialect: { ...silentDialect, path: (id) => `/${id}` },
  },
]

export function systemNamed(name: string): System {
  const system = SYSTEMS.find((candidate) => candidate.name === name)
  if (system === undefined) throw new Error(`No system is called ${JSON.stringify(name)}`)
  return system
}

/** Yurt as Hocuspocus' clients see it. */
export function spokenToAsHocuspocus(server: Server): Server {
  const dialect = { ...hocuspocusDialect, path: (id: string) => `/hocuspocus/${id}` }
  return {
    ...server,
    system: { ...server.system, dialect },
    address: (id) => server.http(dialect.path(id)).replace("http", "ws"),
  }
}

/** A server could not start, or ended before it was told to. It is a result, not a fault of the benchmark. */
export class ServerFailure extends Error {
  override readonly name = "ServerFailure"
}

let reportFailure: (failure: ServerFailure) => void
/** Rejects when a server of this process ends by itself. */
export const serverFailure = new Promise<never>((_resolve, reject) => {
  reportFailure = reject
})
serverFailure.catch(() => {})

/** A running server. `stop` keeps its folder, so that `start` finds what was stored. */
export interface Server {
  readonly system: System
  /** The WebSocket address of a document. */
  address(id: string): string
  /** The HTTP address of a path. */
  http(path: string): string
  /** Resident memory, bytes; `peak` since the start. Linux only: null elsewhere. */
  memory(): Promise<{ now: number; peak: number } | null>
  /** CPU time used so far, ms, in steps of 10. Linux only: null elsewhere. */
  cpuMs(): Promise<number | null>
  stop(): Promise<void>
  start(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Start a system on a fresh folder and wait until it accepts connections.
 *
 * @param options.metered bundle the counters of meter.js around the room (workerd only)
 * @param options.heapMb hold V8's heap to this; without a limit it lets garbage lie
 * @throws ServerFailure when it does not listen within 20 s
 */
export async function startServer(
  system: System,
  { metered = false, heapMb = null }: { metered?: boolean; heapMb?: number | null } = {},
): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), `bench-${system.name}-`))
  const port = await freePort()
  const command = await prepare(system, { folder, port, metered, heapMb })
  let child: ChildProcess | undefined
  let stopping = false

  const server: Server = {
    system,
    address: (id) => `ws://127.0.0.1:${port}${system.dialect.path(id)}`,
    http: (path) => `http://127.0.0.1:${port}${path}`,
    memory: () => readMemory(child?.pid),
    cpuMs: () => readCpu(child?.pid),
    async start() {
      stopping = false
      const log = join(folder, "server.log")
      const sink = await open(log, "a")
      const started = spawn(command.file, command.args, {
        cwd: folder,
        stdio: ["ignore", sink.fd, sink.fd],
        env: command.env,
      })
      child = started
      await sink.close()
      started.on("error", (error) => reportFailure(new ServerFailure(`did not start: ${error.message}`)))
      started.on("exit", async (code, signal) => {
        if (stopping) return
        const last = await lastLine(log)
        reportFailure(new ServerFailure(`ended by itself (${signal ?? code})${last && `: ${last}`}`))
      })
      await Promise.race([listening(port), serverFailure])
    },
    async stop() {
      stopping = true
      const running = child
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
      const ended = once(running, "exit")
      running.kill("SIGTERM")
      const inTime = await Promise.race([ended.then(() => true), pause(GRACE_MS[system.runsOn], false)])
      if (!inTime) {
        running.kill("SIGKILL")
        await ended
      }
    },
    async [Symbol.asyncDispose]() {
      // The folder goes with it: there is nothing left to save.
      stopping = true
      child?.kill("SIGKILL")
      await rm(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

interface Command {
  file: string
  args: string[]
  env: NodeJS.ProcessEnv
}

async function prepare(
  system: System,
  {
    folder,
    port,
    metered,
    heapMb,
  }: { folder: string; port: number; metered: boolean; heapMb: number | null },
): Promise<Command> {
  const nodeFlags = heapMb === null ? [] : [`--max-old-space-size=${heapMb}`]
  const env = { ...process.env, HOST: "127.0.0.1", PORT: String(port), NODE_ENV: "production" }
  switch (system.name) {
    case "ceiling":
      return { file: process.execPath, args: [join(PEERS_FOLDER, "ceiling.js"), String(port)], env }
    case "y-websocket": {
      const script = join(PEERS_FOLDER, "node_modules/@y/websocket-server/src/server.js")
      return { file: process.execPath, args: [...nodeFlags, script], env }
    }
    case "hocuspocus": {
      const script = join(PEERS_FOLDER, "hocuspocus.js")
      const args = [...nodeFlags, script, String(port), join(folder, "documents.sqlite")]
      return { file: process.execPath, args, env }
    }
    default:
      await mkdir(join(folder, "disk"))
      await cp(await bundle(system, metered), join(folder, "worker.js"))
      await writeFile(join(folder, "config.capnp"), workerdConfig(system, { port, heapMb }))
      return { file: workerdBinary(), args: ["serve", "config.capnp"], env }
  }
}

function workerdBinary(): string {
  // The package's entry point is the path of the platform's binary.
  const { default: path } = createRequire(import.meta.url)("workerd") as { default: string }
  return path
}

function workerdConfig(system: System, { port, heapMb }: { port: number; heapMb: number | null }): string {
  const className = roomClass(system)
  const v8Flags = heapMb === null ? "" : `v8Flags = ["--max-heap-size=${heapMb}"],`
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  ${v8Flags}
  services = [ (name = "main", worker = .worker), (name = "disk", disk = (path = "disk", writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ]
);
const worker :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "worker.js") ],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  durableObjectNamespaces = [ (className = "${className}", uniqueKey = "${className}", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "${className}", durableObjectNamespace = "${className}"),
    (name = "OPEN_ON_LOCALHOST", text = "true")
  ]
);
`
}

const roomClass = (system: System): string => (system.name === "yurt" ? "Room" : "Main")

const entryOf = (system: System): string =>
  system.name === "yurt" ? join(PROJECT_FOLDER, "src/index.ts") : join(PEERS_FOLDER, `${system.name}.js`)

const bundlePath = (system: System, metered: boolean): string =>
  join(OUTPUT_FOLDER, `${system.name}${metered ? "-metered" : ""}.js`)

/** The bundle of a Worker; made on first use of a run (see `forgetBundles`). */
async function bundle(system: System, metered: boolean): Promise<string> {
  const path = bundlePath(system, metered)
  const exists = await readFile(path).then(
    () => true,
    () => false,
  )
  if (exists) return path
  const { build } = await import("esbuild")
  const entry = entryOf(system)
  const className = roomClass(system)
  const contents = metered
    ? `import worker, { ${className} as Plain } from ${JSON.stringify(entry)}
       import { metered, meteredWorker } from ${JSON.stringify(join(BENCH_FOLDER, "meter.js"))}
       export const ${className} = metered(Plain)
       export default meteredWorker(worker)`
    : `export * from ${JSON.stringify(entry)}; export { default } from ${JSON.stringify(entry)}`
  await build({
    stdin: { contents, resolveDir: dirname(entry), sourcefile: "bench-entry.js" },
    outfile: path,
    bundle: true,
    // As wrangler has it: what is deployed is what is measured.
    minify: true,
    keepNames: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    alias: { "character-entities": join(PROJECT_FOLDER, "src/export/no-entities.ts") },
    logLevel: "silent",
  }).catch((error: Error) => {
    throw new ServerFailure(`could not be bundled: ${error.message.split("\n").slice(0, 2).join(" ")}`)
  })
  return path
}

/** Forget the bundles of an earlier run, so that this one measures the source as it is now. */
export async function forgetBundles(): Promise<void> {
  await mkdir(OUTPUT_FOLDER, { recursive: true })
  for (const system of SYSTEMS) {
    await rm(bundlePath(system, false), { force: true })
    await rm(bundlePath(system, true), { force: true })
  }
}

/** Install the peers into their own folder, unless its lockfile is already satisfied. */
export async function installPeers(): Promise<void> {
  const wanted = await readFile(join(PEERS_FOLDER, "package-lock.json"), "utf8")
  const stamp = join(PEERS_FOLDER, "node_modules", ".installed-lockfile")
  const installed = await readFile(stamp, "utf8").catch(() => "")
  if (installed === wanted) return
  const npm = spawn("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: PEERS_FOLDER,
    stdio: ["ignore", "ignore", "inherit"],
  })
  const [code] = (await once(npm, "exit")) as [number | null]
  if (code !== 0) throw new Error(`npm ci in test/bench/peers ended with ${code}`)
  await writeFile(stamp, wanted)
}

/** The installed version of a package, of the project or of the peers' folder. */
export async function packageVersion(name: string, where: "project" | "peers"): Promise<string> {
  const root = where === "project" ? PROJECT_FOLDER : PEERS_FOLDER
  const text = await readFile(join(root, "node_modules", name, "package.json"), "utf8").catch(() => "{}")
  return (JSON.parse(text) as { version?: string }).version ?? "not installed"
}

async function listening(port: number): Promise<void> {
  const deadline = performance.now() + 20_000
  while (performance.now() < deadline) {
    const socket = connect(port, "127.0.0.1")
    const open = await Promise.race([
      once(socket, "connect").then(() => true),
      new Promise<boolean>((resolve) => socket.on("error", () => resolve(false))),
    ])
    socket.destroy()
    if (open) return
    await pause(10)
  }
  throw new ServerFailure("did not listen within 20 s")
}

async function lastLine(log: string): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "")
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("stack:"))
  return lines.at(-1)?.slice(0, 200) ?? ""
}

async function readMemory(pid: number | undefined): Promise<{ now: number; peak: number } | null> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
  const now = /^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]
  if (now === undefined) return null
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? now
  return { now: Number(now) * 1024, peak: Math.max(Number(peak), Number(now)) * 1024 }
}

/** The kernel counts in hundredths of a second. */
const MS_PER_TICK = 10

async function readCpu(pid: number | undefined): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")
  // The command in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [user, system] = [fields[11], fields[12]]
  return user === undefined || system === undefined ? null : (Number(user) + Number(system)) * MS_PER_TICK
}
