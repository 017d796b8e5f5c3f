#!/usr/bin/env node
/**
 * `npx yurt`: one command, a word after it a file of this folder. A refusal is a code, a sentence and a way on, never a
 * stack; a stack is a fault of ours.
 */
import { type Command, CommandError, give, say } from "./terminal.ts"

/** The commands in the order people need them; each is loaded when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./serve.ts")).serve,
  token: async () => (await import("./token.ts")).token,
}

async function main([word, ...args]: readonly string[]): Promise<void> {
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

try {
  await main(process.argv.slice(2))
} catch (thrown) {
  if (!(thrown instanceof CommandError)) throw thrown
  say(`${thrown.code}: ${thrown.message}`)
  if (thrown.way !== null) say(thrown.way)
  process.exitCode = 1
}
