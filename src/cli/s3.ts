/**
 * A bucket of S3, or of what speaks its language: list, read, write, and what an object was before. Signed by AWS'
 * Signature Version 4, without its SDK, which weighs more than this whole package.
 *
 * Keys come from the variables that AWS' own tools read: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_REGION, and AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL) for another service.
 *
 * @source Amazon S3 API reference: Authenticating Requests (AWS Signature Version 4), ListObjectsV2, ListObjectVersions
 */
import { createHash, createHmac } from "node:crypto"
import { ask } from "./ask.ts"
import type { Settings } from "./settings.ts"
import { CommandError } from "./terminal.ts"

/** What opens a bucket. */
interface Keys {
  readonly id: string
  readonly secret: string
  readonly session: string | null
}

/** What is signed. */
interface Unsigned {
  readonly method: string
  /** Encoded, as it is sent. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly host: string
  readonly body: Uint8Array
}

/** An object as it was. */
export interface ObjectVersion {
  readonly id: string
  /** RFC 3339. */
  readonly at: string
}

/** A bucket, and the beginning that all keys have which are meant. */
export class Bucket {
  readonly bucket: string
  readonly prefix: string
  readonly #endpoint: string
  readonly #region: string
  readonly #keys: Keys

  private constructor(place: {
    bucket: string
    prefix: string
    endpoint: string
    region: string
    keys: Keys
  }) {
    this.bucket = place.bucket
    this.prefix = place.prefix
    this.#endpoint = place.endpoint
    this.#region = place.region
    this.#keys = place.keys
  }

  /**
   * @param where `s3://bucket/prefix`
   * @throws CommandError "usage" where it is no such address, "bad-config" where there are no keys for it
   */
  static at(where: string, settings: Settings): Bucket {
    const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(where) ?? []
    if (bucket === undefined) throw new CommandError("usage", `${where} is not s3://bucket/prefix.`)
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: session } = settings
    if (!id || !secret)
      throw new CommandError(
        "bad-config",
        `To read ${where}, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have to be set.`,
      )
    const region = settings.AWS_REGION || settings.AWS_DEFAULT_REGION || "us-east-1"
    const named = settings.AWS_ENDPOINT_URL_S3 || settings.AWS_ENDPOINT_URL
    const endpoint = (named || `https://s3.${region}.amazonaws.com`).replace(/\/+$/, "")
    if (!URL.canParse(endpoint)) throw new CommandError("bad-config", `${endpoint} is no URL.`)
    return new Bucket({ bucket, prefix, endpoint, region, keys: { id, secret, session: session || null } })
  }

  /** The same bucket, with another beginning of its keys. */
  within(prefix: string): Bucket {
    const { bucket } = this
    return new Bucket({ bucket, prefix, endpoint: this.#endpoint, region: this.#region, keys: this.#keys })
  }

  /** Keys that begin with the prefix, without it, in the order of their bytes. */
  async *list(limit?: number): AsyncGenerator<string> {
    let token: string | null = null
    do {
      const page = await this.#page({
        "list-type": "2",
        prefix: this.prefix,
        "encoding-type": "url",
        ...(limit !== undefined && { "max-keys": String(limit) }),
        ...(token !== null && { "continuation-token": token }),
      })
      for (const [, object] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs))
        yield keyIn(page, object!, "Key").slice(this.prefix.length)
      token =
        limit === undefined && /<IsTruncated>true/.test(page) ? tag(page, "NextContinuationToken") : null
    } while (token)
  }

  /**
   * What an object was before it was written last, oldest first; none where the bucket keeps none.
   * @param key without the prefix
   */
  async versions(key: string): Promise<ObjectVersion[]> {
    const full = this.prefix + key
    const found: ObjectVersion[] = []
    let marker: Record<string, string> | null = {}
    while (marker !== null) {
      const page = await this.#page({ versions: "", prefix: full, "encoding-type": "url", ...marker })
      for (const [, object] of page.matchAll(/<Version>(.*?)<\/Version>/gs)) {
        // A longer key begins alike.
        if (keyIn(page, object!, "Key") !== full || /<IsLatest>true/.test(object!)) continue
        const id = tag(object!, "VersionId")
        if (id !== "null") found.push({ id, at: new Date(tag(object!, "LastModified")).toISOString() })
      }
      const next = keyIn(page, page, "NextKeyMarker")
      const isLast = !/<IsTruncated>true/.test(page) || next > full
      marker = isLast ? null : { "key-marker": next, "version-id-marker": tag(page, "NextVersionIdMarker") }
    }
    // The newest comes first there.
    return found.reverse()
  }

  /** @param key without the prefix. @throws CommandError "bad-source" where there is none */
  async read(key: string, version: string | null = null): Promise<Uint8Array> {
    const query = version === null ? {} : { versionId: version }
    const { status, body } = await this.#ask({ method: "GET", key, query, taken: [404] })
    if (status === 404) throw new CommandError("bad-source", `${this.bucket} has no ${this.prefix}${key}.`)
    return body
  }

  /** @param key without the prefix */
  async write(key: string, body: Uint8Array): Promise<void> {
    await this.#ask({ method: "PUT", key, query: {}, body })
  }

  async #page(query: Record<string, string>): Promise<string> {
    const { body } = await this.#ask({ method: "GET", key: null, query })
    return new TextDecoder().decode(body)
  }

  #ask(about: {
    method: string
    key: string | null
    query: Readonly<Record<string, string>>
    body?: Uint8Array
    taken?: readonly number[]
  }) {
    const { method, key, query, body = new Uint8Array(), taken = [] } = about
    const base = new URL(this.#endpoint)
    const segments = key === null ? [this.bucket] : [this.bucket, ...(this.prefix + key).split("/")]
    // A URL would lose them, and name another object.
    if (segments.some((segment) => segment === "." || segment === ".."))
      throw new CommandError("bad-source", `${this.prefix}${key}: such a key cannot be asked for over HTTP.`)
    const path = `${base.pathname.replace(/\/$/, "")}/${segments.map(encode).join("/")}`
    const unsigned = { method, path, query, host: base.host, body }
    const search = queryOf(query)
    return ask({
      url: `${base.origin}${path}${search && `?${search}`}`,
      method,
      headers: () => signS3(unsigned, { keys: this.#keys, region: this.#region, at: new Date() }),
      ...(method === "PUT" && { body }),
      taken,
    })
  }
}

/** The headers that make a request one of the keys' owner. */
export function signS3(
  { method, path, query, host, body }: Unsigned,
  { keys, region, at }: { keys: Keys; region: string; at: Date },
): Record<string, string> {
  const time = at.toISOString().replace(/[-:]|\.\d+/g, "")
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`
  const digest = sha256(body)
  const headers: Record<string, string> = {
    host,
    "x-amz-content-sha256": digest,
    "x-amz-date": time,
    ...(keys.session !== null && { "x-amz-security-token": keys.session }),
  }
  const names = Object.keys(headers).sort()
  const signed = names.join(";")
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join("")
  const canonical = [method, path, queryOf(query), lines, signed, digest].join("\n")
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")
  const key = scope.split("/").reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${keys.secret}`)
  const signature = hmac(key, text).toString("hex")
  const { host: _sent, ...rest } = headers
  return {
    ...rest,
    authorization: `AWS4-HMAC-SHA256 Credential=${keys.id}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  }
}

function queryOf(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&")
}

/** Percent-encoded as AWS does it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** A key as it is. Not every service encodes those of its lists, though it is asked to. */
function keyIn(page: string, xml: string, name: string): string {
  const text = tag(xml, name)
  return /<EncodingType>url</.test(page) ? decodeURIComponent(text.replaceAll("+", " ")) : text
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

/** The text of an element; "" where there is none. */
function tag(xml: string, name: string): string {
  const [, text = ""] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? []
  return text.replace(/&(\w+);/g, (all, entity: string) => ENTITIES[entity] ?? all)
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex")
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest()
}
