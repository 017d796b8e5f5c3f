/** A provider's credentials: its address with the current parameters, its token, and the token's subject. */
import { SyncError } from "../errors.ts"
import type { Address } from "./connection.ts"
import type { ProviderOptions } from "./options.ts"
import { readClaims, TokenRenewal } from "./token.ts"
import type { HttpAddress } from "./versions.ts"

/**
 * A document's address as people read it, and as a URL.
 * @throws SyncError "bad-id" where a segment of the id is `.` or `..`, which no URL can carry
 */
export function locate(url: string, docId: string): { name: string; address: string } {
  const base = url.replace(/^http/, "ws").replace(/\/+$/, "")
  const segments = docId.split("/")
  if (segments.some((segment) => /^\.\.?$/.test(segment))) {
    throw new SyncError("bad-id", `"." or ".." in the id ${docId}`)
  }
  return { name: `${base}/${docId}`, address: `${base}/${segments.map(encodeURIComponent).join("/")}` }
}

/** Callbacks of the credentials. */
export interface CredentialsOptions {
  /** A fresh token, shortly before the one in use ends. */
  readonly onRenewed: (token: string) => void
  readonly onError: (problem: unknown) => void
}

/** Asks for parameters and tokens when they are needed. */
export class Credentials {
  readonly #url: string
  readonly #options: ProviderOptions
  readonly #tell: CredentialsOptions
  readonly #renewal = new TokenRenewal(() => void this.#renew())
  #triedFreshToken = false
  #subject: string | null | undefined

  constructor(url: string, options: ProviderOptions, tell: CredentialsOptions) {
    this.#url = url
    this.#options = options
    this.#tell = tell
    const { token } = options
    if (typeof token !== "function") this.#subject = token === undefined ? null : readClaims(token).subject
  }

  /** Who uses this page; null: nobody in particular; undefined: not known before the first token. */
  get user(): string | null | undefined {
    return this.#options.user ?? this.#subject
  }

  /** The address and subprotocols of the next attempt. */
  async address(): Promise<Address> {
    const { query, bearer } = await this.#current()
    if (bearer !== undefined) {
      const { subject, expiresAtMs } = readClaims(bearer)
      this.#subject = subject
      this.planRenewal(expiresAtMs)
    }
    return {
      url: query === "" ? this.#url : `${this.#url}?${query}`,
      protocols: bearer === undefined ? ["yurt"] : ["yurt", bearer],
    }
  }

  /** Where the document answers over HTTP, with the parameters and the token that a socket would have. */
  async http(): Promise<HttpAddress> {
    const { query, bearer } = await this.#current()
    return {
      url: this.#url.replace(/^ws/, "http"),
      query,
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    }
  }

  async #current(): Promise<{ query: string; bearer: string | undefined }> {
    const { params, token } = this.#options
    return {
      query: new URLSearchParams(typeof params === "function" ? await params() : params).toString(),
      bearer: typeof token === "function" ? await token() : token,
    }
  }

  /** Whether a close with this code is final: 4400–4499 are, but for one attempt with a fresh token after 4401. */
  isFinal(code: number): boolean {
    if (code < 4400 || code > 4499) return false
    const mayRetry = code === 4401 && typeof this.#options.token === "function" && !this.#triedFreshToken
    if (mayRetry) this.#triedFreshToken = true
    return !mayRetry
  }

  /** The token was accepted, or the caller wants another attempt: allow one fresh token again. */
  accept(): void {
    this.#triedFreshToken = false
  }

  /** Plan the renewal of a token that ends at this time, ms since 1970; null: it has no known end. */
  planRenewal(expiresAtMs: number | null): void {
    if (typeof this.#options.token === "function") this.#renewal.plan(expiresAtMs)
  }

  /** Cancel the renewal: the connection is gone, and the next attempt asks for a token anyway. */
  stopRenewal(): void {
    this.#renewal.stop()
  }

  async #renew(): Promise<void> {
    const { token } = this.#options
    if (typeof token !== "function") return
    try {
      this.#tell.onRenewed(await token())
    } catch (error) {
      // The room closes with 4401 when the old one ends, and the next attempt asks again.
      this.#tell.onError(error)
    }
  }
}
