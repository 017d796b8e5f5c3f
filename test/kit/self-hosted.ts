/** `yurt serve` for tests: the command as it is typed, on a folder that outlives it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./port.ts"
import { until } from "./until.ts"

const ROOT = join(import.meta.dirname, "../..")

/** The command line: a script that Node runs as it is. */
export const YURT = join(ROOT, "src/cli/yurt.ts")

/** What a line of the log may have. */
export interface LogLine {
  readonly level: string
  readonly event: string
  readonly document?: string
  readonly [name: string]: unknown
}

let bundle: string | null = null

/** The Worker of `yurt serve`, bundled as the package bundles it. */
export function bundledWorker(): string {
  if (bundle !== null) return bundle
  const folder = mkdtempSync(join(tmpdir(), "yurt-host-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  bundle = join(folder, "worker.js")
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"))
  const [command, ...args] = (scripts["compile:host"] as string)
    .split(" ")
    .map((word) => (word.startsWith("--outfile=") ? `--outfile=${bundle}` : word))
  execFileSync(join(ROOT, "node_modules/.bin", command!), [...args, "--log-level=error"], {
    cwd: ROOT,
    shell: process.platform === "win32",
  })
  return bundle
}

/** What makes a server one of several. */
export interface NodeOptions {
  /** A bucket and who may use it, as variables. */
  readonly bucket: Readonly<Record<string, string>>
  /** The cluster's times, 20 s of a lease among them, are divided by this. */
  readonly timeDivisor: number
  /** Something between it and the others: by which port they reach the one that it listens on. */
  readonly behind?: (port: number) => Promise<number>
}

/** A server on a folder and a port that stay the same over its lives. */
export class SelfHosted {
  readonly port: number
  readonly data: string
  readonly #env: Readonly<Record<string, string>>
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  #output = ""

  private constructor(port: number, env: Readonly<Record<string, string>>, args: readonly string[] = []) {
    this.port = port
    this.#env = env
    this.#args = args
    this.data = mkdtempSync(join(tmpdir(), "yurt-data-"))
  }

  /** @param env the variables of the server, and nothing else of this process but its PATH */
  static async start(env: Readonly<Record<string, string>>): Promise<SelfHosted> {
    const server = new SelfHosted(await freePort(), env)
    await server.start()
    return server
  }

  /** A node of a cluster over this bucket, on the workerd that clusters need. It is not started. */
  static async node(
    env: Readonly<Record<string, string>>,
    { bucket, timeDivisor, behind = async (port) => port }: NodeOptions,
  ): Promise<SelfHosted> {
    const cluster = { CLUSTER_KEY: "b4Yt7".repeat(8), CLUSTER_TIME_DIVISOR: String(timeDivisor) }
    const listens = await freePort()
    const reached = await behind(listens)
    const args = ["--cluster=s3://yurt/test", `--node=127.0.0.1:${reached}`]
    if (reached !== listens) args.push(`--node-listen=127.0.0.1:${listens}`)
    const node = new SelfHosted(await freePort(), { ...env, ...cluster, ...bucket }, args)
    mkdirSync(join(node.data, "node_modules"))
    symlinkSync(join(ROOT, "node_modules/workerd-cluster"), join(node.data, "node_modules/workerd"), "dir")
    return node
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  get docs(): string {
    return `ws://127.0.0.1:${this.port}/docs`
  }

  /** What it has logged so far. */
  get log(): LogLine[] {
    return this.#output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine)
  }

  /** All that it has said so far. */
  get said(): string {
    return this.#output
  }

  /** Start it on its folder; resolves once it listens. */
  async start(): Promise<void> {
    const listened = this.log.filter(({ event }) => event === "listening").length
    const own = [`--data=${this.data}`, `--port=${this.port}`, `--worker=${bundledWorker()}`]
    const args = ["serve", ...own, ...this.#args]
    const child = spawn(process.execPath, [YURT, ...args], {
      cwd: this.data,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, NODE_NO_WARNINGS: "1", ...this.#env },
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#output += chunk
      })
    }
    const listens = () => this.log.filter(({ event }) => event === "listening").length > listened
    // All of its last words: its output ends after it.
    const isOver = () => child.exitCode !== null && child.stderr.readableEnded
    await until(() => listens() || isOver(), "the server listens", { everyMs: 5, timeoutMs: 10_000 })
    if (!listens()) throw new Error(this.#output)
  }

  /** Start it, unless it runs. */
  async ensure(): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) await this.start()
  }

  /** Its log goes nowhere any more, as where the program it was piped into has ended. */
  loseReader(): void {
    this.#child!.stdout!.destroy()
    this.#child!.stderr!.destroy()
  }

  /** SIGTERM. @returns its exit code, and how long it took, ms */
  async terminate(): Promise<{ code: number | null; ms: number }> {
    const startedAtMs = Date.now()
    const gone = once(this.#child!, "exit")
    this.#child!.kill("SIGTERM")
    const [code] = await gone
    return { code, ms: Date.now() - startedAtMs }
  }

  /** SIGKILL for the command alone, as `kill -9` does; its workerd lives on. */
  async killCommand(): Promise<void> {
    const gone = once(this.#child!, "exit")
    this.#child!.kill("SIGKILL")
    await gone
  }

  /** SIGKILL for workerd, as the kernel does where memory is short. @returns the exit code of the command */
  async killWorkerd(): Promise<number | null> {
    const gone = once(this.#child!, "exit")
    process.kill(this.#workerd, "SIGKILL")
    const [code] = await gone
    return code
  }

  /** Resolves once the command has ended. @returns its exit code */
  async ended(): Promise<number | null> {
    const child = this.#child!
    if (child.exitCode === null && child.signalCode === null) await once(child, "close")
    return child.exitCode
  }

  /** End both at once, which a node does not by itself, and drop the folder. */
  async discard(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.killWorkerd()
    await this.stop()
  }

  /** End both, and drop the folder. */
  async stop(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.terminate()
    rmSync(this.data, { recursive: true, force: true, maxRetries: 5 })
  }

  get #workerd(): number {
    return JSON.parse(readFileSync(join(this.data, "lock.json"), "utf8")).workerd
  }
}
