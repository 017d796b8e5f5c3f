/**
 * `/docs/{id}/-/tools/{name}`: the tools of an agent as plain REST. And `/docs/{id}/-/mcp`, where the server has been given what
 * speaks MCP (`yurt/agent`).
 */
import type { Grant } from "../access/rights.ts"
import { TOOLS } from "../agent/tools.ts"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { type ToolArguments, unwrap } from "../rpc.ts"
import { checkIdentity, mediaTypeOf, readBody } from "./body.ts"
import type { RouteOptions } from "./parties.ts"
import { type Ask, answerJson, type DocumentAsk, type Resource } from "./resource.ts"

/** POST with the arguments as JSON; the answer is what the tool answers. `Idempotency-Key` makes it happen once. */
export const tools: readonly Resource[] = TOOLS.map(({ name, writes }) => ({
  about: "document",
  path: `/docs/{id}/-/tools/${name}`,
  methods: {
    POST: {
      rights: writes ? "write" : "read",
      answer: async (ask) => answerJson(await useTool(ask, name)),
    },
  },
}))

/** POST: a call of the Model Context Protocol. */
export const mcp: Resource = {
  about: "document",
  path: "/docs/{id}/-/mcp",
  methods: {
    POST: {
      rights: "read",
      answer: async (ask) => speakerOf(ask).answer(ask),
    },
  },
}

/** POST: the same for every document that the token covers. */
export const mcpOfAll: Resource = {
  about: "documents",
  path: "/mcp",
  methods: { POST: { answer: async (ask) => speakerOf(ask).answerAll(ask) } },
}

function speakerOf({ options }: Ask): NonNullable<RouteOptions["agents"]> {
  if (options.agents !== undefined) return options.agents
  throw new SyncError(
    "not-found",
    "This server was given nothing that speaks MCP; the tools are at /-/tools.",
  )
}

async function useTool({ request, room, grant, limits }: DocumentAsk, name: string): Promise<ToolArguments> {
  checkIdentity(request.headers)
  const type = mediaTypeOf(request.headers)
  if (type !== null && type !== "application/json" && type !== "text/plain")
    throw new SyncError(
      "unsupported-media-type",
      `The arguments of a tool are application/json, not ${type}.`,
    )
  const given = parseArguments(await readBody(request, limits.jsonBytes))
  const who = withClient(grant, request.headers.get("user-agent"), limits)
  return unwrap(room.tool(name, given, who, request.headers.get("idempotency-key")))
}

/** A grant with what the program calls itself. */
export function withClient(grant: Grant, said: string | null, { nameLength }: Limits): Grant {
  const client = said?.trim().slice(0, nameLength).toWellFormed()
  return client ? { ...grant, client } : grant
}

/** @throws SyncError "bad-request" */
function parseArguments(body: Uint8Array): ToolArguments {
  if (body.length === 0) return {}
  let given: unknown
  try {
    given = JSON.parse(new TextDecoder().decode(body))
  } catch (cause) {
    throw new SyncError("bad-request", "The body is no JSON.", { cause })
  }
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new SyncError("bad-request", "The arguments of a tool are an object.")
  return given as ToolArguments
}
