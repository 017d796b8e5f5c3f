/** workerd: where its binary is, and whether it is one that these rooms run on. */
import { createRequire } from "node:module"
import { entryOf, findPackage } from "../packages.ts"
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
  const found = findPackage("workerd", ["wrangler", "miniflare"])
  if (found === null)
    throw new CommandError(
      "not-installed",
      "yurt serve runs on workerd, which is not installed here.",
      "npm install workerd",
    )
  requireRecent(found.version)
  const { default: binary } = createRequire(import.meta.url)(entryOf(found)) as { default: string }
  return { binary, version: found.version }
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
