/**
 * `yurt doctor`: reads the configuration of this folder, and asks a deployment, and says what is wrong and what to do.
 * Each check is a line; it changes nothing.
 */
import { secretFault } from "../access/keys.ts"
import { legacyUrl } from "../archive/lazy.ts"
import { parseSyncError, SyncError } from "../errors.ts"
import { readLimits } from "../limits.ts"
import { REMOTE_OPTIONS, REMOTE_USAGE, Remote } from "./remote.ts"
import { readSettings, type Settings } from "./settings.ts"
import { type Command, CommandError, give, readArgs } from "./terminal.ts"
import { readConfig, requireProject, type WorkerConfig } from "./wrangler.ts"

const usage = `yurt doctor [URL] [--token TOKEN] [--env FILE]
  URL      a deployment to ask; without one the configuration of this folder alone is read
${REMOTE_USAGE}`

/** What a check found. */
export interface Finding {
  readonly ok: boolean
  readonly says: string
  /** What to do, where it is wrong, or where there could be more. */
  readonly way?: string
}

/** `yurt doctor` */
export const doctor: Command = {
  summary: "say what is wrong with a configuration and a deployment",
  usage,
  async run(args) {
    const { values, positionals } = readArgs(usage, { args, allowPositionals: true, options: REMOTE_OPTIONS })
    const [url] = positionals
    const findings: Finding[] = []
    const settings = readSettings(values.env)
    if (url === undefined || hasProject())
      findings.push(...judgeConfig(await readConfig(requireProject()), settings))
    if (url !== undefined) findings.push(...(await askDeployment(url, values)))
    for (const { ok, says, way } of findings) {
      give(`${ok ? "ok   " : "wrong"} ${says}`)
      if (way !== undefined) give(`      ${way}`)
    }
    const wrong = findings.filter(({ ok }) => !ok).length
    if (wrong > 0)
      throw new CommandError("bad-config", `${wrong} of ${findings.length} checks found something wrong.`)
  },
}

function hasProject(): boolean {
  try {
    requireProject()
    return true
  } catch {
    // It is about a deployment alone.
    return false
  }
}

/** What is wrong with a Worker's configuration. */
export function judgeConfig(config: WorkerConfig, settings: Settings): Finding[] {
  const bindings = config.durable_objects?.bindings ?? []
  const room = bindings.find(({ name }) => name === "Room")
  const stored = new Set(
    (config.migrations ?? []).flatMap(({ new_sqlite_classes = [] }) => new_sqlite_classes),
  )
  const unstored = bindings
    .filter(({ class_name }) => !stored.has(class_name))
    .map(({ class_name }) => class_name)
  const date = config.compatibility_date ?? ""
  const hasNode = date >= "2026-08-05" || (config.compatibility_flags ?? []).includes("nodejs_compat")
  return [
    room === undefined
      ? wrong(
          "No Durable Object is bound as Room.",
          '[[durable_objects.bindings]] name = "Room" class_name = "Room"',
        )
      : right(`Room is ${room.class_name}.`),
    unstored.length > 0
      ? wrong(
          `${unstored.join(", ")} would have no SQLite.`,
          `[[migrations]] tag = "v1" new_sqlite_classes = ${JSON.stringify(unstored)}; new_classes has no SQLite`,
        )
      : right("Every Durable Object has SQLite."),
    bindings.some(({ name }) => name === "Registry")
      ? right("Tokens can be revoked.")
      : wrong(
          "Nothing can be revoked: no Registry is bound.",
          'export { Registry } from "yurt/server", bind it as Registry, and name it in new_sqlite_classes.',
        ),
    hasNode
      ? right(`Compatibility date ${date}.`)
      : wrong(
          date === ""
            ? "There is no compatibility_date."
            : `With compatibility date ${date} node:zlib is missing.`,
          'compatibility_flags = ["nodejs_compat"], or a date of 2026-08-05 or later.',
        ),
    ...judgeArchive(config),
    ...judgeLegacy({ ...stringsOf(config.vars ?? {}), ...pick(settings, /^LEGACY_URL$/) }),
    ...judgeLookout(config),
    ...judgeVariables({ ...stringsOf(config.vars ?? {}), ...pick(settings, /^(AUTH_|LIMIT_|OPEN_ON)/) }),
  ]
}

/** Whether documents can come from the backend that they were in before. */
function judgeLegacy({ LEGACY_URL: url }: Settings): Finding[] {
  if (!url) return []
  try {
    legacyUrl({ url })
  } catch (thrown) {
    if (!(thrown instanceof SyncError)) throw thrown
    return [wrong(thrown.message, "LEGACY_URL = https://old.example.com/export/{id}")]
  }
  return [
    right(
      "What the archive never had comes from LEGACY_URL.",
      "Read by yurt serve, and by a room whose archive is chooseArchive(this.env): docs/moving.md.",
    ),
  ]
}

/** Addresses of the operator's page that a Worker with assets names in `run_worker_first`. */
const OPERATED = ["/admin", "/admin/*", "/metrics"]

/** Where the operator's page is told how it is turned on. */
const TURN_ON = 'docs/operate.md, "Turn it on in a Worker of your own".'

/** Whether the operator's page would have what it needs. */
function judgeLookout({ durable_objects, analytics_engine_datasets = [], assets }: WorkerConfig): Finding[] {
  const bindings = durable_objects?.bindings ?? []
  const lookout = bindings.find(({ name, class_name }) => name === "Lookout" || class_name === "Lookout")
  if (lookout === undefined)
    return [right("No Lookout is bound: /admin, where it is served, has no audit and no costs.", TURN_ON)]
  if (lookout.name !== "Lookout")
    return [wrong(`The Lookout is bound as ${lookout.name}, where nobody looks.`, 'name = "Lookout"')]
  const asked = assets?.run_worker_first ?? false
  const first = typeof asked === "boolean" ? (asked ? ["/*"] : []) : asked
  // A file that is not there is the Worker's to answer, unless assets have a page for that.
  const hasPage = (assets?.not_found_handling ?? "none") !== "none"
  const missing = OPERATED.filter((path) => hasPage && !covers(first, path))
  const dataset = analytics_engine_datasets.map(({ binding }) => binding)
  return [
    right("A Lookout keeps watch over the rooms, for /admin."),
    missing.length > 0
      ? wrong(
          `Assets are asked before the Worker at ${missing.join(", ")}.`,
          `run_worker_first = ${JSON.stringify([...first, ...missing])} in [assets].`,
        )
      : right("Nothing comes between an operator and /admin."),
    dataset.length === 0 || dataset.includes("ANALYTICS")
      ? right(`What rooms report goes into ${dataset.length === 0 ? "no" : "an"} Analytics Engine dataset.`)
      : wrong(`No dataset is bound as ANALYTICS, only ${dataset.join(", ")}.`, 'binding = "ANALYTICS"'),
  ]
}

/** Whether a list of patterns as in `run_worker_first` has this address; one with an exclamation mark takes it out. */
function covers(patterns: readonly string[], path: string): boolean {
  const isMeant = (pattern: string) =>
    pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)))
  const taken = patterns.filter((pattern) => pattern.startsWith("!"))
  return patterns.some(isMeant) && !taken.some((pattern) => isMeant(pattern.slice(1)))
}

function judgeArchive({
  vars = {},
  d1_databases = [],
  r2_buckets = [],
  hyperdrive = [],
}: WorkerConfig): Finding[] {
  const has: Readonly<Record<string, boolean>> = {
    d1: d1_databases.some(({ binding }) => binding === "DB"),
    r2: r2_buckets.some(({ binding }) => binding === "BUCKET"),
    postgres: hyperdrive.some(({ binding }) => binding === "POSTGRES") || "POSTGRES_URL" in vars,
    webhook: "WEBHOOK_URL" in vars,
    none: true,
  }
  const named = typeof vars.ARCHIVE === "string" ? vars.ARCHIVE.split("+").map((one) => one.trim()) : []
  // Addresses of databases are secrets, which no configuration shows.
  const missing = named.filter((name) => has[name] !== true && name !== "postgres" && name !== "webhook")
  if (missing.length > 0)
    return [
      wrong(
        `ARCHIVE names ${missing.join(", ")}, which nothing is bound for.`,
        "docs/archives.md says what is bound how.",
      ),
    ]
  const bound = Object.keys(has).filter((name) => has[name] && name !== "none")
  if (bound.length > 0) return [right(`Documents can land in ${bound.join(", ")}.`)]
  return [right("No archive of ours is bound: rooms keep what they hold, and GET /docs has no list.")]
}

function judgeVariables(variables: Settings): Finding[] {
  const findings: Finding[] = []
  try {
    readLimits(variables)
    const set = Object.keys(variables).filter((name) => name.startsWith("LIMIT_"))
    if (set.length > 0) findings.push(right(`${set.join(", ")} can be read.`))
  } catch (thrown) {
    if (!(thrown instanceof SyncError)) throw thrown
    findings.push(wrong(thrown.message, "docs/settings.md lists them."))
  }
  for (const name of ["AUTH_SECRET", "AUTH_SECRET_PREVIOUS"]) {
    const secret = variables[name]?.trim()
    if (!secret) continue
    const fault = secretFault(secret)
    findings.push(
      fault === null
        ? right(`${name} is good.`)
        : wrong(`${name} ${fault}.`, "node -p \"crypto.randomBytes(32).toString('base64url')\" makes one."),
    )
  }
  return findings
}

/** What a deployment answers. */
async function askDeployment(
  url: string,
  options: { token?: string | undefined; env?: string | undefined },
): Promise<Finding[]> {
  const base = url.replace(/\/+$/, "")
  const findings: Finding[] = []
  const { hostname, protocol } = new URL(base)
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(hostname)
  findings.push(
    protocol === "https:" || isHere
      ? right(`${base} is ${isHere ? "this machine" : "encrypted"}.`)
      : wrong(
          "http: tokens and documents can be read on the way.",
          "Put TLS in front, and give clients wss://.",
        ),
  )
  const health = await ask(`${base}/health`)
  if (health === null)
    return [...findings, wrong(`${base} does not answer.`, "Is it deployed, and is this its address?")]
  if (health.status !== 200 || !health.body.includes('"ok"'))
    return [
      ...findings,
      wrong(
        `/health answers ${health.status}: no Yurt is there.`,
        "A proxy or a page is in front of /docs and /health.",
      ),
    ]
  findings.push(right("/health answers."), judgeClock(health.date))
  const ready = await ask(`${base}/ready`)
  findings.push(
    ready?.status === 200
      ? right("/ready: rooms and archive work.")
      : wrong(`/ready answers ${ready?.status}: ${ready?.body.slice(0, 200)}`, "The log has the reason."),
  )
  const stranger = await ask(`${base}/docs/yurt-doctor`)
  findings.push(judgeDoor(stranger))
  const how = { ...options, ...(isOpen(stranger) && { open: true }) }
  findings.push(await judgeToken(base, how))
  findings.push(...(await judgeAdmin(base, how)))
  return findings
}

function judgeClock(date: string | null): Finding {
  const aheadMs = date === null ? 0 : Date.parse(date) - Date.now()
  if (Math.abs(aheadMs) < 60_000) return right("Its clock and this one agree.")
  const minutes = Math.round(aheadMs / 60_000)
  return wrong(
    `Its clock is ${Math.abs(minutes)} minutes ${minutes > 0 ? "ahead of" : "behind"} this one.`,
    "Tokens end early or late: set both by NTP.",
  )
}

function judgeDoor(answer: Answer | null): Finding {
  const error = answer === null ? null : parseSyncError(answer.body)
  if (answer?.status === 401) return right("Without a token nobody comes in.")
  if (error?.code === "closed")
    return wrong(error.message, "npx yurt deploy, or npx wrangler secret put AUTH_SECRET.")
  if (isOpen(answer)) return right("Open, as OPEN_ON_LOCALHOST says, and to this machine alone.")
  return wrong(
    `A document is answered ${answer?.status} ${answer?.body.slice(0, 200)}`,
    "The log has the reason.",
  )
}

/** Whether somebody without a token was let in. */
function isOpen(answer: Answer | null): boolean {
  return answer?.status === 404 || answer?.status === 200
}

async function judgeToken(base: string, how: Parameters<typeof Remote.at>[1]): Promise<Finding> {
  try {
    const remote = Remote.at(base, how)
    for await (const _ of remote.list()) break
    return right(`${how.open ? "Anybody here" : "A token made with this secret"} lists the documents.`)
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    if (thrown.code === "no-secret")
      return right("No token was tried: there is neither one nor a secret here.")
    return wrong(thrown.message, "Has the server the same AUTH_SECRET, AUTH_AUDIENCE and AUTH_ISSUER?")
  }
}

/** Whether the operator's page is there, and has what it asks. */
async function judgeAdmin(base: string, how: Parameters<typeof Remote.at>[1]): Promise<Finding[]> {
  const page = await ask(`${base}/admin`)
  if (page?.status !== 200 || !page.body.includes("/admin/page.js")) {
    const isOurs = page?.status === 404 && parseSyncError(page.body)?.code === "not-found"
    return [
      isOurs ? right("There is no operator's page, /admin.", TURN_ON) : shadowed("/admin", page?.status),
    ]
  }
  const findings = [right("The operator's page is at /admin.")]
  const stranger = await ask(`${base}/admin/audit`, { origin: new URL(base).origin })
  if (stranger !== null && parseSyncError(stranger.body)?.code === "origin-refused")
    findings.push(
      wrong(
        "The page's own origin is not in ALLOWED_ORIGINS: it may look, and not touch.",
        `Add ${new URL(base).origin} to ALLOWED_ORIGINS.`,
      ),
    )
  try {
    const remote = Remote.at(base, how)
    const audit = await remote.look("/admin/audit?limit=1")
    const error = parseSyncError(audit.body)
    if (audit.status === 401) return findings // Said above, of the token.
    if (audit.status === 403)
      return [...findings, wrong(`/admin: ${error?.message ?? "refused"}`, OPERATORS_TOKEN)]
    findings.push(
      audit.status === 200
        ? right("A Lookout keeps watch over the rooms: audit, costs, metrics.")
        : error?.code === "closed"
          ? wrong(error.message, TURN_ON)
          : shadowed("/admin/audit", audit.status),
    )
    // Of a document that never was: only whether somebody is there to be asked.
    const { body } = await remote.look("/docs/yurt-doctor/-/desk")
    const desk = parseSyncError(body)
    const isThere = desk?.code === "not-found" && !desk.message.includes("has no desk")
    findings.push(
      isThere
        ? right("Rooms have a desk: an operator sees them, and can act.")
        : wrong(desk?.message ?? `A room's desk answers ${body.slice(0, 200)}`, TURN_ON),
    )
    const { status, mediaType } = await remote.look("/metrics")
    // Without a Lookout it has said so above.
    if (status !== 503 && !mediaType.startsWith("application/openmetrics-text"))
      findings.push(shadowed("/metrics", status))
    return findings
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    if (thrown.code === "no-secret")
      return [...findings, right("What it shows was not asked for, without a token.")]
    return [...findings, wrong(thrown.message, "The log has the reason.")]
  }
}

const OPERATORS_TOKEN = "npx yurt token --sub ops --admin --doc '*' --rights read"

/** Something else answers there. */
function shadowed(path: string, status: number | undefined): Finding {
  return wrong(
    `${path} answers ${status}, and it is not the Worker that does.`,
    `Name ${OPERATED.join(", ")} in run_worker_first of [assets]; let no proxy keep them.`,
  )
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly date: string | null
}

/** @returns null where nothing answers */
async function ask(url: string, headers: Record<string, string> = {}): Promise<Answer | null> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(15_000) })
    return { status: response.status, body: await response.text(), date: response.headers.get("date") }
  } catch {
    // What is wrong is that there is no answer.
    return null
  }
}

function right(says: string, way?: string): Finding {
  return { ok: true, says, ...(way !== undefined && { way }) }
}

function wrong(says: string, way: string): Finding {
  return { ok: false, says, way }
}

function stringsOf(vars: Readonly<Record<string, unknown>>): Settings {
  return Object.fromEntries(Object.entries(vars).filter(([, value]) => typeof value === "string")) as Settings
}

function pick(settings: Settings, names: RegExp): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => names.test(name)))
}
