/**
 * A server's REST, as commands use it: every request has a time limit, and what is worth another try gets one.
 */
import { mintToken } from "../access/mint.ts"
import { parseSyncError } from "../errors.ts"
import { readSettings, requireSecret, type Settings } from "./settings.ts"
import { CommandError } from "./terminal.ts"

/** The options of every command that speaks to a server. */
export const REMOTE_OPTIONS = {
  token: { type: "string" },
  env: { type: "string" },
} as const

/** How those options read in a command's usage. */
export const REMOTE_USAGE = `  --token  an admin's token that covers the documents, or YURT_TOKEN in the environment. Without one, the secret
           of the server (AUTH_SECRET, in the environment or .dev.vars) makes one
  --env    a file of variables, instead of .dev.vars`

/** A line of the server's list. */
export interface Listed {
  readonly id: string
  readonly revision: number
  readonly bytes: number
}

/** One request, ms. A document of 50 MB over a slow line takes a while. */
const REQUEST_MS = 120_000
/** Tries of one request, and the first pause between them, ms; each next one is twice as long. */
const TRIES = 6
const PAUSE_MS = 250
/** How long a token made here is good, minutes: it is made anew in time. */
const TOKEN_MINUTES = 60

/** A server by its URL. */
export class Remote {
  readonly url: string
  readonly #token: string | null
  readonly #settings: Settings
  /** Something has answered: from then on silence is an outage, and before it a wrong address. */
  #answered = false
  /** Tokens made here, by the party they reach. */
  readonly #minted = new Map<string, { token: string; untilMs: number }>()

  private constructor(url: string, { token, settings }: { token: string | null; settings: Settings }) {
    this.url = url.replace(/\/+$/, "")
    this.#token = token
    this.#settings = settings
  }

  /**
   * @param how.open whether it lets anybody in; left out: what the settings here say
   * @throws CommandError "usage" where it is no URL, "no-secret" where there is neither a token nor a secret
   */
  static at(
    url: string,
    { token, env, open }: { token?: string | undefined; env?: string | undefined; open?: boolean },
  ): Remote {
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new CommandError("usage", `${url} is not the http or https URL of a server.`)
    const settings = readSettings(env)
    const given = token ?? settings.YURT_TOKEN?.trim() ?? null
    const isOpen = open ?? (settings.OPEN_ON_LOCALHOST === "true" && !settings.AUTH_SECRET)
    if (given === null && !isOpen) requireSecret(settings)
    return new Remote(url, { token: given, settings })
  }

  /** Every document, in id order. */
  async *list(): AsyncGenerator<Listed> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = new URLSearchParams({ limit: "1000", ...(cursor !== "" && { cursor }) })
      const response = await this.#ask(`/docs?${query}`, { party: "" })
      const page = (await response.json()) as { documents: Listed[]; cursor: string | null }
      yield* page.documents
      cursor = page.cursor
    }
  }

  /** @returns null where there is no such document */
  async export(id: string, format: string): Promise<{ body: Uint8Array; revision: number | null } | null> {
    const response = await this.#ask(`${pathOf(id)}?format=${encodeURIComponent(format)}`, {
      party: partyOf(id),
      taken: [404],
    })
    const body = new Uint8Array(await response.arrayBuffer())
    if (response.status === 404) return null
    const revision = /^(?:W\/)?"r(\d+)/.exec(response.headers.get("etag") ?? "")?.[1]
    return { body, revision: revision === undefined ? null : Number(revision) }
  }

  /**
   * Merge an update into a document.
   * @param options.create only where there is none yet
   * @returns "exists" where there is one and it was to be made, "waiting" where a part of it builds on something missing
   */
  async merge(
    id: string,
    update: Uint8Array,
    { create = false }: { create?: boolean } = {},
  ): Promise<"merged" | "waiting" | "exists"> {
    const headers = {
      "content-type": "application/octet-stream",
      ...(create && { "if-none-match": "*" }),
    }
    const response = await this.#ask(pathOf(id), {
      party: partyOf(id),
      init: { method: "PATCH", headers, body: update as BodyInit },
      taken: [412],
    })
    await response.arrayBuffer()
    if (response.status === 412) return "exists"
    return response.status === 202 ? "waiting" : "merged"
  }

  /** What versions a document has; none where there is no such document. */
  async *versions(id: string): AsyncGenerator<{ readonly meta: unknown }> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = new URLSearchParams({ limit: "1000", ...(cursor !== "" && { cursor }) })
      const response = await this.#ask(`${pathOf(id)}/-/versions?${query}`, {
        party: partyOf(id),
        taken: [404],
      })
      const page = (await response.json()) as {
        versions?: { meta: unknown }[]
        cursor?: string | null
      }
      yield* page.versions ?? []
      cursor = page.cursor ?? null
    }
  }

  /** Name the state that a document has now, as it was named elsewhere. @param version.at RFC 3339 */
  async makeVersion(id: string, version: { name: string | null; at: string; meta: unknown }): Promise<void> {
    const response = await this.#ask(`${pathOf(id)}/-/versions`, {
      party: partyOf(id),
      init: {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(version),
      },
    })
    await response.arrayBuffer()
  }

  /** @returns whether there was one */
  async remove(id: string): Promise<boolean> {
    const response = await this.#ask(pathOf(id), {
      party: partyOf(id),
      init: { method: "DELETE" },
      taken: [404],
    })
    await response.arrayBuffer()
    return response.status !== 404
  }

  /** What is answered at an address that is no document's, whatever that is. */
  async look(path: string): Promise<{ status: number; mediaType: string; body: string }> {
    const response = await this.#ask(path, { party: "", taken: [401, 403, 404, 405, 500, 503] })
    const { status, headers } = response
    return { status, mediaType: headers.get("content-type") ?? "", body: await response.text() }
  }

  /**
   * One request, tried again where that may help.
   * @param about.taken statuses that are answers and no refusals
   * @throws CommandError "unreachable" or "refused"
   */
  async #ask(
    path: string,
    { party, init = {}, taken = [] }: { party: string; init?: RequestInit; taken?: readonly number[] },
  ): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const token = await this.#tokenFor(party)
      const headers = new Headers(init.headers)
      if (token !== null) headers.set("authorization", `Bearer ${token}`)
      let waitMs = PAUSE_MS * 2 ** (attempt - 1)
      try {
        const signal = AbortSignal.timeout(REQUEST_MS)
        const response = await fetch(`${this.url}${path}`, { ...init, headers, signal })
        this.#answered = true
        if (response.ok || taken.includes(response.status)) return response
        const text = await response.text()
        const error = parseSyncError(text)
        const mayHelp = response.status === 429 || response.status === 503 || response.status === 502
        // A server without a key stays closed however often it is asked.
        if (!mayHelp || error?.code === "closed" || attempt === TRIES) {
          const says = error === null ? text.slice(0, 200) : `${error.code}: ${error.message}`
          throw new CommandError("refused", `${path}: ${response.status} ${says}`)
        }
        waitMs = Math.max(waitMs, Number(response.headers.get("retry-after") ?? 0) * 1000)
      } catch (thrown) {
        if (thrown instanceof CommandError) throw thrown
        if (attempt === TRIES || !this.#answered)
          throw new CommandError("unreachable", `${this.url} does not answer: ${reasonOf(thrown)}.`)
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }

  /** A pattern never crosses from one party into another, so each has a token of its own. */
  async #tokenFor(party: string): Promise<string | null> {
    if (this.#token !== null) return this.#token
    const { AUTH_SECRET, AUTH_AUDIENCE, AUTH_ISSUER } = this.#settings
    if (AUTH_SECRET === undefined) return null
    const known = this.#minted.get(party)
    if (known !== undefined && known.untilMs > Date.now() + 5 * 60_000) return known.token
    const token = await mintToken(
      {
        subject: "yurt-command",
        admin: true,
        docs: [{ id: `${party}*`, rights: "write" }],
        minutes: TOKEN_MINUTES,
      },
      {
        secret: AUTH_SECRET,
        ...(AUTH_AUDIENCE !== undefined && { audience: AUTH_AUDIENCE }),
        ...(AUTH_ISSUER !== undefined && { issuer: AUTH_ISSUER }),
      },
    )
    this.#minted.set(party, { token, untilMs: Date.now() + TOKEN_MINUTES * 60_000 })
    return token
  }
}

/** `/counter/` of `/counter/notes`; "" in the default party. */
function partyOf(id: string): string {
  return /^\/[^/]+\//.exec(id)?.[0] ?? ""
}

function pathOf(id: string): string {
  const encoded = id.split("/").map(encodeURIComponent).join("/")
  return id.startsWith("/") ? `/parties${encoded}` : `/docs/${encoded}`
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? thrown.cause.message || String(thrown.cause) : thrown.message
}
