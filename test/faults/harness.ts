/**
 * The server under fault: the real room in a plain workerd, in a process group of its own, on a folder that outlives
 * it. It starts in a third of a second, can be stopped at any step (see worker.ts), killed, and started again with
 * another bundle; its databases can be looked at, and damaged, while it is down.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
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
import { documentPath, statusPath } from "../kit/addresses.ts"
import { freePort } from "../kit/port.ts"
import { killGroup } from "../kit/server.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { type Injection, NO_INJECTION, STOPPED } from "./injection.ts"

/** Short waits, so that a fault and its cure fit into seconds. */
export const QUICK: Partial<Limits> = {
  flushMs: 300,
  archiveTimeoutMs: 3_000,
  retryMs: 50,
  retryCeilingMs: 400,
  dehydrateMs: 200,
}

/** @source Durable Objects limits: 128 MB of memory for each isolate */
const HEAP_MB = 128

/** Who comes in: everybody on localhost without a token, or each with a token of a subject of their own. */
export type Auth = "open" | "tokens"

const SECRET = randomBytes(32).toString("hex")

/** The variables of a Worker that lets people in this way. */
export function authVars(auth: Auth): Record<string, string> {
  return auth === "open" ? { OPEN_ON_LOCALHOST: "true" } : { AUTH_SECRET: SECRET }
}

/** A change of the source that is made while it is bundled. */
export interface Patch {
  /** Relative to the project. */
  readonly file: string
  /** Must stand there exactly once. */
  readonly find: string | RegExp
  /** Where `find` is a pattern, `$1` and `$&` mean what they mean to `replace`. */
  readonly replace: string
}

export interface ServerOptions {
  /** Default: open. */
  readonly auth?: Auth
  /** A way in which the Worker misbehaves on purpose, see worker.ts. */
  readonly mutant?: string | undefined
  /** Variables of the Worker: which archive, and its address. Without any, rooms have none. */
  readonly vars?: Readonly<Record<string, string>>
  readonly limits?: Partial<Limits>
  readonly patches?: readonly Patch[]
  /** Injection that hold from the start on. */
  readonly injection?: Partial<Injection>
  /** Where the rooms' databases are; by default a temporary folder that `stop` removes. */
  readonly folder?: string
  /** No file may grow beyond this, bytes: a disk that is full for the server alone. */
  readonly fileBytes?: number | undefined
}

/** Who opens a socket, where tokens are asked for. */
export interface Entrant {
  /** The token's subject. */
  readonly subject: string
  /** Default: write. */
  readonly rights?: "read" | "write"
  /** The port of a proxy before the server. */
  readonly port?: number
}

/** A server of rooms and what can be asked of it, wherever it runs. */
export class RoomServer {
  readonly port: number
  readonly auth: Auth

  constructor(port: number, auth: Auth) {
    this.port = port
    this.auth = auth
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** The WebSocket address of a document, here or behind a proxy, with the entrant's token where one is asked for. */
  address(id: string, { port = this.port, ...entrant }: Entrant): string {
    const token = this.token(entrant)
    const query = token === null ? "" : `?token=${token}`
    return `ws://127.0.0.1:${port}${documentPath(id)}${query}`
  }

  /** A token for every document; null where none is asked for. */
  token({ subject, rights = "write" }: Entrant, claims: Record<string, unknown> = {}): string | null {
    if (this.auth === "open") return null
    return signToken(SECRET, { ...claimsOf(subject, [{ id: "*", rights }]), ...claims })
  }

  /** An HTTP request of an operator's, who may do everything. */
  request(path: string, init: RequestInit = {}): Promise<Response> {
    const token = this.token({ subject: "operator" }, { admin: true })
    const headers = new Headers(init.headers)
    if (token !== null) headers.set("authorization", `Bearer ${token}`)
    return fetch(`${this.url}${path}`, { ...init, headers })
  }

  /** What the Worker does at its steps from now on. */
  async inject(injection: Partial<Injection>): Promise<void> {
    const body = JSON.stringify({ ...NO_INJECTION, ...injection })
    await fetch(`${this.url}/inject`, { method: "POST", body })
  }

  async status(id: string): Promise<DocumentStatus | null> {
    const response = await this.request(statusPath(id))
    if (response.status === 404) return null
    if (!response.ok) throw new Error(`status of ${id}: ${response.status} ${await response.text()}`)
    return (await response.json()) as DocumentStatus
  }

  /** What the archive's index says of a document; null where it is not in it. */
  async listed(id: string): Promise<ArchiveEntry | null> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = new URLSearchParams({ limit: "1000", ...(cursor !== "" && { cursor }) })
      const response = await this.request(`/docs?${query}`)
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
    const response = await this.request(`${documentPath(id)}?format=update`)
    const doc = new Y.Doc()
    if (response.status === 404) return doc
    if (!response.ok) throw new Error(`export of ${id}: ${response.status} ${await response.text()}`)
    Y.applyUpdate(doc, new Uint8Array(await response.arrayBuffer()))
    return doc
  }

  /** PATCH an update; the answer as it is. */
  patch(id: string, update: Uint8Array): Promise<Response> {
    const headers = { "content-type": "application/octet-stream" }
    return this.request(documentPath(id), { method: "PATCH", headers, body: update as BodyInit })
  }

  /** Delete a document. @throws Error unless it was there and is gone */
  async remove(id: string): Promise<void> {
    const response = await this.request(documentPath(id), { method: "DELETE" })
    if (response.status !== 204) throw new Error(`DELETE ${id}: ${response.status} ${await response.text()}`)
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

  /** Called before it is killed: who is to stay away until a look at the disk is over goes. */
  onKill: () => void = () => {}

  private constructor(port: number, options: ServerOptions) {
    super(port, options.auth ?? "open")
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
    const { vars = {}, limits = {}, patches = [], injection = {}, fileBytes, mutant } = this.#options
    const disk = join(this.#folder, "disk")
    mkdirSync(disk, { recursive: true })
    const workspace = this.#ownsFolder ? this.#folder : mkdtempSync(join(tmpdir(), "yurt-faults-"))
    writeFileSync(join(workspace, "worker.js"), await bundle(patches))
    const bindings = {
      ...vars,
      ...authVars(this.auth),
      ...(mutant !== undefined && { MUTANT: mutant }),
      LIMITS: JSON.stringify({ ...QUICK, ...limits }),
      INJECTION: JSON.stringify({ ...NO_INJECTION, ...injection }),
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
        // The process can stop before it answers: an overdue alarm comes at once.
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
    this.onKill()
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

  /** Resolves to the step at which the process stopped, as it was told. */
  async stopped(): Promise<string> {
    await until(() => this.#stoppedAt, "the process stops at a step", { everyMs: 2 })
    return this.#stoppedAt!
  }

  /** The step at which the process stopped since the last start. */
  get #stoppedAt(): string | undefined {
    return this.#output.slice(this.#startedAt).split(STOPPED)[1]?.split("\n")[0]?.trim()
  }

  /** Learn which file is this room's, while the server runs; the name that the platform has for the room. */
  async locate(id: string): Promise<string> {
    const known = this.#names.get(id)
    if (known !== undefined) return known
    const name = await (await fetch(`${this.url}/where?id=${encodeURIComponent(id)}`)).text()
    this.#names.set(id, name)
    return name
  }

  /** The room's database. `locate` it first. */
  databaseOf(id: string): string {
    const path = join(this.#folder, "disk", "Room", `${this.#names.get(id)}.sqlite`)
    if (!existsSync(path)) throw new Error(`Room ${id} has no database at ${path}`)
    return path
  }

  /** Lose the room's database while the server is down, as a move to another account would. `locate` it first. */
  dropDatabase(id: string): void {
    const path = this.databaseOf(id)
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true })
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
  v8Flags = [ "--max-heap-size=${HEAP_MB}" ],
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
  durableObjectNamespaces = [
    (className = "Room", uniqueKey = "Room", enableSql = true),
    (className = "Registry", uniqueKey = "Registry", enableSql = true)
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "Room", durableObjectNamespace = "Room"),
    (name = "Registry", durableObjectNamespace = "Registry"),
    ${lines.join(", ")}
  ]
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
  const key = patches.map(({ file, find, replace }) => [file, find, replace].join()).join()
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
              contents = patched(contents, patch)
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

/** @throws Error where the text does not have the patch's place exactly once */
function patched(text: string, { file, find, replace }: Patch): string {
  const pattern = typeof find === "string" ? new RegExp(RegExp.escape(find), "g") : new RegExp(find, "gm")
  const places = text.match(pattern)?.length ?? 0
  if (places !== 1) throw new Error(`${file} has ${places} places like: ${find}`)
  // In a text that is put in as it is, "$" means nothing.
  return text.replace(pattern, typeof find === "string" ? replace.replaceAll("$", "$$$$") : replace)
}
