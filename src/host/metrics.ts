/**
 * What an operator watches, of this process: counted from the events of all rooms, which plain workerd runs in one isolate.
 * Nothing is stored; counters begin at 0 with the process, as counters may.
 */
import type { Counts } from "../admin/counts.ts"
import type { RoomEvent } from "../room/events.ts"

/** An idle room leaves memory after this, ms. @source workerd: a Durable Object without work is evicted after 10 s */
const AWAKE_MS = 10_000

/** What of the lookout's this process does not know: rooms that sleep, and what they are billed for. */
const STORED =
  /^yurt_(documents|document_bytes|waiting_updates|(requests|alarms|rows_read|rows_written|awake_seconds|cost_dollars)_total)$/

/** Counts what happens in the rooms of this process. */
export class Metrics {
  #startedAtMs: number | null = null
  readonly #counts: Counts = {}
  /** Rooms with peers, and how many. Outlives a room's sleep. */
  readonly open: Map<string, number> = new Map()
  /** Of each: how many of which sort. */
  readonly #roles = new Map<string, Map<string, number>>()
  /** When something was counted in a room last, ms since 1970. */
  readonly #activeAtMs = new Map<string, number>()
  /** Rooms whose archive lacks something because the last attempt failed, and how many revisions. */
  readonly #lagging = new Map<string, number>()
  readonly #damaged = new Set<string>()

  /** A request came. While a Worker is loaded its clock stands at 0, so the first one tells when it started. */
  started(atMs: number): void {
    this.#startedAtMs ??= atMs
  }

  /** Something was counted in a room: a sample of admin/counts.ts. */
  count(document: string, sample: string, by: number): void {
    this.#counts[sample] = (this.#counts[sample] ?? 0) + by
    this.#activeAtMs.set(document, Date.now())
  }

  /** Take an event of a room into account. */
  note(document: string, event: RoomEvent): void {
    switch (event.type) {
      case "joined":
      case "left":
        this.#passed(document, event)
        if (event.peers === 0) this.open.delete(document)
        else this.open.set(document, event.peers)
        return
      case "archive-failed":
        this.#lagging.set(document, event.lag)
        return
      case "archived":
      case "deleted":
      case "retired":
        this.#lagging.delete(document)
        return
      case "quarantined":
        this.#damaged.add(document)
        return
      case "recovered":
        this.#damaged.delete(document)
        return
      default:
        // Counted by the room's desk.
        return
    }
  }

  /** Every sample by its name. @param stored what rooms have reported, those that sleep among them */
  samples(stored: readonly (readonly [string, number])[] = []): [string, number][] {
    const connections = new Map<string, number>()
    for (const [document, roles] of this.#roles) {
      if (!this.open.has(document)) continue
      for (const [role, n] of roles) connections.set(role, (connections.get(role) ?? 0) + n)
    }
    const oldestMs = Date.now() - AWAKE_MS
    for (const [document, atMs] of this.#activeAtMs) if (atMs < oldestMs) this.#activeAtMs.delete(document)
    return [
      ...[...connections].filter(([, n]) => n > 0),
      ["yurt_rooms_open", this.open.size],
      ["yurt_rooms_awake", this.#activeAtMs.size],
      ["yurt_rooms_damaged", this.#damaged.size],
      ["yurt_rooms_lagging", this.#lagging.size],
      ["yurt_archive_lag_revisions", Math.max(0, ...this.#lagging.values())],
      ...stored.filter(([name]) => STORED.test(name)).map(([name, value]): [string, number] => [name, value]),
      ...Object.entries(this.#counts),
      ["process_start_time_seconds", (this.#startedAtMs ?? 0) / 1000],
    ]
  }

  #passed(
    document: string,
    { type, peers, rights, dialect }: Extract<RoomEvent, { type: "joined" | "left" }>,
  ): void {
    if (peers === 0) {
      this.#roles.delete(document)
      return
    }
    const roles = this.#roles.get(document) ?? new Map<string, number>()
    const role = `yurt_connections{rights="${rights}",dialect="${dialect}"}`
    // A token that was renewed may have changed the rights in between.
    roles.set(role, Math.max(0, (roles.get(role) ?? 0) + (type === "joined" ? 1 : -1)))
    this.#roles.set(document, roles)
  }
}
