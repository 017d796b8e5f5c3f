/**
 * The lock of a data folder: one server at a time. Two would each believe that they own the rooms.
 *
 * It is a file with two process ids: of the command, and of the workerd it started. A command that was killed leaves its
 * workerd behind, alive and on the port; the next one ends it, which loses nothing that was acknowledged.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CommandError, say } from "../terminal.ts"

/** Who uses the folder. */
interface Holder {
  readonly command: number
  readonly workerd: number | null
}

/** A folder that is ours until `release`. */
export interface Lock {
  /** Write down which workerd runs on it. */
  note(workerd: number): void
  release(): void
}

/**
 * Take the folder.
 * @throws CommandError "data-in-use" where another server runs on it, or it cannot be written
 */
export function takeLock(folder: string): Lock {
  const path = join(folder, "lock.json")
  const write = (holder: Holder, flag: "wx" | "w") => writeFileSync(path, JSON.stringify(holder), { flag })
  const mine: Holder = { command: process.pid, workerd: null }
  try {
    write(mine, "wx")
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : null
    if (code !== "EEXIST")
      throw new CommandError("data-in-use", `${folder} cannot be written: ${code ?? thrown}.`)
    endLeftOver(folder, path)
    write(mine, "w")
  }
  return {
    note: (workerd) => write({ ...mine, workerd }, "w"),
    release: () => rmSync(path, { force: true }),
  }
}

/** @throws CommandError "data-in-use" */
function endLeftOver(folder: string, path: string): void {
  let holder: Holder
  try {
    holder = JSON.parse(readFileSync(path, "utf8")) as Holder
  } catch {
    // It was cut off while it was written: its server did not get as far as starting anything.
    return
  }
  // The numbers may be other programs' by now: after a restart of the machine, or in a new container.
  const isLeft = holder.workerd !== null && commandLineOf(holder.workerd).includes(folder)
  const isCommand = holder.command !== process.pid && /\byurt\b/.test(commandLineOf(holder.command))
  if (isCommand && (isLeft || holder.workerd === null))
    throw new CommandError(
      "data-in-use",
      `${folder} is used by the server with process id ${holder.command}.`,
    )
  if (holder.workerd === null || !isLeft) return
  say(`The server before left a workerd behind (process id ${holder.workerd}); it is ended.`)
  process.kill(holder.workerd, "SIGKILL")
}

/** What was typed to start a process; "" where there is none. */
function commandLineOf(pid: number): string {
  try {
    return execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
  } catch (thrown) {
    // ps says nothing and ends with 1 where there is no such process.
    if (thrown instanceof Error && "status" in thrown && thrown.status === 1) return ""
    // Slim images have no ps.
    return process.platform === "linux" ? readCommandLine(pid) : ""
  }
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
  } catch {
    return ""
  }
}
