/** Clocks: a state vector as a map of client → clock. */
import * as Y from "yjs"

/** A state vector as Yjs encodes it; no bytes at all are an empty one. */
export function decodeClocks(stateVector: Uint8Array): Map<number, number> {
  return stateVector.length === 0 ? new Map() : Y.decodeStateVector(stateVector)
}

/** Of each client the higher clock. */
export function raiseClocks(
  clocks: ReadonlyMap<number, number>,
  others: ReadonlyMap<number, number>,
): Map<number, number> {
  const raised = new Map(clocks)
  for (const [client, clock] of others) raised.set(client, Math.max(clock, raised.get(client) ?? 0))
  return raised
}

/** The clients of whom an update has structs. */
export function clientsOf(update: Uint8Array): Iterable<number> {
  return Y.parseUpdateMeta(update).from.keys()
}
