/**
 * `yurt deploy`: the project onto Cloudflare, and then open to those with a token.
 *
 * wrangler uploads the Worker, and makes the D1 database that the configuration names where there is none. A server
 * without a key is closed, so one is made where there is none; it is kept in a file beside the project, because the backend
 * that mints tokens needs the same. Run again, it uploads and leaves the key as it is.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { makeSecret } from "./settings.ts"
import { type Command, CommandError, give, readArgs, say } from "./terminal.ts"
import { findWrangler, readConfig, requireProject, type WorkerConfig, type Wrangler } from "./wrangler.ts"

/** Where a secret that was made here is kept. */
const SECRET_FILE = ".auth-secret"

/** Settings of which one is enough for a server to open. */
const KEYS = ["AUTH_SECRET", "AUTH_PUBLIC_KEY", "AUTH_JWKS_URL"]

const usage = `yurt deploy [--dry-run]
  --dry-run  build everything, say what would be done, change nothing
AUTH_SECRET in the environment is given to the server; without one a secret is made and kept in ${SECRET_FILE}.`

/** `yurt deploy` */
export const deploy: Command = {
  summary: "put the project of this folder onto Cloudflare",
  usage,
  async run(args) {
    const { values } = readArgs(usage, { args, options: { "dry-run": { type: "boolean", default: false } } })
    const config = await readConfig(requireProject())
    await deployWith(findWrangler(), { config, isDry: values["dry-run"] })
  },
}

/**
 * The steps, with whatever runs wrangler.
 * @throws CommandError "failed" with what wrangler said, "bad-config"
 */
export async function deployWith(
  wrangler: Wrangler,
  { config, isDry }: { config: WorkerConfig; isDry: boolean },
): Promise<void> {
  if (isDry) {
    await must(wrangler, ["deploy", "--dry-run"], { show: true })
    say("Would be done: upload this Worker")
    for (const { binding } of config.d1_databases ?? [])
      say(`  make the D1 database of ${binding}, where there is none`)
    if (!hasKeyVariable(config)) say("  give it AUTH_SECRET, where it has no key")
    say("Nothing was changed.")
    return
  }
  const who = await wrangler(["whoami"])
  if (who.code !== 0 || /not (logged in|authenticated)/i.test(who.output))
    throw new CommandError(
      "failed",
      "Nobody is signed in at Cloudflare.",
      "npx wrangler login, or CLOUDFLARE_API_TOKEN in the environment.",
    )
  const { output } = await must(wrangler, ["deploy"], { show: true })
  const kept = await giveKey(wrangler, config)
  const url = /https:\/\/[\w.-]+\.workers\.dev/.exec(output)?.[0] ?? null
  if (kept !== null) say(`Your backend mints tokens with ${kept}.`)
  if (url === null) say("It is at the routes of its configuration.")
  else give(url)
}

/** @returns where the secret is that the server has now; null where it had a key already */
async function giveKey(wrangler: Wrangler, config: WorkerConfig): Promise<string | null> {
  if (hasKeyVariable(config)) return null
  const { output } = await must(wrangler, ["secret", "list"])
  if (KEYS.some((name) => new RegExp(`"${name}"`).test(output))) return null
  const given = process.env.AUTH_SECRET?.trim()
  let secret = given ?? ""
  if (!given) {
    secret = existsSync(SECRET_FILE) ? readFileSync(SECRET_FILE, "utf8").trim() : makeSecret()
    // Before it is given away: a secret that nobody has written down opens nothing.
    writeFileSync(SECRET_FILE, `${secret}\n`, { mode: 0o600 })
  }
  await must(wrangler, ["secret", "put", "AUTH_SECRET"], { input: secret })
  return given
    ? "the AUTH_SECRET of this environment"
    : `AUTH_SECRET=$(cat ${SECRET_FILE}); do not commit the file`
}

function hasKeyVariable({ vars = {} }: WorkerConfig): boolean {
  return KEYS.some((name) => typeof vars[name] === "string" && vars[name] !== "")
}

async function must(wrangler: Wrangler, args: readonly string[], options: Parameters<Wrangler>[1] = {}) {
  const ran = await wrangler(args, options)
  if (ran.code === 0) return ran
  const says = options.show ? "" : `: ${ran.output.trim().slice(-500)}`
  throw new CommandError("failed", `wrangler ${args.join(" ")} ended with ${ran.code}${says}`)
}
