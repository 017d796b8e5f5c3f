/**
 * What is counted in rooms, by the name of an OpenMetrics sample: a flat list, so that a room can add to it, report it and
 * have it added up elsewhere without anybody in between knowing what it means. Labels are words of ours, so their number
 * is bounded.
 */
import type { RoomEvent } from "../room/events.ts"
import { dollars, type Used } from "./prices.ts"

/** Sample name with its labels → how much. */
export type Counts = Record<string, number>

/** Upper bounds of a histogram's buckets, seconds: what a person notices, and what a disk takes. */
const BUCKETS = [0.005, 0.02, 0.1, 0.5, 1, 2, 5] as const

/** Adds to a count. */
export type Count = (sample: string, by: number) => void

/** Count what happened in a room. */
export function countEvent(event: RoomEvent, count: Count): void {
  count(`yurt_events_total{event="${event.type}"}`, 1)
  if (event.type === "refused") count(`yurt_refused_total{code="${event.code}"}`, 1)
  if (event.type === "committed") count("yurt_committed_bytes_total", event.bytes)
}

/** Count how long something took. @param name of the histogram */
export function countTime(name: string, ms: number, count: Count): void {
  const seconds = ms / 1000
  for (const bound of BUCKETS) if (seconds <= bound) count(`${name}_bucket{le="${bound}"}`, 1)
  count(`${name}_bucket{le="+Inf"}`, 1)
  count(`${name}_sum`, seconds)
  count(`${name}_count`, 1)
}

/** Count what is billed. */
export function countUsed(used: Used, count: Count): void {
  count("yurt_requests_total", used.requests)
  count("yurt_alarms_total", used.alarms)
  count("yurt_rows_read_total", used.rowsRead)
  count("yurt_rows_written_total", used.rowsWritten)
  count("yurt_awake_seconds_total", used.awakeMs / 1000)
  count("yurt_cost_dollars_total", dollars(used))
}

/** Family → its type and what it says. */
const FAMILIES: Readonly<Record<string, readonly ["gauge" | "counter" | "histogram", string]>> = {
  yurt_connections: ["gauge", "Sockets of peers that are open, by what they may do and what they speak."],
  yurt_rooms_open: ["gauge", "Rooms with at least one peer."],
  yurt_rooms_awake: ["gauge", "Rooms in which something happened in the last 10 s; then an idle one sleeps."],
  yurt_rooms_damaged: ["gauge", "Rooms with something in quarantine that is not recovered."],
  yurt_rooms_lagging: ["gauge", "Rooms whose last attempt to reach the archive failed."],
  yurt_archive_lag_revisions: ["gauge", "The most revisions that the archive lacks of one of them."],
  yurt_documents: ["gauge", "Documents whose rooms have reported."],
  yurt_document_bytes: ["gauge", "Bytes of their snapshots and logs."],
  yurt_waiting_updates: ["gauge", "Updates that wait for something that has not arrived."],
  yurt_events: ["counter", "What happened in rooms, by event."],
  yurt_refused: ["counter", "Frames and requests that rooms refused, by error."],
  yurt_committed_bytes: ["counter", "Bytes of updates that are on disk."],
  yurt_messages: ["counter", "Frames of peers that were read, by type."],
  yurt_message_bytes: ["counter", "Their bytes."],
  yurt_sent: ["counter", "Frames sent to peers."],
  yurt_sent_bytes: ["counter", "Their bytes."],
  yurt_commit_seconds: ["histogram", "From a commit until it is on disk."],
  yurt_acknowledge_seconds: ["histogram", "From the first update of a commit until it is on disk."],
  yurt_requests: ["counter", "Requests that rooms answered, upgrades among them."],
  yurt_alarms: ["counter", "Alarms of rooms."],
  yurt_rows_read: ["counter", "Rows read in the rooms' databases."],
  yurt_rows_written: ["counter", "Rows written there."],
  yurt_awake_seconds: ["counter", "Seconds in which rooms had a reason to be awake. Estimated."],
  yurt_cost_dollars: [
    "counter",
    "What Cloudflare would ask for it, without storage and included amounts. Estimated.",
  ],
  yurt_audit_dropped: ["counter", "Entries of the audit that did not fit between two reports."],
  process_start_time_seconds: ["gauge", "When the server started."],
}

/** Samples as OpenMetrics text, each after its family's type. A sample of no family is left out. */
export function writeMetrics(samples: Iterable<readonly [string, number]>): string {
  const lines = new Map<string, string[]>()
  for (const [sample, value] of samples) {
    const name = sample.replace(/\{.*/s, "")
    const family = [name, name.replace(/_(total|bucket|sum|count)$/, "")].find((one) => one in FAMILIES)
    if (family === undefined) continue
    lines.set(family, [...(lines.get(family) ?? []), `${sample} ${plain(value)}`])
  }
  return [
    ...Object.entries(FAMILIES).flatMap(([family, [type, help]]) => {
      const own = lines.get(family)
      return own === undefined ? [] : [`# TYPE ${family} ${type}`, `# HELP ${family} ${help}`, ...own]
    }),
    "# EOF\n",
  ].join("\n")
}

/** Without an exponent, which not every reader of text takes. */
function plain(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/0+$/, "")
}
