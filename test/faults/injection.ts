/** What the harness makes the Worker under fault do at a step. */

export interface Injection {
  /** A step that matches this pattern stops the process: nothing runs any more until it is killed. */
  readonly stop: string | null
  /** Steps that match throw, this many times. */
  readonly fail: { readonly step: string; times: number } | null
  /** Steps of the archive that match take this much longer, ms, this many times; without `ms` they never answer. */
  readonly hang: { readonly step: string; times: number; readonly ms?: number } | null
  /** How far the wall clock that the room reads is off, ms. */
  readonly clockMs: number
}

export const NO_INJECTION: Injection = { stop: null, fail: null, hang: null, clockMs: 0 }

/** The line in the Worker's output that says that the process stands still; the step follows. */
export const STOPPED = "the process stands still at:"
