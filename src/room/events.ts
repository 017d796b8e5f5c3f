/**
 * What happens in a room: a closed set of events (O1). Logs, `status` and tests read them, and a subclass receives them in
 * `onEvent`, so whatever goes wrong is counted and visible without a log.
 */
import type { ErrorCode } from "../errors.ts"
import type { Version } from "../history/versions.ts"

/** One thing that happened in a room. Numbers of bytes are bytes, times are ms. */
export type RoomEvent =
  | ({ readonly type: "joined" } & Passing)
  | ({ readonly type: "left" } & Passing)
  /** A frame or request was answered with an error; `cause` where the fault is the server's. */
  | {
      readonly type: "refused"
      readonly code: ErrorCode
      readonly message: string
      readonly subject: string | null
      readonly cause?: unknown
    }
  | { readonly type: "committed"; readonly revision: number; readonly bytes: number }
  /** The database did not take a commit; it is tried again. */
  | { readonly type: "commit-failed"; readonly cause: unknown }
  | { readonly type: "compacted"; readonly bytes: number }
  | { readonly type: "hydrated" }
  /** Something stored is damaged and was set aside; `values` are in quarantine now. */
  | { readonly type: "quarantined"; readonly values: number }
  /** The damaged part was merged back from the archive, as far as the archive has it. */
  | { readonly type: "recovered" }
  /** A vetted update did not apply to the hydrated document, which is a fault of the vet. The document is built anew. */
  | { readonly type: "unapplied"; readonly cause: unknown }
  /** The stored clocks failed their checksum, and were read from the document again. */
  | { readonly type: "clocks-lost" }
  /** An update that had waited turned out to be unsafe. */
  | { readonly type: "dropped"; readonly bytes: number; readonly reason: string }
  /** Content under a client id differs from what its owner brings. */
  | { readonly type: "conflict"; readonly client: number; readonly subject: string | null }
  | { readonly type: "archived"; readonly revision: number }
  | {
      readonly type: "archive-failed"
      readonly attempts: number
      readonly lag: number
      readonly nextInMs: number
      readonly message: string
      readonly cause: unknown
    }
  /** The archive held a state that this room had not seen; it was merged. */
  | { readonly type: "merged"; readonly revision: number }
  | { readonly type: "deleted"; readonly revision: number }
  /** A version was made. */
  | { readonly type: "versioned"; readonly version: Version }
  /** A value that was kept of the past is damaged. The present is not. */
  | { readonly type: "past-damaged" }
  /** A part of the past was moved out into the archive. */
  | { readonly type: "past-moved"; readonly bytes: number }
  /** An empty room dropped its own storage, since the archive has everything. */
  | { readonly type: "retired" }
  /** A chore of the alarm failed and comes again. */
  | { readonly type: "chore-failed"; readonly chore: string; readonly cause: unknown }

/** Someone who comes or goes, and how many are here then. */
interface Passing {
  readonly subject: string | null
  readonly peers: number
  readonly rights: "read" | "write"
  /** The name of what they speak. */
  readonly dialect: string
}

/** Receives events. */
export type Emit = (event: RoomEvent) => void

/** How often each event happened since the room woke. */
export class EventCounts {
  readonly #counts = new Map<RoomEvent["type"], number>()

  /** Count one more. */
  add({ type }: RoomEvent): void {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1)
  }

  /** Event → how often. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }
}

/**
 * The default of `Room.onEvent`: what an operator must know goes to the console, the rest does not.
 * @param name the document's name, which every line carries
 */
export function logEvent(name: string, event: RoomEvent): void {
  switch (event.type) {
    case "joined":
    case "left":
    case "committed":
    case "compacted":
    case "hydrated":
    case "archived":
    case "merged":
    case "recovered":
    case "deleted":
    case "retired":
    case "versioned":
    case "past-moved":
      return
    case "refused":
      if (event.code === "internal") console.error(`${name}: a frame or request failed`, event.cause)
      else console.warn(`${name}: refused: ${event.code}: ${event.message}`)
      return
    case "commit-failed":
      return console.error(`${name}: a commit failed and will be tried again`, event.cause)
    case "quarantined":
      return console.error(`${name}: something stored is damaged; ${event.values} values are in quarantine`)
    case "past-damaged":
      return console.error(`${name}: a value that was kept of the past is damaged; the present is not`)
    case "unapplied":
      return console.error(`${name}: a vetted update did not apply; the document is built anew`, event.cause)
    case "clocks-lost":
      return console.error(`${name}: the stored clocks are damaged; they were read from the document`)
    case "dropped":
      return console.warn(
        `${name}: dropped an update of ${event.bytes} bytes that had waited: ${event.reason}`,
      )
    case "conflict":
      return console.warn(`${name}: other content stands under client id ${event.client} of ${event.subject}`)
    case "archive-failed":
      return console.warn(
        `${name}: the archive lacks ${event.lag} revisions: attempt ${event.attempts} failed, ` +
          `next in ${Math.round(event.nextInMs / 1000)} s: ${event.message}`,
        event.cause,
      )
    case "chore-failed":
      return console.error(`${name}: the chore ${event.chore} failed and comes again`, event.cause)
    default:
      throw new TypeError(`unknown event ${JSON.stringify(event satisfies never)}`)
  }
}
