/** wrangler, Cloudflare's own command: found in the project, run without questions, and asked how it reads a configuration. */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { entryOf, findPackage } from "./packages.ts"
import { CommandError } from "./terminal.ts"

/** Where a project's configuration is, in wrangler's own order. */
const CONFIG_FILES = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"]

/** What a run of wrangler came to. */
export interface Ran {
  readonly code: number | null
  /** Standard output, and standard error where it was not shown. */
  readonly output: string
}

/** How wrangler is run. */
export interface RunOptions {
  /** What is typed into it. */
  readonly input?: string
  /** Show its output as it comes, and not only give it back. */
  readonly show?: boolean
}

/** Runs wrangler with these words. */
export type Wrangler = (args: readonly string[], options?: RunOptions) => Promise<Ran>

/** The part of wrangler's configuration that is looked at here. */
export interface WorkerConfig {
  readonly name?: string | undefined
  readonly main?: string | undefined
  readonly compatibility_date?: string | undefined
  readonly compatibility_flags?: readonly string[]
  readonly vars?: Readonly<Record<string, unknown>>
  readonly durable_objects?: {
    readonly bindings: readonly { readonly name: string; readonly class_name: string }[]
  }
  readonly migrations?: readonly {
    readonly new_classes?: readonly string[]
    readonly new_sqlite_classes?: readonly string[]
  }[]
  readonly d1_databases?: readonly { readonly binding: string }[]
  readonly r2_buckets?: readonly { readonly binding: string }[]
  readonly hyperdrive?: readonly { readonly binding: string }[]
  readonly analytics_engine_datasets?: readonly { readonly binding: string }[]
  readonly assets?: {
    readonly directory?: string
    readonly run_worker_first?: boolean | readonly string[]
    readonly not_found_handling?: string
  }
}

/** It asks nothing, and reports nothing. */
const QUIET = { CI: "1", WRANGLER_SEND_METRICS: "false" }

/** @throws CommandError "bad-config" where this is no project of a Worker */
export function requireProject(): string {
  const file = CONFIG_FILES.find((name) => existsSync(name))
  if (file !== undefined) return file
  throw new CommandError(
    "bad-config",
    `${process.cwd()} has no ${CONFIG_FILES.join(", ")}.`,
    "npx yurt init my-app makes a project.",
  )
}

/**
 * The project's wrangler.
 * @throws CommandError "not-installed" where there is none, or Node is too old for it
 */
export function findWrangler(): Wrangler {
  const script = join(requireWrangler().folder, "bin/wrangler.js")
  return (args, { input, show = false } = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [script, ...args], {
        stdio: ["pipe", "pipe", show ? "inherit" : "pipe"],
        env: { ...process.env, ...QUIET },
      })
      let output = ""
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (chunk: Buffer) => {
          output += chunk
          if (show) process.stderr.write(chunk)
        })
      }
      child.on("error", reject)
      child.on("close", (code) => resolve({ code, output }))
      child.stdin?.end(input)
    })
}

/**
 * The project's configuration, as its wrangler reads it.
 * @throws CommandError "bad-config" in wrangler's words where it cannot be read
 */
export async function readConfig(file: string): Promise<WorkerConfig> {
  const module = (await import(pathToFileURL(entryOf(requireWrangler())).href)) as Record<string, unknown>
  const read = module.unstable_readConfig
  if (typeof read !== "function")
    throw new CommandError("not-installed", "This wrangler tells nobody how it reads a configuration.")
  try {
    return read({ config: file }, { hideWarnings: true }) as WorkerConfig
  } catch (thrown) {
    throw new CommandError("bad-config", `${file}: ${(thrown as Error).message}`)
  }
}

/** @throws CommandError "not-installed" */
export function requireWrangler(): { folder: string; version: string } {
  const [major = 0] = process.versions.node.split(".").map(Number)
  const found = findPackage("wrangler")
  if (found === null)
    throw new CommandError(
      "not-installed",
      "wrangler is not installed here.",
      "npm install --save-dev wrangler",
    )
  // @source wrangler 4.87 and newer: engines
  const [, minor = 0] = found.version.split(".").map(Number)
  if (major < 22 && minor >= 87)
    throw new CommandError(
      "not-installed",
      `wrangler ${found.version} needs Node 22 or newer; this is ${process.versions.node}.`,
      "Use Node 22, or: npm install --save-dev wrangler@^4.86.0",
    )
  return found
}
