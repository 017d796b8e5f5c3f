/**
 * `npm run token -- --doc notes --rights write`: mints a token for trying out, with the secret the server has.
 *
 * The secret comes from AUTH_SECRET in the environment, else from `.dev.vars` in the current folder; audience and
 * issuer likewise, where the server has them set. The token goes to standard output, what is said about it to
 * standard error: `TOKEN=$(npm run -s token -- --doc notes)`.
 */
import { randomUUID } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { parseArgs, parseEnv } from "node:util"
import { SignJWT } from "jose"
import { secretFault } from "../access/keys.ts"

const USAGE = `npm run token -- --doc ID [--rights read|write] [--roots A,B] [--sub WHO] [--name NAME] [--color COLOR]
                 [--hours 12] [--presence] [--admin]
  --doc       a document's id, or the beginning of one with a * at the end; /PARTY/ID in a party of its own;
              may be given several times
  --rights    write (default) or read
  --roots     the only roots a writer may change, as NAME,NAME
  --presence  a reader who may show a cursor
  --admin     may list, delete and revoke; needs no --doc`

const MAKE_SECRET =
  "No AUTH_SECRET in the environment or .dev.vars. This makes one:\n" +
  `node -e "fs.appendFileSync('.dev.vars', '\\nAUTH_SECRET=' + crypto.randomBytes(32).toString('base64url') + '\\n')"`

/** A reason to stop that the person at the terminal can act on. */
class Refusal extends Error {}

async function mint(args: string[]): Promise<void> {
  const options = readOptions(args)
  const { AUTH_SECRET, AUTH_AUDIENCE, AUTH_ISSUER } = { ...readDevVars(), ...process.env }
  const secret = AUTH_SECRET?.trim()
  if (!secret) throw new Refusal(MAKE_SECRET)
  const fault = secretFault(secret)
  if (fault !== null) throw new Refusal(`AUTH_SECRET ${fault}; the server would refuse it.`)

  const expiresAt = new Date(Date.now() + options.hours * 3_600_000)
  const tokenId = randomUUID()
  const { name, color, presence, rights, roots, admin } = options
  const token = new SignJWT({
    docs: options.doc.map((id) => ({ id, rights, ...(presence && { presence }), ...(roots && { roots }) })),
    ...(admin && { admin }),
    ...(name !== undefined && { name }),
    ...(color !== undefined && { color }),
  })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(options.sub)
    .setAudience(AUTH_AUDIENCE?.trim() || "yurt")
    .setJti(tokenId)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
  if (AUTH_ISSUER?.trim()) token.setIssuer(AUTH_ISSUER.trim())

  console.log(await token.sign(new TextEncoder().encode(secret)))
  const reach = [...options.doc.map((id) => `${rights} ${id}`), ...(admin ? ["admin"] : [])].join(", ")
  console.error(`${options.sub}: ${reach}, until ${expiresAt.toISOString()} (token id ${tokenId})`)
}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      doc: { type: "string", multiple: true, default: [] },
      rights: { type: "string", default: "write" },
      sub: { type: "string", default: "someone" },
      name: { type: "string" },
      color: { type: "string" },
      hours: { type: "string", default: "12" },
      roots: { type: "string" },
      presence: { type: "boolean", default: false },
      admin: { type: "boolean", default: false },
    },
  })
  const hours = Number(values.hours)
  if (values.doc.length === 0 && !values.admin) throw new Refusal(`Which document?\n${USAGE}`)
  if (values.rights !== "read" && values.rights !== "write") {
    throw new Refusal(`--rights ${values.rights} is neither read nor write.\n${USAGE}`)
  }
  if (!(hours > 0 && hours < 1e6))
    throw new Refusal(`--hours ${values.hours} is not a number of hours.\n${USAGE}`)
  const roots = values.roots?.split(",").map((root) => root.trim())
  if (roots !== undefined && values.rights === "read")
    throw new Refusal(`--roots narrows writing; it has no meaning with --rights read.\n${USAGE}`)
  return { ...values, roots, hours }
}

function readDevVars(): Record<string, string | undefined> {
  return existsSync(".dev.vars") ? parseEnv(readFileSync(".dev.vars", "utf8")) : {}
}

try {
  await mint(process.argv.slice(2))
} catch (error) {
  const isUsage =
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")
  if (!(error instanceof Refusal) && !isUsage) throw error
  console.error(isUsage ? `${error.message}\n${USAGE}` : error.message)
  process.exitCode = 1
}
