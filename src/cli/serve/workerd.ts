/** workerd: where its binary is, and whether it is one that these rooms run on. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { CommandError } from "../terminal.ts"

/** The day up to which the Worker's platform is asked for. */
export const COMPATIBILITY_DATE = "2026-10-23"

/** An installed workerd. */
export interface Workerd {
  readonly binary: string
  /** As in 1.20261023.1. */
  readonly version: string
}

/**
 * The workerd of the folder this was called in, else the one beside this package.
 * @throws CommandError "not-installed"
 */
export function findWorkerd(): Workerd {
  for (const from of [join(process.cwd(), "yurt.js"), import.meta.url]) {
    const require = createRequire(from)
    try {
      const manifest = require.resolve("workerd/package.json")
      const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string }
      requireRecent(version)
      const { default: binary } = require(dirname(manifest)) as { default: string }
      return { binary, version }
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "MODULE_NOT_FOUND")) throw thrown
    }
  }
  throw new CommandError(
    "not-installed",
    "yurt serve runs on workerd, which is not installed here.",
    "npm install workerd",
  )
}

/** @throws CommandError "not-installed" where this workerd does not know the platform that the rooms need */
function requireRecent(version: string): void {
  const built = version.split(".")[1] ?? ""
  if (built >= COMPATIBILITY_DATE.replaceAll("-", "")) return
  throw new CommandError(
    "not-installed",
    `workerd ${version} is too old; it has to be of ${COMPATIBILITY_DATE} or later.`,
    "npm install workerd@latest",
  )
}
