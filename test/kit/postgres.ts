/**
 * A Postgres of one's own, started for a test in a temporary folder: the real server where one is installed, else
 * PGlite's server from npm. It can be stopped, killed and frozen, and comes back with its data.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import postgres from "postgres"
import { freePort } from "./port.ts"

export interface TestPostgres {
  /** Where to connect; stays the same through stop, kill and start. */
  readonly url: string
  readonly kind: "postgres" | "pglite"
  /** Run SQL and give back its rows. Only while the server answers. */
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    values?: (string | number | null)[],
  ): Promise<Row[]>
  /** Shut the server down: nobody listens on the port. */
  stop(): Promise<void>
  /** SIGKILL the server and every process of it. */
  kill(): Promise<void>
  /** Start it again after `stop` or `kill`, with the data it had. Does nothing while it runs. */
  start(): Promise<void>
  /** SIGSTOP: connections are accepted by the kernel, and nothing ever answers. */
  freeze(): void
  thaw(): void
  /** Stop for good and remove the folder. */
  close(): Promise<void>
}

/**
 * Start one and wait until it answers.
 *
 * @param options.kind which to start; by default whichever is there. `PGLITE=1` in the environment asks for PGlite
 */
export async function startPostgres(options: { kind?: "postgres" | "pglite" } = {}): Promise<TestPostgres> {
  const binaries = process.env.PGLITE === "1" ? null : installedBinaries()
  const kind = options.kind ?? (binaries === null ? "pglite" : "postgres")
  const folder = mkdtempSync(join(tmpdir(), "yurt-postgres-"))
  const data = join(folder, "data")
  const port = await freePort()
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`
  // Postgres refuses to run as root.
  const user = kind === "postgres" && process.getuid?.() === 0 ? unprivileged() : null
  if (user !== null) chownSync(folder, user.uid, user.gid)

  let server: ChildProcess | null = null

  if (kind === "postgres") {
    const initdb = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    execFileSync(join(binaries!, "initdb"), initdb, {
      ...user,
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    })
  }

  /** The server and all its children: the kernel signals one process at a time, and a backend leads a group of its own. */
  function signalAll(signal: NodeJS.Signals): void {
    const root = server?.pid
    if (root === undefined || server?.exitCode !== null || server.signalCode !== null) return
    const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
    const family = new Set([root])
    for (const line of lines) {
      const [pid, parent] = line.trim().split(/\s+/).map(Number)
      if (parent === root) family.add(pid!)
    }
    for (const pid of family) {
      try {
        process.kill(pid, signal)
      } catch {
        // A backend that ended since `ps` looked.
      }
    }
  }

  async function query<Row extends object>(
    sql: string,
    values: (string | number | null)[] = [],
  ): Promise<Row[]> {
    const client = postgres(url, { max: 1, fetch_types: false, connect_timeout: 5, onnotice: () => {} })
    try {
      // reason: the caller knows what its SQL selects; the client types rows as any record.
      return [...(await client.unsafe(sql, values))] as unknown[] as Row[]
    } finally {
      await client.end({ timeout: 1 })
    }
  }

  async function start(): Promise<void> {
    if (server !== null) return
    // A killed server's shared memory goes a moment after its last process: then the first try says so and exits.
    for (let attempt = 1; ; attempt++) {
      server = launch()
      if (await answers(server)) return
      server = null
      if (attempt === 20) throw new Error(`${kind} does not start on port ${port}`)
    }
  }

  function launch(): ChildProcess {
    if (kind === "pglite") {
      const script = fileURLToPath(
        new URL("../../node_modules/@electric-sql/pglite-socket/dist/scripts/server.js", import.meta.url),
      )
      return spawn(process.execPath, [script, `--db=${data}`, `--port=${port}`, "--max-connections=100"], {
        stdio: "ignore",
      })
    }
    const settings = [
      "listen_addresses=127.0.0.1",
      `unix_socket_directories=${folder}`,
      "fsync=off",
      "max_connections=200",
    ]
    return spawn(
      join(binaries!, "postgres"),
      ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      { ...user, cwd: folder, stdio: "ignore" },
    )
  }

  /** True once it answers, false when it exits first. */
  async function answers(child: ChildProcess): Promise<boolean> {
    while (child.exitCode === null && child.signalCode === null) {
      const answered = await query("select 1").then(
        () => true,
        () => false,
      )
      if (answered) return true
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return false
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (server === null) return
    const child = server
    signalAll("SIGCONT")
    const exited = child.exitCode === null && child.signalCode === null ? once(child, "exit") : null
    if (signal === "SIGKILL") signalAll("SIGKILL")
    else child.kill(signal)
    await exited
    server = null
  }

  await start()
  // A test run that ends without `close` leaves no server behind.
  const orphaned = () => signalAll("SIGKILL")
  process.once("exit", orphaned)
  return {
    url,
    kind,
    query,
    start,
    // SIGINT is Postgres' fast shutdown: it does not wait for clients to leave.
    stop: () => end("SIGINT"),
    kill: () => end("SIGKILL"),
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    async close() {
      process.off("exit", orphaned)
      await end("SIGKILL")
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** The folder of `postgres` and `initdb`, or null where none is installed. */
function installedBinaries(): string | null {
  let folder = "/usr/lib/postgresql/15/bin"
  try {
    folder = execFileSync("pg_config", ["--bindir"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim()
  } catch {
    // No pg_config: look where Debian puts it.
  }
  return existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")) ? folder : null
}

/** A user to run as instead of root. */
function unprivileged(): { uid: number; gid: number } | null {
  for (const name of ["postgres", "nobody"]) {
    try {
      const id = (flag: string) =>
        Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))
      return { uid: id("-u"), gid: id("-g") }
    } catch {
      // No such user: the next.
    }
  }
  return null
}
