/** What a scenario is, what it returns, and the few steps that all of them share. */

import { setTimeout as pause } from "node:timers/promises"
import * as Y from "yjs"
import { ROOT } from "./edits.ts"
import { LoadClient } from "./load-client.ts"
import type { Server, System, SystemName } from "./servers.ts"

/** The circumstances of one measurement. */
export interface Setting {
  readonly system: System
  /** Smaller and shorter: for a look, not for a result. */
  readonly quick: boolean
  /** Path of the recorded editing session; null when it is not there. */
  readonly data: string | null
}

/** One measurement. A figure's unit is in its name: `…PerSecond`, `…Ms`, `…Mb`, `…Rows`. */
export interface Outcome {
  readonly figures: Record<string, number>
  /** The system was stopped before it was done: its figures are no better than these. */
  readonly cutOff?: string
  readonly notes?: string[]
}

export interface Scenario {
  readonly name: string
  /** One line for the table. */
  readonly title: string
  readonly systems: readonly SystemName[]
  /** The figure that ratios are made of, and whether more or less of it is better. */
  readonly headline: { readonly figure: string; readonly better: "more" | "less" }
  /** At most this many rounds, however many are asked for. */
  readonly maxRounds?: number
  /** The whole measurement is ended after this long, ms. */
  readonly limitMs: number
  /** A quick run leaves it out, unless it is named. */
  readonly slow?: boolean
  /** Needs the recorded editing session. */
  readonly needsData?: boolean
  measure(setting: Setting): Promise<Outcome>
}

/** The measurement is not valid: the state that came out is not the state that went in. */
export class WrongState extends Error {
  override readonly name = "WrongState"
}

/** Wait until `done()`, asking every 20 ms. @returns false when the deadline came first */
export async function until(done: () => boolean, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs
  while (!done()) {
    if (performance.now() > deadline) return false
    await pause(20)
  }
  return true
}

/**
 * Wait until a stream of frames has ended and what it brought is complete. Frames are read only after
 * `quietMs` without any, so that reading them costs the system under test nothing.
 *
 * @param lastAtMs when the newest frame came
 * @param complete reads what came and tells whether it is all
 * @returns false when the limit came first
 */
export async function settled(
  lastAtMs: () => number,
  complete: () => boolean,
  { quietMs, limitMs }: { quietMs: number; limitMs: number },
): Promise<boolean> {
  const startedAtMs = performance.now()
  let readAtMs = 0
  while (performance.now() - startedAtMs < limitMs) {
    await pause(20)
    const last = lastAtMs()
    if (last === readAtMs || performance.now() - Math.max(last, startedAtMs) < quietMs) continue
    readAtMs = last
    if (complete()) return true
  }
  return complete()
}

/** The document as a fresh client gets it. */
export async function freshDocument(server: Server, id: string): Promise<Y.Doc> {
  const doc = new Y.Doc()
  const received: Array<["step2" | "update", Buffer]> = []
  const client = await LoadClient.connect(server, id, {
    listener: (kind, frame) => {
      if (kind === "step2" || kind === "update") received.push([kind, frame])
    },
  })
  for (const [kind, frame] of received) Y.applyUpdate(doc, client.payload(kind, frame))
  await client.leave()
  return doc
}

/** @throws WrongState when the texts differ */
export function mustEqual(what: string, actual: string, expected: string): void {
  if (actual === expected) return
  let at = 0
  while (actual[at] === expected[at]) at++
  throw new WrongState(
    `${what}: ${actual.length} letters instead of ${expected.length}, different from letter ${at} on`,
  )
}

/** @throws WrongState unless a fresh client gets this text. Systems without a document of their own are not asked. */
export async function mustServe(server: Server, id: string, expected: string): Promise<void> {
  if (!server.system.dialect.answers) return
  const doc = await freshDocument(server, id)
  mustEqual(`a fresh client's text of ${id}`, doc.getText(ROOT).toString(), expected)
}

/** Bytes as megabytes with one decimal. */
export const megabytes = (bytes: number): number => Math.round(bytes / 1024 / 102.4) / 10
