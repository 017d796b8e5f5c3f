/** The tools of an agent that are about documents and not in one: which there are, a new one, and where words stand in them. */
import { SyncError } from "../errors.ts"
import { readMarkdown } from "../import/markdown.ts"
import { type ToolArguments, unwrap } from "../rpc.ts"
import { listCovered } from "./covered.ts"
import type { DocumentsAsk } from "./resource.ts"
import { withClient } from "./tools.ts"

/** What the token covers, a page at a time, and what it may do there. */
export async function listDocuments(ask: DocumentsAsk, given: ToolArguments): Promise<object> {
  const { documents, cursor } = await listCovered(ask, {
    prefix: readText(given, "prefix") ?? "",
    cursor: readText(given, "cursor"),
    limit: ask.limits.agentDocuments,
  })
  return {
    documents: documents.map(({ id, ...entry }) => ({
      document: id,
      rights: ask.enter(id, "read").grant.rights,
      ...entry,
    })),
    cursor,
  }
}

/**
 * Make a document of Markdown.
 * @param client what the program calls itself
 * @throws SyncError "precondition-failed" where there is one, "forbidden", "too-large"
 */
export async function createDocument(
  ask: DocumentsAsk,
  given: ToolArguments,
  client: string | null,
): Promise<object> {
  const document = readText(given, "document") ?? ""
  const { grant, room, name } = ask.enter(document, "write")
  const markdown = readText(given, "markdown") ?? ""
  if (markdown.trim() === "")
    throw new SyncError("bad-request", "A document of nothing is none: say what is in it.")
  const body = new TextEncoder().encode(markdown)
  const { markupBytes } = ask.limits
  if (body.length > markupBytes)
    throw new SyncError(
      "too-large",
      `The Markdown has ${body.length} bytes; at most ${markupBytes} are taken.`,
    )
  const { revision } = await unwrap(
    room.change(
      {
        ...{ how: "put", format: "markdown", body, blocks: readMarkdown(markdown) },
        ...{ root: null, editor: readText(given, "editor"), nested: null, base: null, isAgent: true },
      },
      withClient(grant, client, ask.limits),
      { ifMatch: null, ifNoneMatch: "*" },
    ),
  )
  return { document: name, revision }
}

/** Where words stand, in some documents at a time: each of their rooms is asked. */
export async function searchDocuments(ask: DocumentsAsk, given: ToolArguments): Promise<object> {
  const query = readText(given, "query") ?? ""
  if (query.trim() === "") throw new SyncError("bad-request", "query is what to look for.")
  const { documents, cursor } = await listCovered(ask, {
    prefix: readText(given, "prefix") ?? "",
    cursor: readText(given, "cursor"),
    limit: ask.limits.agentSearched,
  })
  const found = await Promise.all(
    documents.map(async ({ id }) => {
      const { room, grant } = ask.enter(id, "read")
      const answered = await room.tool("search", { query }, grant, null)
      // One that cannot be looked into is told, and the others are searched.
      if ("refused" in answered) return { document: id, error: answered.refused.message }
      return { document: id, matches: answered.value.matches }
    }),
  )
  return {
    searched: documents.length,
    documents: found.filter(({ matches }) => !Array.isArray(matches) || matches.length > 0),
    cursor,
  }
}

/** @throws SyncError "bad-request" */
function readText(given: ToolArguments, name: string): string | null {
  const value = given[name] ?? null
  if (value !== null && typeof value !== "string") throw new SyncError("bad-request", `${name} is a string.`)
  return value?.toWellFormed() ?? null
}
