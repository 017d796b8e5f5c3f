/** The chores of a room's alarm, in their order. Each runs in a `try` of its own (see agenda.ts). */
import type { Chore } from "./agenda.ts"
import type { Archivist } from "./archivist.ts"
import type { Crowd } from "./crowd.ts"
import type { Desk } from "./desk.ts"
import type { Dialogue } from "./dialogue.ts"
import type { Idle } from "./idle.ts"
import type { Intake } from "./intake.ts"
import type { Knockers } from "./knockers.ts"
import type { Log } from "./log.ts"
import type { Mover } from "./mover.ts"
import type { Past } from "./past.ts"
import type { Peer } from "./peer.ts"
import type { Postbox } from "./postbox.ts"
import type { Replica } from "./replica.ts"
import type { Streams } from "./streams.ts"

/** The chores of a room. */
export function listChores<P extends Peer>(room: {
  readonly log: Log
  readonly replica: Replica
  readonly crowd: Crowd
  readonly knockers: Knockers
  readonly intake: Intake<P>
  readonly dialogue: Dialogue
  readonly archivist: Archivist
  readonly idle: Idle
  readonly postbox: Postbox
  readonly past: Past
  readonly mover: Mover
  readonly streams: Streams
  readonly desk: Desk | null
  /** Drop the room's own storage. */
  readonly retire: () => Promise<void>
}): Chore[] {
  const {
    log,
    replica,
    crowd,
    knockers,
    intake,
    dialogue,
    archivist,
    idle,
    past,
    mover,
    streams,
    postbox,
    desk,
  } = room
  const now = (isDue: boolean): number | null => (isDue ? Date.now() : null)
  return [
    {
      name: "close who has expired",
      dueAtMs: () => crowd.nextExpiryMs,
      run: () => crowd.closeExpired(Date.now()),
    },
    {
      name: "close who knocked in vain",
      dueAtMs: () => knockers.nextEndMs,
      run: () => knockers.closeLate(Date.now()),
    },
    {
      name: "look for the silent",
      dueAtMs: () => crowd.nextLookMs,
      run: () => crowd.checkSilence(Date.now()),
    },
    {
      name: "recover",
      dueAtMs: () => now(log.damaged),
      run: () => archivist.recover(),
    },
    {
      name: "make a version",
      dueAtMs: () => past.versionDueAtMs({ isEmpty: crowd.peers.size === 0, hasEmptied: idle.hasEmptied }),
      run: () => past.makeVersion(),
    },
    {
      name: "compact",
      // After the last peer has left the log is folded in, so that the next one to open the room reads one value.
      dueAtMs: () => now(!log.damaged && (replica.outgrown || (idle.hasEmptied && replica.untidy))),
      run: () => {
        intake.commitOrThrow()
        replica.compact()
      },
    },
    {
      name: "prune",
      dueAtMs: () => now(past.outgrown),
      run: () => past.shrink(),
    },
    {
      name: "move the past",
      // Of a deleted document the archive is told first.
      dueAtMs: () => (archivist.outbox.ledger.deleting ? null : mover.dueAtMs),
      run: () => mover.run(),
    },
    {
      name: "flush",
      dueAtMs: () => archivist.outbox.dueAtMs,
      run: () => archivist.flush(),
    },
    {
      name: "tell",
      dueAtMs: () => postbox.dueAtMs,
      run: () => postbox.flush(),
    },
    ...(desk === null ? [] : [{ name: "report", dueAtMs: () => desk.dueAtMs, run: () => desk.report() }]),
    {
      name: "dehydrate",
      dueAtMs: () => now(replica.rests && crowd.peers.size === 0),
      run: () => dialogue.rest(),
    },
    {
      name: "retire",
      dueAtMs: () =>
        streams.size > 0 || postbox.dueAtMs !== null || (desk !== null && desk.dueAtMs !== null)
          ? null
          : idle.retiresAtMs,
      run: () => room.retire(),
    },
  ]
}
