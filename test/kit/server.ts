/**
 * The real server for journeys: what `npm start` runs, in a process group of its own, with storage that
 * outlives a kill. A SIGKILLed parent would leave workerd answering on the port, so the whole group goes.
 */
import { type ChildProcess, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { serve } from "../../demo/start.ts"
import { freePort, portIsFree } from "./port.ts"
import { until } from "./until.ts"

export { until }

/** Memory of a server. */
export interface Memory {
  readonly nowBytes: number
  readonly peakBytes: number
}

export interface TestServer {
  /** http://127.0.0.1:port */
  readonly url: string
  /** ws://127.0.0.1:port/docs */
  readonly docs: string
  /** The folder that outlives a kill: what `--persist-to` names. */
  readonly storage: string
  /** What it has printed so far. */
  readonly output: () => string
  /** What its workerd processes hold, bytes: now, and at most since the last time this was asked. null where it cannot be read. */
  memory(): Promise<Memory | null>
  /** SIGKILL for the whole group, as a power cut would. The storage stays. */
  kill(): Promise<void>
  /** Start again after `kill`, on the same port and storage. */
  restart(): Promise<void>
  /** End it and drop its storage. */
  stop(): Promise<void>
}

/** @param flags further wrangler flags, e.g. `--var=NAME:value` */
export async function startServer(flags: readonly string[] = []): Promise<TestServer> {
  const port = await freePort()
  const storage = mkdtempSync(join(tmpdir(), "yurt-"))
  const url = `http://127.0.0.1:${port}`
  let output = ""
  let child: ChildProcess

  const start = async () => {
    child = serve([`--port=${port}`, "--ip=127.0.0.1", `--persist-to=${storage}`, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode}:\n${output}`)
      return (await fetch(`${url}/health`)).ok
    }, "the server answers")
  }
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    killGroup(child.pid!)
    await gone
    await until(() => portIsFree(port), "the port is free again")
  }
  await start()
  return {
    url,
    docs: `${url.replace("http", "ws")}/docs`,
    storage,
    output: () => output,
    memory: async () => memoryOf(child.pid!),
    kill,
    restart: start,
    async stop() {
      await kill()
      rmSync(storage, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** SIGKILL for a process and everything it started. */
export function killGroup(pid: number): void {
  if (process.platform === "win32") spawnSync("taskkill", ["/pid", String(pid), "/T", "/F"])
  else process.kill(-pid, "SIGKILL")
}

/** What the workerd processes of a group hold; Linux only. */
function memoryOf(group: number): Memory | null {
  if (process.platform !== "linux") return null
  let nowBytes = 0
  let peakBytes = 0
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const [, name, fields] = /\((.*)\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))!
      // State, parent, group, …
      if (name !== "workerd" || Number(fields!.split(" ")[2]) !== group) continue
      const status = readFileSync(`/proc/${pid}/status`, "utf8")
      const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)![1]) * 1024
      nowBytes += bytes("VmRSS")
      peakBytes += bytes("VmHWM")
      // 5: the peak starts anew.
      writeFileSync(`/proc/${pid}/clear_refs`, "5")
    } catch (thrown) {
      // It ended while it was looked at.
      if (!["ENOENT", "ESRCH"].includes((thrown as NodeJS.ErrnoException).code ?? "")) throw thrown
    }
  }
  return { nowBytes, peakBytes }
}
