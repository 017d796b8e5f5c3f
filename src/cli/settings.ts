/** Settings of a command: the environment, over `.dev.vars` or another file of the same form. */
import { randomBytes } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { parseEnv } from "node:util"
import { secretFault } from "../access/keys.ts"
import { CommandError } from "./terminal.ts"

/** Variables by name. */
export type Settings = Readonly<Record<string, string | undefined>>

/** One line that makes a secret where the server and these commands find it. */
export const MAKE_SECRET = `node -e "fs.appendFileSync('.dev.vars', '\\nAUTH_SECRET=' + crypto.randomBytes(32).toString('base64url') + '\\n')"`

/**
 * The variables that are set: the environment's first, then the file's.
 * @param file as given by `--env`; undefined: `.dev.vars`, where there is one
 * @throws CommandError "bad-config" where a file that was named is not there
 */
export function readSettings(file: string | undefined): Settings {
  if (file !== undefined && !existsSync(file))
    throw new CommandError("bad-config", `--env names ${file}, and there is no such file.`)
  const path = file ?? ".dev.vars"
  return { ...(existsSync(path) ? parseEnv(readFileSync(path, "utf8")) : {}), ...process.env }
}

/**
 * The secret that the server has.
 * @throws CommandError "no-secret"
 */
export function requireSecret({ AUTH_SECRET }: Settings): string {
  const secret = AUTH_SECRET?.trim()
  if (!secret)
    throw new CommandError(
      "no-secret",
      "No AUTH_SECRET in the environment or .dev.vars. This makes one:",
      MAKE_SECRET,
    )
  const fault = secretFault(secret)
  if (fault !== null) throw new CommandError("no-secret", `AUTH_SECRET ${fault}; the server would refuse it.`)
  return secret
}

/** A secret that nobody knows yet. */
export function makeSecret(): string {
  return randomBytes(32).toString("base64url")
}
