/**
 * The terminal: what a command is, how it refuses, and how long work is seen. Results go to standard output, everything
 * said about them to standard error, so that a command can stand in a pipe.
 */
import { type ParseArgsConfig, parseArgs } from "node:util"

/** Every way in which a command says no. */
export type CommandErrorCode =
  /** The command line is not understood. */
  | "usage"
  /** No AUTH_SECRET, or one that the server would refuse. */
  | "no-secret"
  /** A package that this command runs is not installed here. */
  | "not-installed"
  /** The configuration is not one that can run. */
  | "bad-config"
  /** The folder is used by another server, or cannot be written. */
  | "data-in-use"
  /** Nothing answers at the address. */
  | "unreachable"
  /** The server answered with an error. */
  | "refused"
  /** The documents to import cannot be read. */
  | "bad-source"
  /** Some documents did not come through; the others did. */
  | "incomplete"
  /** A program that this command runs has failed. */
  | "failed"

/** A reason to stop that the person at the terminal can act on. */
export class CommandError extends Error {
  override readonly name = "CommandError"
  readonly code: CommandErrorCode
  /** What to do now: a line to type, where there is one. */
  readonly way: string | null

  /** @param message a sentence that carries the values; no secret */
  constructor(code: CommandErrorCode, message: string, way: string | null = null) {
    super(message)
    this.code = code
    this.way = way
  }
}

/** A word after `yurt`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** What `--help` prints. */
  readonly usage: string
  /** @throws CommandError */
  run(args: string[]): Promise<void>
}

/**
 * The options of a command line.
 * @throws CommandError "usage" that names what is not understood
 */
export function readArgs<const Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config)
  } catch (thrown) {
    if (
      !(thrown instanceof TypeError && "code" in thrown && String(thrown.code).startsWith("ERR_PARSE_ARGS"))
    )
      throw thrown
    throw new CommandError("usage", thrown.message, usage)
  }
}

/**
 * A number of an option.
 * @throws CommandError "usage" where it is not one within the bounds
 */
export function readNumber(
  usage: string,
  { name, text, min, max }: { name: string; text: string; min: number; max: number },
): number {
  const number = Number(text)
  if (text.trim() !== "" && number >= min && number <= max) return number
  throw new CommandError("usage", `--${name} ${text} is not a number from ${min} to ${max}.`, usage)
}

/** Say something about the work, on standard error. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Give the result, on standard output. */
export function give(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** How long work is seen: one line that is written anew on a terminal, a line every few seconds elsewhere. */
export class Progress {
  readonly #what: string
  readonly #startedAtMs = Date.now()
  #saidAtMs = 0
  #done = 0

  /** @param what is counted: "documents" */
  constructor(what: string) {
    this.#what = what
  }

  /** One more is done. @param label which one */
  step(label: string): void {
    this.#done++
    const everyMs = process.stderr.isTTY ? 100 : 5_000
    if (Date.now() - this.#saidAtMs < everyMs) return
    this.#saidAtMs = Date.now()
    const line = `${this.#done} ${this.#what}, ${this.#pace()}: ${label}`
    if (process.stderr.isTTY)
      process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`)
    else say(line)
  }

  /** Leave the line that was written anew. */
  end(): void {
    if (process.stderr.isTTY && this.#saidAtMs > 0) process.stderr.write("\r\x1b[K")
  }

  #pace(): string {
    const seconds = (Date.now() - this.#startedAtMs) / 1000
    return `${(this.#done / Math.max(seconds, 0.001)).toFixed(0)} a second`
  }
}
