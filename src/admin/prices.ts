/**
 * What Cloudflare asks for a SQLite-backed Durable Object beyond the included amounts, in US$: the one list, for the bench,
 * the metrics and the operator's page.
 *
 * @source https://developers.cloudflare.com/durable-objects/platform/pricing/ as stored in November 2026: requests
 * $0.15 / million, of which an incoming WebSocket message is a twentieth, while outgoing ones and auto-responses
 * are free; duration $12.50 / million GB-s at 128 MB for as long as an object is running or cannot hibernate; rows
 * written $1.00 / million (a put, a delete and a setAlarm are a row each), rows read $0.001 / million; storage $0.20 a
 * GB-month. Not counted: the Worker's own requests, and the archive.
 */

const MILLION = 1e6

/** US$. */
export const PRICES = {
  source: "https://developers.cloudflare.com/durable-objects/platform/pricing/",
  asOf: "2026-11",
  perRequest: 0.15 / MILLION,
  messagesPerRequest: 20,
  perGbSecond: 12.5 / MILLION,
  gbPerObject: 0.128,
  perRowWritten: 1 / MILLION,
  perRowRead: 0.001 / MILLION,
  perGbMonth: 0.2,
} as const

/** What is billed of an object. */
export interface Used {
  readonly messages: number
  readonly requests: number
  readonly alarms: number
  readonly rowsRead: number
  readonly rowsWritten: number
  readonly awakeMs: number
}

/** The price of what a meter counted, US$. */
export function dollars(used: Used): number {
  const requests = used.requests + used.alarms + used.messages / PRICES.messagesPerRequest
  return (
    requests * PRICES.perRequest +
    (used.awakeMs / 1000) * PRICES.gbPerObject * PRICES.perGbSecond +
    used.rowsWritten * PRICES.perRowWritten +
    used.rowsRead * PRICES.perRowRead
  )
}

/** The price of keeping so many bytes for a day, US$. */
export function dollarsToStore(bytes: number): number {
  return (bytes / 1e9) * (PRICES.perGbMonth / 30)
}
