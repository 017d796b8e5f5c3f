/** The commands of `yurt` in this process, without the third of a second that a process of their own takes to start. */
import { chdir, cwd } from "node:process"
import { runCommand } from "../../src/cli/commands.ts"

/** What a command ended with and printed. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Run a command as if it had been typed. One at a time: it has this process' folder, environment and output.
 * @param options.env what is in the environment beside this process' own; undefined takes a variable out
 */
export async function runYurt(
  line: readonly string[],
  { folder, env = {} }: { folder: string; env?: Readonly<Record<string, string | undefined>> },
): Promise<Ran> {
  const before = {
    folder: cwd(),
    env: { ...process.env },
    out: process.stdout.write,
    err: process.stderr.write,
  }
  let stdout = ""
  let stderr = ""
  process.stdout.write = (chunk: Uint8Array | string) => {
    stdout += chunk
    return true
  }
  process.stderr.write = (chunk: Uint8Array | string) => {
    stderr += chunk
    return true
  }
  chdir(folder)
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  try {
    const code = await runCommand(line)
    return { code, stdout, stderr }
  } finally {
    process.stdout.write = before.out
    process.stderr.write = before.err
    chdir(before.folder)
    // Not another object in its place: os.tmpdir() reads the process's own environment.
    for (const name of Object.keys(process.env)) if (!(name in before.env)) delete process.env[name]
    Object.assign(process.env, before.env)
  }
}
