/**
 * What was deleted with a document, and is known again by its clocks (D8): content that begins below the clock at which
 * its client was deleted is a part of the deleted document, whoever brings it.
 *
 * A restore brings some of that back on purpose. What lies between the end of what it brought and the clock of the
 * deletion stays deleted, whichever tab still has it.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Accepted } from "../update/vet.ts"
import { clientsOf, decodeClocks, raiseClocks } from "./clocks.ts"
import type { Log } from "./log.ts"

/** The clocks of all that was ever deleted under a document's id. */
export class Deleted {
  readonly #log: Log
  #dead: Map<number, number>
  #restored: Map<number, number>
  #restoredChanged = false

  constructor(log: Log) {
    this.#log = log
    this.#dead = decodeClocks(log.deadClocks())
    this.#restored = decodeClocks(log.restoredClocks())
  }

  /** How many client ids are remembered. */
  get size(): number {
    return this.#dead.size
  }

  /** The clocks, encoded as a state vector. */
  get clocks(): Uint8Array {
    return Y.encodeStateVector(this.#dead)
  }

  /**
   * @param clockOf the clock that the document has reached for a client
   * @throws SyncError deleted where an update brings, or refers to, what was deleted
   */
  checkAlive({ sections, waiting }: Accepted, clockOf: (client: number) => number): void {
    if (this.#dead.size === 0) return
    const clients = new Set(sections.map(({ client }) => client))
    for (const { client } of waiting?.missing ?? []) clients.add(client)
    if (waiting !== null) for (const client of clientsOf(waiting.update)) clients.add(client)
    for (const client of clients) {
      const clock = clockOf(client)
      if (clock < (this.#dead.get(client) ?? 0) && clock >= (this.#restored.get(client) ?? 0))
        throw new SyncError("deleted", "The document was deleted; this is a part of it")
    }
  }

  /** Up to these ends it was brought back on purpose. Written with the next commit. */
  restore(ends: readonly { readonly client: number; readonly end: number }[]): void {
    for (const { client, end } of ends) {
      if (!this.#dead.has(client)) continue
      this.#restored.set(client, end)
      this.#restoredChanged = true
    }
  }

  /** What was deleted elsewhere is deleted here. */
  bury(dead: Uint8Array): void {
    this.#dead = raiseClocks(this.#dead, decodeClocks(dead))
    this.#log.setDeadClocks(this.clocks)
  }

  /** A document that had come so far is deleted. @returns the clocks of all that is deleted now, encoded */
  with(clocks: ReadonlyMap<number, number>, elsewhere: Uint8Array): Uint8Array {
    return Y.encodeStateVector(raiseClocks(raiseClocks(this.#dead, clocks), decodeClocks(elsewhere)))
  }

  /** Read again what the log holds: it was erased, or a document was adopted. */
  reread(): void {
    this.#dead = decodeClocks(this.#log.deadClocks())
    this.#restored = decodeClocks(this.#log.restoredClocks())
    this.#restoredChanged = false
  }

  /** Writes that belong to the commit; called inside its transaction. */
  write(): void {
    if (this.#restoredChanged) this.#log.setRestoredClocks(Y.encodeStateVector(this.#restored))
  }

  /** The commit has held. */
  wrote(): void {
    this.#restoredChanged = false
  }
}
