/** The tools of an agent that are about documents and not in one: which there are, a new one, and where words stand in them. */
import { asSyncError, SyncError } from "../errors.ts"
import { readMarkdown } from "../import/markdown.ts"
import { type ToolArguments, unwrap } from "../rpc.ts"
import { listCovered } from "./covered.ts"
import type { DocumentAsk, DocumentsAsk } from "./resource.ts"
import { withClient } from "./tools.ts"

/** What the token covers, a page at a time, and what it may do there. */
export async function listDocuments(ask: DocumentsAsk, given: ToolArguments): Promise<object> {
  const { documents, cursor } = await listCovered(ask, {
    prefix: readText(given, "prefix") ?? "",
    cursor: readText(given, "cursor"),
    limit: ask.limits.agentDocuments,
  })
  return {
    documents: documents.flatMap(({ id, ...entry }) => {
      const entered = tryEnter(ask, id)
      return entered === null ? [] : [{ document: id, rights: entered.grant.rights, ...entry }]
    }),
    cursor,
  }
}

/**
 * A document of the index; null where it cannot be opened here: an archive may hold names that no address has, and documents
 * of parties that another server serves. One of them must not hide the others.
 */
function tryEnter(ask: DocumentsAsk, id: string): DocumentAsk | null {
  try {
    const entered = ask.enter(id, "read")
    return entered.name === id ? entered : null
  } catch (thrown) {
    if (thrown instanceof SyncError) return null
    throw thrown
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
  const entered = documents.flatMap(({ id }) => tryEnter(ask, id) ?? [])
  const found = await Promise.all(
    entered.map(async ({ name, room, grant }) => {
      try {
        const { matches } = await unwrap(room.tool("search", { query }, grant, null))
        return { document: name, matches }
      } catch (thrown) {
        // One that cannot be looked into is told, and the others are searched.
        return { document: name, error: asSyncError(thrown).message }
      }
    }),
  )
  return {
    searched: entered.length,
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
