/** `yurt dev`: the project on this machine, through wrangler, with what every room needs and without questions. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { type Command, CommandError } from "./terminal.ts"
import { requireProject, requireWrangler } from "./wrangler.ts"

const usage = `yurt dev [FLAGS OF wrangler dev]
Serves the project of this folder on http://localhost:8787, documents in .wrangler/state.`

/** `yurt dev` */
export const dev: Command = {
  summary: "run the project of this folder, on http://localhost:8787",
  usage,
  async run(args) {
    requireProject()
    const script = join(requireWrangler().folder, "bin/wrangler.js")
    const port = args.some((arg) => arg.startsWith("--port")) ? [] : ["--port=8787"]
    const child = spawn(process.execPath, [script, "dev", ...port, ...args], {
      stdio: "inherit",
      // Its store of traces makes a room six times slower, measured.
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", X_LOCAL_OBSERVABILITY: "false" },
    })
    let isAsked = false
    const pass = (signal: NodeJS.Signals) => {
      isAsked = true
      child.kill(signal)
    }
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, pass)
    const [code, signal] = await once(child, "exit")
    if (code !== 0 && signal === null && !isAsked)
      throw new CommandError("failed", `wrangler dev ended with ${code}.`)
  },
}
