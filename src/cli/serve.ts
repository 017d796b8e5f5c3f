/**
 * `yurt serve --data DIR`: the Worker in production on a machine of one's own, under plain workerd.
 *
 * This process starts workerd, passes its log on, and sees it off: on SIGTERM or SIGINT the rooms commit what they have
 * taken and send everyone away (1012), and workerd ends. By itself it would wait for its last socket. Where workerd ends
 * without being asked, so does this process, with 1: whoever started it (systemd, Docker) starts it again.
 *
 * With `--cluster` it is one of several, over a bucket: see serve/cluster.ts.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { hasKey, readKeys } from "../access/keys.ts"
import type { AccessSettings } from "../access/settings.ts"
import type { ArchiveEnv } from "../archive/choose.ts"
import { SyncError } from "../errors.ts"
import { readLimits } from "../limits.ts"
import {
  CLUSTER_WORKERD,
  checkAlone,
  explainEnd,
  explainLine,
  HANDOVER_MS,
  KeyFile,
  readCluster,
} from "./serve/cluster.ts"
import { writeConfig } from "./serve/config.ts"
import { askControl } from "./serve/control.ts"
import { nameArchive } from "./serve/filled.ts"
import { takeLock } from "./serve/lock.ts"
import { findWorkerd } from "./serve/workerd.ts"
import { MAKE_SECRET, readSettings, type Settings } from "./settings.ts"
import { type Command, CommandError, give, readArgs, readNumber } from "./terminal.ts"

const usage = `yurt serve --data DIR [--port 8787] [--host 127.0.0.1] [--env FILE] [--memory MB]
           [--drain-seconds 10] [--worker FILE]
           [--cluster s3://BUCKET/PREFIX --node HOST:PORT [--node-listen HOST:PORT]]
  --data           the folder of the documents; made where it is missing
  --port           0 takes a free one
  --host           0.0.0.0 for every network of this machine. Put a proxy with TLS in front
  --env            a file of variables, instead of .dev.vars; the environment comes first
  --memory         the most that all rooms together take, MB
  --drain-seconds  how long SIGTERM waits for the rooms before it ends them; nothing acknowledged is lost either way
  --worker         a bundled Worker of your own, with the classes of ours
  --cluster        experimental: one of several servers, with the documents in a bucket that speaks S3, and not in --data,
                   which each has for itself. Needs workerd ${CLUSTER_WORKERD}
  --node           where the other nodes reach this one, in a private network: they talk in the clear
  --node-listen    where it listens for them, if that is another address: 0.0.0.0:7000 in a container
Variables: AUTH_SECRET or another key, ALLOWED_ORIGINS, POSTGRES_URL, WEBHOOK_URL, LEGACY_URL,
           EVENTS_URL, LOG_LEVEL, LIMIT_…
of a cluster: CLUSTER_KEY (32 bytes or more, the same for all), AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
AWS_CREDENTIALS_FILE, AWS_REGION, AWS_ENDPOINT_URL`

/** What reaches the Worker of the environment. */
export const VARIABLES: RegExp =
  /^(AUTH_[A-Z_]+|ALLOWED_ORIGINS|OPEN_ON_LOCALHOST|EVENTS_[A-Z]+|ARCHIVE|POSTGRES_URL|POSTGRES_MIGRATE|WEBHOOK_[A-Z]+|LEGACY_[A-Z]+|LOG_LEVEL|LIMIT_[A-Z0-9_]+)$/

/** Variables by which documents land in a database, or come from one. */
const ARCHIVED = ["ARCHIVE", "POSTGRES_URL", "WEBHOOK_URL", "LEGACY_URL"]

/** After the rooms have gone, workerd has this long to end by itself, ms; a node hands them over before. */
const GRACE_MS = 1_500

/** A new archive that could not be filled is tried again after this long, ms. In a cluster it takes 20 s to miss a node. */
const REFILL_AGAIN_MS = 30_000

/** Lines of workerd's that are kept, to say why it ended. */
const KEPT_LINES = 20

/** `yurt serve` */
export const serve: Command = {
  summary: "run the server on this machine, documents in a folder",
  usage,
  async run(args) {
    const options = readOptions(args)
    const settings = readSettings(options.env)
    const names = Object.keys(settings).filter((name) => VARIABLES.test(name) && settings[name]?.trim())
    const cluster = readCluster(usage, options.cluster, settings)
    await checkSettings(Object.fromEntries(names.map((name) => [name, settings[name]!])), options.host)
    const { binary, version } = findWorkerd(cluster === null ? undefined : CLUSTER_WORKERD)
    const data = resolve(options.data)
    for (const folder of ["rooms", "server"]) makeFolder(join(data, folder))
    const lock = await takeLock(data)
    const socketFolder = mkdtempSync(join(tmpdir(), "yurt-"))
    const control = join(socketFolder, "control")
    try {
      if (cluster !== null) await checkAlone(cluster)
      const key = cluster === null ? null : new KeyFile(socketFolder, cluster)
      copyFileSync(options.worker, join(data, "server/worker.js"))
      const config = join(data, "server/config.capnp")
      const { host, port, memoryMb } = options
      const address = `${host.includes(":") ? `[${host}]` : host}:${port}`
      writeFileSync(
        config,
        writeConfig({
          ...{ address, control, rooms: join(data, "rooms"), variables: names, memoryMb },
          cluster: cluster === null ? null : { ...cluster, keyFile: key!.path },
        }),
      )
      // The key's file is named by its whole path.
      const nodeArgs = cluster === null ? [] : ["--experimental", "--import-path=/"]
      const child = spawn(binary, ["serve", "--control-fd=3", ...nodeArgs, config], {
        // A group of its own: Ctrl-C reaches this process alone, which then sees workerd off.
        detached: true,
        stdio: ["ignore", "pipe", "pipe", "pipe"],
        env: { ...process.env, ...settings } as NodeJS.ProcessEnv,
      })
      lock.note(child.pid!)
      // Whatever ends this process, but for SIGKILL, leaves no workerd behind.
      process.once("exit", () => child.kill("SIGKILL"))
      // Who reads the log may go: the server stays.
      for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
      const said: string[] = []
      passLog(child.stdout!, "info", said)
      passLog(child.stderr!, "error", said)
      watchListening(child.stdio[3] as Readable, (port) => {
        key?.remove()
        const place = cluster === null ? {} : { node: cluster.node, bucket: cluster.bucket }
        give(logLine("info", { event: "listening", port, workerd: version, data, ...place }))
        if (cluster !== null && version !== CLUSTER_WORKERD)
          give(logLine("error", { event: "untried-workerd", workerd: version, tried: CLUSTER_WORKERD }))
        void refill(control, nameArchive(settings))
      })
      await untilOver(child, {
        ...{ control, drainMs: options.drainSeconds * 1000 },
        graceMs: GRACE_MS + (cluster === null ? 0 : HANDOVER_MS),
        explain: () => (cluster === null ? null : explainEnd(said, { bucket: cluster.bucket, settings })),
      })
    } finally {
      lock.release()
      rmSync(socketFolder, { recursive: true, force: true })
    }
  },
}

function readOptions(args: string[]) {
  const { values } = readArgs(usage, {
    args,
    options: {
      data: { type: "string" },
      port: { type: "string", default: "8787" },
      host: { type: "string", default: "127.0.0.1" },
      env: { type: "string" },
      memory: { type: "string" },
      "drain-seconds": { type: "string", default: "10" },
      worker: { type: "string" },
      cluster: { type: "string" },
      node: { type: "string" },
      "node-listen": { type: "string" },
    },
  })
  const { data, host, env, memory } = values
  if (data === undefined) throw new CommandError("usage", "--data names the folder of the documents.", usage)
  const worker = values.worker ?? join(import.meta.dirname, "../host/bundle.js")
  if (!existsSync(worker)) {
    const way = values.worker === undefined ? "npm run compile" : null
    throw new CommandError("bad-config", `There is no Worker at ${worker}.`, way)
  }
  const memoryMb =
    memory === undefined ? null : readNumber(usage, { name: "memory", text: memory, min: 64, max: 1e6 })
  return {
    data,
    host,
    env,
    worker,
    memoryMb,
    cluster: { bucket: values.cluster, node: values.node, listen: values["node-listen"] },
    port: readNumber(usage, { name: "port", text: values.port, min: 0, max: 65_535 }),
    drainSeconds: readNumber(usage, {
      name: "drain-seconds",
      text: values["drain-seconds"],
      min: 0,
      max: 3_600,
    }),
  }
}

/** @throws CommandError where the server would start and then serve nobody, or everybody */
async function checkSettings(settings: Settings, host: string): Promise<void> {
  const foreign = settings.ARCHIVE?.split("+").find(
    (name) => !["postgres", "webhook", "none"].includes(name.trim()),
  )
  if (foreign !== undefined)
    throw new CommandError(
      "bad-config",
      `ARCHIVE = "${settings.ARCHIVE}" names "${foreign}": here there are postgres, webhook and none.`,
    )
  // Not shown: it may hold a password.
  if (settings.POSTGRES_URL !== undefined && !/^postgres(ql)?:\/\/./.test(settings.POSTGRES_URL))
    throw new CommandError("bad-config", "POSTGRES_URL does not begin with postgres://.")
  try {
    readLimits(settings)
    if (hasKey(settings)) await readKeys(settings as AccessSettings)
    // As the rooms will; it connects to nothing.
    if (ARCHIVED.some((name) => settings[name] !== undefined)) {
      const { chooseArchive } = await import("../archive/choose.ts")
      chooseArchive(settings as ArchiveEnv)
    }
  } catch (thrown) {
    if (thrown instanceof SyncError || thrown instanceof TypeError)
      throw new CommandError("bad-config", thrown.message)
    throw thrown
  }
  if (hasKey(settings)) return
  const isLoopback = ["127.0.0.1", "::1", "localhost"].includes(host)
  if (settings.OPEN_ON_LOCALHOST !== "true")
    throw new CommandError("no-secret", "Without a key nobody could come in. This makes one:", MAKE_SECRET)
  if (!isLoopback)
    throw new CommandError(
      "bad-config",
      `OPEN_ON_LOCALHOST is for this machine alone, and ${host} is a door to others. Set a key. This makes one:`,
      MAKE_SECRET,
    )
}

function makeFolder(path: string): void {
  try {
    // Whoever can read the folder can read every document.
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (thrown) {
    throw new CommandError("data-in-use", `${path} cannot be made: ${(thrown as Error).message}.`)
  }
}

/** Pass workerd's output on: lines of JSON as they are, others as a line of JSON. The newest of those are kept in `said`. */
function passLog(stream: Readable, level: "info" | "error", said: string[]): void {
  createInterface({ input: stream }).on("line", (line) => {
    if (line.trim() === "") return
    if (line.startsWith('{"time":')) return give(line)
    said.push(line)
    if (said.length > KEPT_LINES) said.shift()
    give(logLine(level, explainLine(line) ?? { event: "output", message: line }))
  })
}

/** A line of the log about the server itself. */
function logLine(level: "info" | "error", values: Record<string, unknown>): string {
  return JSON.stringify({ time: new Date().toISOString(), level, ...values })
}

/** workerd says on its control pipe when a socket listens, and on which port. */
function watchListening(stream: Readable, onListening: (port: number | undefined) => void): void {
  createInterface({ input: stream }).on("line", (line) => {
    const { event, socket, port } = JSON.parse(line) as { event: string; socket: string; port?: number }
    if (event === "listen" && socket === "http") onListening(port)
  })
}

/** Where documents land in another database than before, write all of them there. A start that is cut off begins again. */
async function refill(control: string, archive: string): Promise<void> {
  try {
    const { documents = 0, failed = 0 } = await askControl(control, `/refill?archive=${archive}`, null)
    if (documents > 0)
      give(logLine(failed === 0 ? "info" : "error", { event: "refilled", documents, failed }))
  } catch (thrown) {
    give(logLine("error", { event: "refill-failed", message: String(thrown) }))
    setTimeout(() => void refill(control, archive), REFILL_AGAIN_MS).unref()
  }
}

/**
 * Resolves once the server has gone because it was asked to.
 * @throws CommandError where it ended by itself: what `explain` makes of it, else "failed"
 */
async function untilOver(
  child: ChildProcess,
  {
    explain,
    ...leaving
  }: { control: string; drainMs: number; graceMs: number; explain: () => CommandError | null },
): Promise<void> {
  // Not "exit", which comes before its last words.
  const exit = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>
  let asked = 0
  const go = () => {
    asked++
    // Asked twice: at once.
    if (asked > 1) child.kill("SIGKILL")
    else void seeOff(child, leaving)
  }
  const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const
  for (const signal of signals) process.on(signal, go)
  const [code, signal] = await exit
  for (const signal of signals) process.off(signal, go)
  if (asked === 0)
    throw (
      explain() ?? new CommandError("failed", `workerd ended by itself: ${signal ?? `exit code ${code}`}.`)
    )
  give(logLine("info", { event: "stopped" }))
}

/** Let the rooms go, then workerd. */
async function seeOff(
  child: ChildProcess,
  { control, drainMs, graceMs }: { control: string; drainMs: number; graceMs: number },
): Promise<void> {
  const startedAtMs = Date.now()
  try {
    const drained = await askControl(control, "/drain", drainMs)
    give(logLine("info", { event: "drained", ...drained, ms: Date.now() - startedAtMs }))
  } catch (thrown) {
    // What was acknowledged is on the disk whether or not the rooms said goodbye.
    give(logLine("error", { event: "drain-failed", message: String(thrown) }))
  }
  child.kill("SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs)
  child.once("exit", () => clearTimeout(timer))
}
