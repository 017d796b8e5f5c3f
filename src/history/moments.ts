/**
 * Moments: the one grammar of time, for `at`, `from`, `to` and `before`.
 *
 *     17                        a revision
 *     2026-11-26T09:30:00Z      a time (RFC 3339): the last commit at or before it
 *     v_…                       a version, by its id
 */
import { SyncError } from "../errors.ts"

/** A moment, as it was asked for. */
export type Moment =
  | { readonly kind: "revision"; readonly revision: number }
  | { readonly kind: "time"; readonly time: number }
  | { readonly kind: "version"; readonly id: string }

const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/

/** @throws SyncError bad-request that says what a moment is */
export function parseMoment(text: string): Moment {
  if (/^\d{1,15}$/.test(text)) return { kind: "revision", revision: Number(text) }
  if (/^v_[\w-]{1,64}$/.test(text)) return { kind: "version", id: text }
  const time = TIME.test(text) ? Date.parse(text.replace(" ", "T").toUpperCase()) : Number.NaN
  if (!Number.isNaN(time)) return { kind: "time", time }
  throw new SyncError(
    "bad-request",
    `${JSON.stringify(text.slice(0, 100))} is no moment: a revision, an RFC 3339 time with its offset, or the id of a version (v_…).`,
  )
}
