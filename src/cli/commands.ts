/** The words after `yurt`, in the order people need them. */
import { type Command, CommandError, give, say } from "./terminal.ts"

/** Each by its word, and loaded when it is called. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import("./init.ts")).init,
  dev: async () => (await import("./dev.ts")).dev,
  deploy: async () => (await import("./deploy.ts")).deploy,
  serve: async () => (await import("./serve.ts")).serve,
  import: async () => (await import("./import.ts")).importing,
  export: async () => (await import("./export.ts")).exporting,
  backup: async () => (await import("./export.ts")).backup,
  restore: async () => (await import("./import.ts")).restore,
  token: async () => (await import("./token.ts")).token,
  doctor: async () => (await import("./doctor.ts")).doctor,
}

/**
 * Do what a command line says. A refusal is a code, a sentence and a way on, on standard error, never a stack.
 *
 * @param line what stands after `yurt`
 * @returns the exit code
 * @throws what is a fault of ours
 */
export async function runCommand(line: readonly string[]): Promise<number> {
  try {
    await run(line)
    return 0
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    say(`${thrown.code}: ${thrown.message}`)
    if (thrown.way !== null) say(thrown.way)
    return 1
  }
}

async function run([word, ...args]: readonly string[]): Promise<void> {
  if (word === undefined || word === "help" || word === "--help" || word === "-h")
    return give(await overview())
  const load = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
  if (load === undefined) throw new CommandError("usage", `There is no command ${word}.`, await overview())
  const command = await load()
  if (args.includes("--help") || args.includes("-h")) return give(command.usage)
  await command.run([...args])
}

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([word, load]) => `  ${word.padEnd(9)}${(await load()).summary}`),
  )
  return `yurt COMMAND [OPTIONS]\n${lines.join("\n")}\nyurt COMMAND --help says more.`
}
