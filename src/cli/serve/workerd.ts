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
 * @param least the oldest that will do, as in 1.20261117.1; undefined: the one that knows COMPATIBILITY_DATE
 * @throws CommandError "not-installed"
 */
export function findWorkerd(least?: string): Workerd {
  const found = findPackage("workerd", ["wrangler", "miniflare"])
  if (found === null)
    throw new CommandError(
      "not-installed",
      "yurt serve runs on workerd, which is not installed here.",
      `npm install workerd${least === undefined ? "" : `@${least}`}`,
    )
  requireRecent(found.version, least)
  const { default: binary } = createRequire(import.meta.url)(entryOf(found)) as { default: string }
  return { binary, version: found.version }
}

/** @throws CommandError "not-installed" where this workerd does not know the platform that the rooms need */
function requireRecent(version: string, least = `1.${COMPATIBILITY_DATE.replaceAll("-", "")}`): void {
  const dayOf = (version: string) => version.split(".")[1] ?? ""
  if (dayOf(version) >= dayOf(least)) return
  const day = dayOf(least).replace(/^(....)(..)(..)$/, "$1-$2-$3")
  throw new CommandError(
    "not-installed",
    `workerd ${version} is too old; it has to be of ${day} or later.`,
    `npm install workerd@${least.split(".").length > 2 ? least : "latest"}`,
  )
}
