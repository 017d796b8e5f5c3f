/**
 * The postbox: tells a URL of the operator's what happens in a room, and goes on telling until it has arrived.
 *
 * What is to be told is stored with the room: letters, each with its id, and the revision that the receiver knows. Whether a
 * change has to be told is no flag but a comparison of two revisions, as in the outbox, so changes are coalesced and a kill
 * loses none. A receiver may hear a letter twice, and knows it by its id. A letter that fails is tried again by the alarm,
 * with growing pauses, and the later ones wait for it.
 *
 * The headers are those of Standard Webhooks: `webhook-id`, `webhook-timestamp` (seconds), and `webhook-signature`, `v1,` and
 * the base64 of the HMAC-SHA256 of `{id}.{timestamp}.{body}` under EVENTS_SECRET.
 *
 * @source Standard Webhooks 1.0, standard-webhooks.com
 */
import { fromBase64, toBase64 } from "lib0/buffer"
import { isLocalHost } from "../archive/local.ts"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { RoomEvent } from "./events.ts"
import type { Log } from "./log.ts"

/** Where events go, and the key that signs them. */
export interface Receiver {
  readonly url: string
  readonly secret: string
}

/** One event that has not arrived yet. */
interface Letter {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: object
}

/** What is stored. */
interface Stored {
  /** The revision that the receiver knows; null: it knows of no document here. */
  readonly told: number | null
  readonly letters: readonly Letter[]
  /** When something is due, ms since 1970; null: nothing is. */
  readonly dueAtMs: number | null
  /** Letters that were dropped because too many waited. */
  readonly dropped: number
}

const EMPTY: Stored = { told: null, letters: [], dueAtMs: null, dropped: 0 }

/**
 * The receiver that the environment names by EVENTS_URL and EVENTS_SECRET; null where it names none.
 * @throws SyncError "internal" where the URL is not encrypted, or the secret too short to protect anything
 */
export function readReceiver(env: object): Receiver | null {
  const { EVENTS_URL: url, EVENTS_SECRET: secret } = env as { EVENTS_URL?: unknown; EVENTS_SECRET?: unknown }
  if (typeof url !== "string" || url.trim() === "") return null
  if (!URL.canParse(url)) throw new SyncError("internal", "EVENTS_URL is no URL")
  const { protocol, hostname } = new URL(url)
  if (protocol !== "https:" && !(protocol === "http:" && isLocalHost(hostname)))
    throw new SyncError("internal", `EVENTS_URL begins with ${protocol}//${hostname}: it needs https`)
  if (typeof secret !== "string" || keyOf(secret.trim()).length < 16)
    throw new SyncError("internal", "EVENTS_URL needs EVENTS_SECRET, whsec_ and 24 bytes or more in base64")
  return { url, secret: secret.trim() }
}

/** Keeps and sends what a room has to tell. */
export class Postbox {
  readonly #document: string
  readonly #receiver: Receiver | null
  readonly #log: Log
  readonly #limits: Limits
  #stored: Stored

  constructor(
    document: string,
    { receiver, log, limits }: { receiver: Receiver | null; log: Log; limits: Limits },
  ) {
    this.#document = document
    this.#receiver = receiver
    this.#log = log
    this.#limits = limits
    const stored = receiver === null ? null : log.noted<string>("events")
    this.#stored = stored === null ? EMPTY : { ...EMPTY, ...(JSON.parse(stored) as Partial<Stored>) }
  }

  /** When something is due, ms since 1970; null: nothing is, or nobody is told. */
  get dueAtMs(): number | null {
    return this.#receiver === null ? null : this.#stored.dueAtMs
  }

  /** What waits: the revision that the receiver knows, and how many events it does not. */
  get status(): { told: number | null; waiting: number; dropped: number } {
    const { told, letters, dropped } = this.#stored
    return { told, waiting: letters.length, dropped }
  }

  /** Note what has happened, where it is told. */
  note(event: RoomEvent): void {
    if (this.#receiver === null) return
    switch (event.type) {
      case "committed":
        // One row for all that comes until it is told.
        if (this.#stored.dueAtMs === null) this.#keep({ dueAtMs: Date.now() + this.#limits.eventsMs })
        return
      case "deleted":
        return this.#post("document.deleted", { revision: event.revision }, { told: null })
      case "versioned":
        return this.#post("version.created", { version: event.version })
      case "joined":
        return this.#post("presence.joined", { subject: event.subject, connections: event.peers })
      case "left":
        return this.#post("presence.left", { subject: event.subject, connections: event.peers })
      default:
        return
    }
  }

  /** Tell everything from a revision on once more. */
  replay(from: number): void {
    this.#keep({ told: Math.min(from, this.#log.state.revision), dueAtMs: Date.now() })
  }

  /**
   * Send what is due.
   * @throws SyncError "unavailable" where the receiver does not take it; what it has not taken is kept
   */
  async flush(): Promise<void> {
    if (this.#receiver === null) return
    this.#postChange()
    for (;;) {
      const [letter] = this.#stored.letters
      if (letter === undefined) break
      await this.#send(letter, this.#receiver)
      // Others may have been added meanwhile.
      this.#keep({ letters: this.#stored.letters.filter(({ id }) => id !== letter.id) })
    }
    this.#keep({ dueAtMs: this.#hasNews ? Date.now() + this.#limits.eventsMs : null })
  }

  get #hasNews(): boolean {
    return this.#log.exists && this.#log.state.revision > (this.#stored.told ?? 0)
  }

  #postChange(): void {
    if (!this.#hasNews) return
    const { revision } = this.#log.state
    const { told } = this.#stored
    const type = told === null ? "document.created" : "document.changed"
    this.#post(type, told === null ? { revision } : { revision, from: told }, { told: revision })
  }

  #post(type: string, data: object, more: Partial<Stored> = {}): void {
    const letter: Letter = {
      id: `msg_${crypto.randomUUID()}`,
      type,
      timestamp: new Date().toISOString(),
      data: { document: this.#document, ...data },
    }
    const { letters, dropped, dueAtMs } = this.#stored
    const { eventsKept, eventsLength } = this.#limits
    const kept = [...letters, letter]
    while (kept.length > eventsKept || (kept.length > 1 && JSON.stringify(kept).length > eventsLength))
      kept.shift()
    this.#keep({
      ...more,
      letters: kept,
      dropped: dropped + letters.length + 1 - kept.length,
      dueAtMs: dueAtMs ?? Date.now() + this.#limits.eventsMs,
    })
  }

  #keep(change: Partial<Stored>): void {
    this.#stored = { ...this.#stored, ...change }
    this.#log.note("events", JSON.stringify(this.#stored))
  }

  async #send({ id, ...event }: Letter, { url, secret }: Receiver): Promise<void> {
    const body = JSON.stringify(event)
    const seconds = String(Math.floor(Date.now() / 1000))
    let status: number
    try {
      const response = await fetch(url, {
        ...{
          method: "POST",
          body,
          redirect: "manual",
          signal: AbortSignal.timeout(this.#limits.archiveTimeoutMs),
        },
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": seconds,
          "webhook-signature": await signEvent(secret, { id, seconds, body }),
        },
      })
      status = response.status
      await response.body?.cancel()
    } catch (cause) {
      throw new SyncError("unavailable", "EVENTS_URL does not answer", { cause })
    }
    if (status < 200 || status >= 300) throw new SyncError("unavailable", `EVENTS_URL answered ${status}`)
  }
}

/** The signature of an event, as a header has it. */
export async function signEvent(
  secret: string,
  { id, seconds, body }: { id: string; seconds: string; body: string },
): Promise<string> {
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const key = await crypto.subtle.importKey("raw", keyOf(secret), hmac, false, ["sign"])
  const signed = new TextEncoder().encode(`${id}.${seconds}.${body}`)
  return `v1,${toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)))}`
}

/** `whsec_` stands before base64; a secret without it is taken as it is. */
function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  if (!secret.startsWith("whsec_")) return new Uint8Array(new TextEncoder().encode(secret))
  try {
    return new Uint8Array(fromBase64(secret.slice("whsec_".length)))
  } catch {
    return new Uint8Array()
  }
}
