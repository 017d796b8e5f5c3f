/**
 * What an operator watches, as OpenMetrics text: counted from the events of all rooms, which plain workerd runs in one
 * isolate. Nothing is stored; counters begin at 0 with the process, as counters may.
 */
import type { RoomEvent } from "../room/events.ts"

/** The media type of OpenMetrics. @source OpenMetrics 1.0, "Protocol Negotiation" */
export const METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** Label → count. */
type Counts = Map<string, number>

/** Counts what happens in the rooms of this process. */
export class Metrics {
  readonly #startedAtMs: number
  readonly #events: Counts = new Map()
  readonly #refusals: Counts = new Map()
  /** Rooms with peers, and how many. Outlives a room's sleep. */
  readonly open: Map<string, number> = new Map()
  /** Rooms whose archive lacks something because the last attempt failed, and how many revisions. */
  readonly #lagging = new Map<string, number>()
  readonly #damaged = new Set<string>()
  #committedBytes = 0

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs
  }

  /** Take an event of a room into account. */
  note(document: string, event: RoomEvent): void {
    count(this.#events, event.type)
    switch (event.type) {
      case "joined":
      case "left":
        if (event.peers === 0) this.open.delete(document)
        else this.open.set(document, event.peers)
        return
      case "refused":
        return count(this.#refusals, event.code)
      case "committed":
        this.#committedBytes += event.bytes
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
        // Counted above.
        return
    }
  }

  /** Everything, as OpenMetrics text. */
  write(): string {
    const peers = [...this.open.values()].reduce((sum, peers) => sum + peers, 0)
    const lag = Math.max(0, ...this.#lagging.values())
    return [
      gauge("yurt_connections", "Sockets of peers that are open.", peers),
      gauge("yurt_rooms_open", "Rooms with at least one peer.", this.open.size),
      gauge(
        "yurt_rooms_damaged",
        "Rooms with something in quarantine that is not recovered.",
        this.#damaged.size,
      ),
      gauge(
        "yurt_rooms_lagging",
        "Rooms whose last attempt to reach the archive failed.",
        this.#lagging.size,
      ),
      gauge("yurt_archive_lag_revisions", "The most revisions that the archive lacks of one of them.", lag),
      counter("yurt_events", "What happened in rooms, by event.", "event", this.#events),
      counter("yurt_refused", "Frames and requests that rooms refused, by error.", "code", this.#refusals),
      counter(
        "yurt_committed_bytes",
        "Bytes of updates that are on disk.",
        null,
        new Map([["", this.#committedBytes]]),
      ),
      gauge("process_start_time_seconds", "When the server started.", this.#startedAtMs / 1000),
      "# EOF\n",
    ].join("")
  }
}

function count(counts: Counts, label: string): void {
  counts.set(label, (counts.get(label) ?? 0) + 1)
}

function gauge(name: string, help: string, value: number): string {
  return `# TYPE ${name} gauge\n# HELP ${name} ${help}\n${name} ${value}\n`
}

/** @param label null: one count without a label. Labels are words of ours: nothing in them is to be escaped */
function counter(name: string, help: string, label: string | null, counts: Counts): string {
  const samples = [...counts].map(([value, count]) =>
    label === null ? `${name}_total ${count}\n` : `${name}_total{${label}="${value}"} ${count}\n`,
  )
  return `# TYPE ${name} counter\n# HELP ${name} ${help}\n${samples.join("")}`
}
