/**
 * `yurt token --doc notes --rights write`: mints a token for trying out, with the secret the server has.
 *
 * The secret comes from AUTH_SECRET in the environment, else from `.dev.vars` in the current folder; audience and
 * issuer likewise, where the server has them set. The token goes to standard output, what is said about it to
 * standard error: `TOKEN=$(npx yurt token --doc notes)`. A backend of one's own mints with `yurt/token`.
 */
import { mintToken, verifyToken } from "../access/mint.ts"
import { readSettings, requireSecret } from "./settings.ts"
import { type Command, CommandError, give, readArgs, say } from "./terminal.ts"

const usage = `yurt token --doc ID [--rights read|write] [--roots A,B] [--sub WHO] [--name NAME] [--color COLOR]
           [--hours 12] [--presence] [--rollback-any] [--history-since TIME] [--admin] [--agent NAME] [--for WHO]
           [--env FILE]
  --doc       a document's id, or the beginning of one with a * at the end; /PARTY/ID in a party of its own;
              may be given several times
  --rights    write (default) or read
  --roots     the only roots a writer may change, as NAME,NAME
  --presence  a reader who may show a cursor
  --rollback-any   may take back what others did
  --history-since  may see the past from this time on, as 2026-11-01 or 2026-11-01T12:00:00Z
  --admin     may list, delete and revoke; needs no --doc
  --agent     the name of a program that writes with people, under a cursor of its own
  --for       on whose behalf it acts
  --env       a file with AUTH_SECRET, instead of .dev.vars`

/** `yurt token` */
export const token: Command = {
  summary: "make a token for trying out, with the server's secret",
  usage,
  async run(args) {
    const { env, hours, sub, docs, ...rest } = readOptions(args)
    const { AUTH_AUDIENCE, AUTH_ISSUER, ...settings } = readSettings(env)
    const secret = requireSecret(settings)
    const whom = {
      secret,
      ...(AUTH_AUDIENCE !== undefined && { audience: AUTH_AUDIENCE }),
      ...(AUTH_ISSUER !== undefined && { issuer: AUTH_ISSUER }),
    }
    let minted: string
    try {
      minted = await mintToken({ subject: sub, docs, minutes: hours * 60, ...rest }, whom)
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown
      throw new CommandError("usage", thrown.message, usage)
    }
    const claims = await verifyToken(minted, whom)
    give(minted)
    const reach = [
      ...claims.docs.map(({ id, rights }) => `${rights} ${id}`),
      ...(claims.admin ? ["admin"] : []),
    ]
    const until = new Date(claims.expiresAtMs).toISOString()
    say(`${sub}: ${reach.join(", ")}, until ${until} (token id ${claims.tokenId})`)
  },
}

function readOptions(args: string[]) {
  const { values } = readArgs(usage, {
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
      agent: { type: "string" },
      for: { type: "string" },
      "rollback-any": { type: "boolean", default: false },
      "history-since": { type: "string" },
      env: { type: "string" },
    },
  })
  const { doc, rights, sub, name, color, presence, admin, agent, for: onBehalfOf, env } = values
  const hours = Number(values.hours)
  if (doc.length === 0 && !admin) throw new CommandError("usage", "Which document?", usage)
  if (rights !== "read" && rights !== "write")
    throw new CommandError("usage", `--rights ${rights} is neither read nor write.`, usage)
  if (!(hours > 0 && hours < 1e6))
    throw new CommandError("usage", `--hours ${values.hours} is not a number of hours.`, usage)
  const right: "read" | "write" = rights
  const since = values["history-since"]
  const historySince = since === undefined ? undefined : new Date(since)
  if (historySince !== undefined && Number.isNaN(historySince.getTime()))
    throw new CommandError("usage", `--history-since ${since} is not a time.`, usage)
  const roots = values.roots?.split(",").map((root) => root.trim())
  if (roots !== undefined && rights === "read")
    throw new CommandError("usage", "--roots narrows writing; it has no meaning with --rights read.", usage)
  return {
    env,
    hours,
    sub,
    admin,
    docs: doc.map((id) => ({
      id,
      rights: right,
      ...(presence && { presence }),
      ...(roots && { roots }),
      ...(values["rollback-any"] && { rollback: "any" as const }),
    })),
    ...(historySince !== undefined && { historySince }),
    ...(name !== undefined && { name }),
    ...(color !== undefined && { color }),
    ...(agent !== undefined && { agent }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  }
}
