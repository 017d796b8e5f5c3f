/**
 * The server under fault: the real room in a plain workerd, in a process group of its own, on a folder that outlives
 * it. It starts in a third of a second, can be stopped at any step (see worker.ts), killed, and started again with
 * another bundle; its databases can be looked at, and damaged, while it is down.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Y from "yjs"
import type { ArchiveEntry } from "../../src/archive/archive.ts"
import type { Limits } from "../../src/limits.ts"
import type { DocumentStatus } from "../../src/rpc.ts"
import { freePort } from "../kit/port.ts"
import { killGroup, until } from "../kit/server.ts"
import { NO_ORDERS, type Orders, STOPPED } from "./orders.ts"

/** Short waits, so that a fault and its cure fit into seconds. */
export const QUICK: Partial<Limits> = {
  flushMs: 300,
  archiveTimeoutMs: 1_500,
  retryMs: 50,
  retryCeilingMs: 400,
  dehydrateMs: 200,
}

/** A change of the source that is made while it is bundled. */
export interface Patch {
  /** Relative to the project. */
  readonly file: string
  /** Must stand there exactly once. */
  readonly find: string
  readonly replace: string
}

export interface ServerOptions {
  /** Variables of the Worker: which archive, and its address. Without any, rooms have none. */
  readonly vars?: Readonly<Record<string, string>>
  readonly limits?: Partial<Limits>
  readonly patches?: readonly Patch[]
  /** Orders that hold from the start on. */
  readonly orders?: Partial<Orders>
  /** Where the rooms' databases are; by default a temporary folder that `stop` removes. */
  readonly folder?: string
  /** No file may grow beyond this, bytes: a disk that is full for the server alone. */
  readonly fileBytes?: number | undefined
}

/** A server of rooms and what can be asked of it, wherever it runs. */
export class RoomServer {
  readonly port: number

  constructor(port: number) {
    this.port = port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** The WebSocket address of a document, here or behind a proxy. */
  address(id: string, port = this.port): string {
    return `ws://127.0.0.1:${port}/docs/${id}`
  }

  /** What the Worker does at its steps from now on. */
  async order(orders: Partial<Orders>): Promise<void> {
    const body = JSON.stringify({ ...NO_ORDERS, ...orders })
    await fetch(`${this.url}/orders`, { method: "POST", body })
  }

  async status(id: string): Promise<DocumentStatus | null> {
    const response = await fetch(`${this.url}/docs/${id}/-/status`)
    if (response.status === 404) return null
    if (!response.ok) throw new Error(`status of ${id}: ${response.status} ${await response.text()}`)
    return (await response.json()) as DocumentStatus
  }

  /** What the archive's index says of a document; null where it is not in it. */
  async listed(id: string): Promise<ArchiveEntry | null> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = new URLSearchParams({ limit: "1000", ...(cursor !== "" && { cursor }) })
      const response = await fetch(`${this.url}/docs?${query}`)
      if (!response.ok) throw new Error(`list: ${response.status} ${await response.text()}`)
      const page = (await response.json()) as { documents: ArchiveEntry[]; cursor: string | null }
      const entry = page.documents.find((document) => document.id === id)
      if (entry !== undefined) return entry
      cursor = page.cursor
    }
    return null
  }

  /** The document as the room hands it out over REST; empty where there is none. */
  async exported(id: string): Promise<Y.Doc> {
    const response = await fetch(`${this.url}/docs/${id}?format=update`)
    const doc = new Y.Doc()
    if (response.status === 404) return doc
    if (!response.ok) throw new Error(`export of ${id}: ${response.status} ${await response.text()}`)
    Y.applyUpdate(doc, new Uint8Array(await response.arrayBuffer()))
    return doc
  }
}

export class FaultServer extends RoomServer {
  readonly #folder: string
  readonly #ownsFolder: boolean
  readonly #names = new Map<string, string>()
  #options: ServerOptions
  #child: ChildProcess | null = null
  #output = ""
  #startedAt = 0

  private constructor(port: number, options: ServerOptions) {
    super(port)
    this.#options = options
    this.#ownsFolder = options.folder === undefined
    this.#folder = options.folder ?? mkdtempSync(join(tmpdir(), "yurt-faults-"))
  }

  static async start(options: ServerOptions = {}): Promise<FaultServer> {
    const server = new FaultServer(await freePort(), options)
    await server.restart()
    return server
  }

  /** What it has printed since the first start. */
  get output(): string {
    return this.#output
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Start on the same port and folder. Options given replace those there were. */
  async restart(change: ServerOptions = {}): Promise<void> {
    this.#options = { ...this.#options, ...change }
    const { vars = {}, limits = {}, patches = [], orders = {}, fileBytes } = this.#options
    const disk = join(this.#folder, "disk")
    mkdirSync(disk, { recursive: true })
    const workspace = this.#ownsFolder ? this.#folder : mkdtempSync(join(tmpdir(), "yurt-faults-"))
    writeFileSync(join(workspace, "worker.js"), await bundle(patches))
    const bindings = {
      ...vars,
      OPEN_ON_LOCALHOST: "true",
      LIMITS: JSON.stringify({ ...QUICK, ...limits }),
      ORDERS: JSON.stringify({ ...NO_ORDERS, ...orders }),
    }
    writeFileSync(join(workspace, "config.capnp"), configOf({ port: this.port, disk, bindings }))
    const workerd = createRequire(import.meta.url)("workerd") as { default: string }
    const command = [workerd.default, "serve", join(workspace, "config.capnp")]
    // A write beyond the limit fails, rather than ends the process, where the signal is ignored. Blocks are of 512 bytes.
    const limited = [
      "sh",
      "-c",
      `trap "" XFSZ; ulimit -f ${Math.floor((fileBytes ?? 0) / 512)}; exec "$@"`,
      "sh",
    ]
    const [file, ...args] = fileBytes === undefined ? command : [...limited, ...command]
    const child = spawn(file!, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] })
    this.#child = child
    this.#startedAt = this.#output.length
    living.add(child)
    child.on("exit", () => living.delete(child))
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#output += chunk.toString()
      })
    }
    await until(
      async () => {
        if (!this.running) throw new Error(`The server ended by itself:\n${this.#output}`)
        // Orders can stop the world before it answers: an overdue alarm comes at once.
        if (this.#stoppedAt !== undefined) return true
        return (await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1_000) })).ok
      },
      "the server answers",
      { everyMs: 10 },
    )
    if (!this.#ownsFolder) rmSync(workspace, { recursive: true })
  }

  /** SIGKILL for the whole group, as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === null || !this.running) return
    const gone = once(child, "exit")
    killGroup(child.pid!)
    await gone
  }

  /** A deploy: asked to go, killed when it does not (it waits for its sockets), and started with another bundle. */
  async deploy(change: ServerOptions = {}): Promise<void> {
    this.#child!.kill("SIGTERM")
    await this.kill()
    await this.restart(change)
  }

  /** Resolves to the step at which the world stopped, as ordered. */
  async stopped(): Promise<string> {
    await until(() => this.#stoppedAt, "the world stops", { everyMs: 2 })
    return this.#stoppedAt!
  }

  /** The step at which the world stopped since the last start. */
  get #stoppedAt(): string | undefined {
    return this.#output.slice(this.#startedAt).split(STOPPED)[1]?.split("\n")[0]?.trim()
  }

  /** Learn which file is this room's; while the server runs. */
  async locate(id: string): Promise<void> {
    if (this.#names.has(id)) return
    this.#names.set(id, await (await fetch(`${this.url}/where?id=${encodeURIComponent(id)}`)).text())
  }

  /** The room's database. `locate` it first. */
  databaseOf(id: string): string {
    const path = join(this.#folder, "disk", "Room", `${this.#names.get(id)}.sqlite`)
    if (!existsSync(path)) throw new Error(`Room ${id} has no database at ${path}`)
    return path
  }

  /** End it, and drop its databases. */
  async stop(): Promise<void> {
    await this.kill()
    if (this.#ownsFolder) rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

// A run that ends early leaves no server behind.
const living = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of living) killGroup(child.pid!)
})

function configOf({
  port,
  disk,
  bindings,
}: {
  port: number
  disk: string
  bindings: Record<string, string>
}): string {
  const lines = Object.entries(bindings).map(
    ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = ${JSON.stringify(disk)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"]))
  ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ]
);
const worker :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "worker.js") ],
  compatibilityDate = "2026-10-23",
  durableObjectNamespaces = [ (className = "Room", uniqueKey = "Room", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "Room", durableObjectNamespace = "Room"), ${lines.join(", ")} ]
);
`
}

const project = fileURLToPath(new URL("../../", import.meta.url))
const bundles = new Map<string, Promise<string>>()

/**
 * The Worker as one module, with these changes.
 * @throws Error where a patch does not find its place exactly once: the source moved on, so move the patch
 */
function bundle(patches: readonly Patch[]): Promise<string> {
  const key = JSON.stringify(patches)
  let made = bundles.get(key)
  if (made === undefined) {
    made = makeBundle(patches)
    bundles.set(key, made)
  }
  return made
}

async function makeBundle(patches: readonly Patch[]): Promise<string> {
  const { build } = await import("esbuild")
  const applied = new Set<Patch>()
  const { outputFiles } = await build({
    entryPoints: [join(project, "test/faults/worker.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
    plugins: [
      {
        name: "patches",
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const own = patches.filter(({ file }) => join(project, file) === path)
            if (own.length === 0) return null
            let contents = readFileSync(path, "utf8")
            for (const patch of own) {
              const places = contents.split(patch.find)
              if (places.length !== 2) {
                throw new Error(`${patch.file} has ${places.length - 1} places like: ${patch.find}`)
              }
              contents = places.join(patch.replace)
              applied.add(patch)
            }
            return { contents, loader: "ts" }
          })
        },
      },
    ],
  })
  for (const patch of patches) {
    if (!applied.has(patch)) throw new Error(`${patch.file} is not in the bundle`)
  }
  return outputFiles[0]!.text
}
