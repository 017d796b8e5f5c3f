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
    name: "a room that calls saved what waits",
    rule: "D9",
    fault: "a client whose own document has a gap",
    breaks: "I8",
    auth: "open",
    patch: {
      file: "src/room/dialogue.ts",
      find: "waiting.isWaitingFor(peer.id)",
      replace: "false",
    },
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
      find: /archivedRevision: revision,(\s+deleting: false,\s+)dueAtMs: [^\n]+/,
      replace: "archivedRevision: this.#log.state.revision,$1dueAtMs: null,",
    },
  },
  {
    name: "a flush that archives what a damaged snapshot has left",
    rule: "D7",
    fault: "a flipped bit in a snapshot, found by a flush",
    breaks: "I1",
    auth: "open",
    patch: {
      file: "src/room/archivist.ts",
      find: /(const update = this\.#replica\.encode\(\)\n[^\n]+\n\s+)if \(this\.#log\.damaged\) throw damaged\(\)/,
      replace: "$1",
    },
  },
  {
    name: "a room that knows a deleted letter no more",
    rule: "D8",
    fault: "a deletion while people type, who come back with their copies",
    breaks: "I7",
    auth: "open",
    patch: { file: "src/room/deleted.ts", find: "if (this.#dead.size === 0) return", replace: "return" },
  },
  {
    name: "an edit by the room's own hand that is shown before its commit",
    rule: "D10",
    fault: "an edit by the room's own hand, which the disk does not take, and another",
    breaks: "I2",
    auth: "open",
    patch: {
      file: "src/room/intake.ts",
      find: "const committed = this.commit()",
      replace: "this.#ports.relay(update, null); const committed = this.commit()",
    },
  },
  {
    name: "an archive that replaces whatever it holds",
    rule: "A10",
    fault: "two deployments, in which people write at once",
    breaks: "I1",
    auth: "open",
    mutant: "replaces whatever it holds",
  },
  {
    name: "a room that takes what somebody brings under the client id of someone who is here",
    rule: "R5",
    fault: "somebody writes under the client id of someone who is here and writes as well",
    breaks: "I6",
    auth: "tokens",
    patch: {
      file: "src/room/replica.ts",
      find: 'judge(client, bearer) !== "waits"',
      replace: "judge !== null",
    },
  },
  {
    name: "a room that takes what was carried for what its owner wrote",
    rule: "R5",
    fault: "a start from the archive, after which somebody writes under someone else's client id",
    breaks: "I1",
    auth: "tokens",
    patch: { file: "src/room/intake.ts", find: "    this.#verify(update, delivery)\n", replace: "" },
  },
  {
    name: "a room that lets stay who was revoked",
    rule: "R6",
    fault: "a revocation of someone with a renewed and a half-open socket, a kill, and a pardon",
    breaks: "I9",
    auth: "tokens",
    patch: { file: "src/room/room.ts", find: "isMeant(who, peer.grant)", replace: "false" },
  },
  {
    name: "a hand-over that leaves commits out",
    rule: "D4",
    fault: "killed inside the hand-over of the log to the past",
    breaks: "I10",
    auth: "open",
    patch: {
      file: "src/history/segments.ts",
      find: "gathered.push({ ...commit, bytes: commit.bytes })",
      replace: "if (commit.revision % 2 === 0) gathered.push({ ...commit, bytes: commit.bytes })",
    },
  },
  {
    name: "a restore that leaves what has come since",
    rule: "H3",
    fault: "killed inside a restore",
    breaks: "I10",
    auth: "open",
    patch: {
      file: "src/history/bring.ts",
      find: "        this.#delete(client, clock, length)\n",
      replace: "",
    },
  },
  {
    name: "a past whose checksums nobody compares",
    rule: "D7",
    fault: "a flipped bit in the past",
    breaks: "I10",
    auth: "open",
    patch: { file: "src/history/segments.ts", find: "crc32(value) === row.crc && ", replace: "" },
  },
  {
    name: "a past in which time goes back with the clock",
    rule: "H1",
    fault: "a clock that runs backwards, and the past in its order",
    breaks: "I10",
    auth: "open",
    patch: {
      file: "src/history/origin.ts",
      find: "Math.max(origins[0]?.at ?? 0, notBeforeMs)",
      replace: "(origins[0]?.at ?? 0)",
    },
  },
  {
    name: "a move out that does not wait for the archive",
    rule: "H6",
    fault: "an archive that takes no part of the past for a while",
    breaks: "I10",
    auth: "open",
    patch: {
      file: "src/room/mover.ts",
      find: "await store.put(this.#name, part.name, value, patient())",
      replace: "store.put(this.#name, part.name, value, patient()).catch(() => {})",
    },
  },
]
