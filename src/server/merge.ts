/**
 * Many updates as one. Merging in groups costs a constant a keystroke, merging flat grows with the
 * number of updates: 1.9 µs in groups of 100, 12.8 in 1,000, 142 in 10,000.
 *
 * Merging loses nothing: an update that waits for another one waits inside the merged one (as a Skip).
 */
import { mergeUpdates } from "yjs"

const GROUP = 32

/** @param updates Yjs V1 updates in arrival order, at least one */
export function mergeInGroups(updates: readonly Uint8Array[]): Uint8Array {
  let layer = updates
  while (layer.length > 1) {
    const next: Uint8Array[] = []
    for (let i = 0; i < layer.length; i += GROUP) {
      const group = layer.slice(i, i + GROUP)
      next.push(group.length === 1 ? group[0]! : mergeUpdates(group))
    }
    layer = next
  }
  return layer[0]!
}

/** The same updates as fewer, each merged from a group: what a document swallows fastest. */
export function* groupsOf(updates: readonly Uint8Array[]): Generator<Uint8Array> {
  for (let i = 0; i < updates.length; i += GROUP) yield mergeInGroups(updates.slice(i, i + GROUP))
}
