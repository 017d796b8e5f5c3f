/**
 * A report as a point of Workers Analytics Engine: one a room and minute, where the binding ANALYTICS is there.
 *
 *     index1   the document            blob1  the document, whole      blob2  "damaged", "lagging", "deleted" or "well"
 *     double1  peers                   double2  writers among them     double3  messages      double4  their bytes
 *     double5  commits                 double6  committed bytes        double7  refusals      double8  document bytes
 *     double9  revisions the archive lacks      double10  waiting      double11  quarantined  double12  compactions
 *     double13 rows written            double14 rows read              double15  seconds awake
 *     double16 dollars                 double17 mean ms to the disk    double18  mean ms to an acknowledgement
 */
import type { Counts } from "./counts.ts"
import { dollars, type Used } from "./prices.ts"
import type { AnalyticsPoint, Line } from "./reports.ts"

/** The longest index, bytes. @source Workers Analytics Engine, limits */
const INDEX_BYTES = 96

/** The point of a report. */
export function analyticsPoint({
  document,
  line,
  used,
  counts,
}: {
  document: string
  line: Line | null
  used: Used
  counts: Counts
}): AnalyticsPoint {
  const sumOf = (family: string) =>
    Object.entries(counts).reduce((sum, [sample, n]) => (sample.startsWith(family) ? sum + n : sum), 0)
  const meanMs = (name: string) => (1000 * sumOf(`${name}_sum`)) / Math.max(1, sumOf(`${name}_count`))
  const lag = line === null ? 0 : line.revision - (line.archivedRevision ?? 0)
  const state =
    line === null ? "deleted" : line.damaged ? "damaged" : line.archiveError === null ? "well" : "lagging"
  return {
    indexes: [firstBytes(document, INDEX_BYTES)],
    blobs: [document, state],
    doubles: [
      line?.peers ?? 0,
      line?.people.filter(({ rights }) => rights === "write").length ?? 0,
      sumOf("yurt_messages_total"),
      sumOf("yurt_message_bytes_total"),
      sumOf('yurt_events_total{event="committed"}'),
      sumOf("yurt_committed_bytes_total"),
      sumOf("yurt_refused_total"),
      line?.bytes ?? 0,
      lag,
      line?.waiting ?? 0,
      line?.quarantined ?? 0,
      sumOf('yurt_events_total{event="compacted"}'),
      used.rowsWritten,
      used.rowsRead,
      used.awakeMs / 1000,
      dollars(used),
      meanMs("yurt_commit_seconds"),
      meanMs("yurt_acknowledge_seconds"),
    ],
  }
}

/** A text cut at so many bytes, between two characters. */
function firstBytes(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes))
  return text.slice(0, read)
}
