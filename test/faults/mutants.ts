/**
 * Servers that are broken on purpose, and the invariant that has to notice. Where a mutant can be made at a seam that
 * stays (a socket, a statement, the archive), worker.ts does it; the others change the source by a small anchor, which
 * must be found exactly once: where the source has moved on, move the anchor.
 */
import type { Auth, Patch } from "./harness.ts"
import type { Invariant } from "./invariants.ts"

export interface Mutant {
  /** The end of a sentence that begins with "catches". */
  readonly name: string
  readonly rule: string
  /** The fault that brings it to light. */
  readonly fault: string
  readonly breaks: Invariant
  readonly auth: Auth
  /** What worker.ts does. */
  readonly mutant?: string
  readonly patch?: Patch
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "a room that acknowledges without waiting for the commit",
    rule: "D1",
    fault: "SIGKILL at a random moment, while four people type",
    breaks: "I1",
    auth: "open",
    mutant: "acknowledges at once",
  },
  {
    name: "a room that acknowledges before it writes",
    rule: "D1",
    fault: "a write that fails, and a kill before it is tried again",
    breaks: "I1",
    auth: "open",
    mutant: "acknowledges before it writes",
  },
  {
    name: "a room that acknowledges what waits",
    rule: "D9",
    fault: "a client whose own document has a gap",
    breaks: "I8",
    auth: "open",
    mutant: "acknowledges at once",
  },
  {
    name: "a room that closes who brings what others wrote",
    rule: "R5",
    fault: "two documents piped into each other beside the server",
    breaks: "I6",
    auth: "tokens",
    mutant: "closes who brings much",
  },
  {
    name: "an archive that forgets deletions",
    rule: "D8",
    fault: "a deletion, and the room's own storage is lost",
    breaks: "I7",
    auth: "open",
    mutant: "forgets deletions",
  },
  {
    name: "a compaction that drops the log for an older snapshot, unproven",
    rule: "D4",
    fault: "folded into a snapshot twice, and a kill",
    breaks: "I1",
    auth: "open",
    patch: {
      file: "src/room/replica.ts",
      find: /#log\.compact\([^,]+,/,
      replace: "#log.compact(this.whole()[0]!,",
    },
  },
  {
    name: "an outbox that clears its mark after the archive has answered",
    rule: "A4",
    fault: "an edit that arrives while a flush is under way",
    breaks: "I3",
    auth: "open",
    patch: {
      file: "src/room/outbox.ts",
      find: /archivedRevision: write\.revision,\s+dueAtMs: [^\n]+/,
      replace: "archivedRevision: this.#log.state.revision,\n        dueAtMs: null,",
    },
  },
]
