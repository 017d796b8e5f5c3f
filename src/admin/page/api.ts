/** What the page asks of the server: REST under the operator's token, which stays in this tab. */

const KEY = "yurt-admin-token"

/** An answer that is no success: what the server says about it. */
export class Refused extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The token of this tab; null: none. */
export function token(): string | null {
  return sessionStorage.getItem(KEY)
}

/** Keep a token in this tab, or forget it. */
export function keepToken(value: string | null): void {
  if (value === null) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, value)
}

/** The address of a document: `/{party}/{id}` is in another party than the default one. */
export function addressOf(name: string): string {
  const [, party, id] = /^\/([^/]+)\/(.*)$/s.exec(name) ?? []
  return party === undefined || id === undefined
    ? `/docs/${encodeURIComponent(name)}`
    : `/parties/${encodeURIComponent(party)}/${encodeURIComponent(id)}`
}

/** Ask. @throws Refused */
export async function ask(
  path: string,
  {
    method = "GET",
    body,
    accept,
    signal,
  }: { method?: string; body?: object | Uint8Array; accept?: string; signal?: AbortSignal } = {},
): Promise<Response> {
  const headers: Record<string, string> = {}
  const held = token()
  if (held !== null) headers.authorization = `Bearer ${held}`
  if (accept !== undefined) headers.accept = accept
  if (body !== undefined)
    headers["content-type"] = body instanceof Uint8Array ? "application/octet-stream" : "application/json"
  const sent = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body)
  const response = await fetch(path, {
    method,
    headers,
    cache: "no-store",
    ...(sent !== undefined && { body: sent as BodyInit }),
    ...(signal !== undefined && { signal }),
  }).catch(() => {
    throw new Refused(0, "unreachable", "The server does not answer.")
  })
  if (response.ok) return response
  const { error = "failed", message = `The server answered ${response.status}.` } = (await response
    .json()
    .catch(() => ({}))) as { error?: string; message?: string }
  throw new Refused(response.status, error, message)
}

/** Ask, and read the answer as JSON. @throws Refused */
export async function askJson<Value>(path: string, options: Parameters<typeof ask>[1] = {}): Promise<Value> {
  return (await (await ask(path, options)).json()) as Value
}

/** Save an answer as a file. @throws Refused */
export async function download(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await (await ask(path)).blob())
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
