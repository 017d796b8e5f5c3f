/** An operator's eyes and hands in one room, by verb. Each that changes something is written down in the audit. */
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Desk } from "../room/desk.ts"
import type { Parts } from "../room/parts.ts"
import { erasePerson, findPerson } from "./person.ts"

/** A room as the hands reach into it. */
export interface Workplace extends Omit<Parts, "desk"> {
  readonly name: string
  readonly storage: DurableObjectStorage
  readonly desk: Desk & { did(deed: "operated", grant: Grant, detail: string): void }
}

/** Lists that one look shows of each kind, entries. */
const SHOWN = 100
/** Clocks that one look shows of something that waits. */
const SHOWN_CLOCKS = 8

/**
 * Do what an operator asks for.
 * @throws SyncError bad-request for a verb that is none; not-found where there is no such document or value
 */
export async function hands(
  room: Workplace,
  { verb, ask, grant }: { verb: string; ask: object; grant: Grant },
): Promise<object> {
  if (!grant.admin) throw new SyncError("forbidden", 'The token lacks the right "admin".')
  if (!room.replica.holds && room.crowd.peers.size === 0 && !room.log.damaged)
    throw new SyncError("not-found", `There is no document ${room.name}.`)
  switch (verb) {
    case "look":
      return look(room)
    case "quarantined":
      return quarantined(room, (ask as { value: number }).value)
    case "read-only":
      return lock(room, (ask as { on: boolean }).on, grant)
    case "close":
      return close(room, (ask as { peer: string | null }).peer, grant)
    case "compact":
      room.intake.commitOrThrow()
      room.replica.compact()
      room.desk.did("operated", grant, "compact")
      return { bytes: room.replica.bytes, logRows: room.log.state.logRows }
    case "recover":
      return recover(room, grant)
    case "person":
      return findPerson(room, (ask as { subject: string }).subject)
    case "erase":
      return erasePerson(room, ask as { subject: string; as: string })
    default:
      throw new SyncError("bad-request", `A desk knows no ${JSON.stringify(verb)}.`)
  }
}

/** All that can be seen of a room without reading its document. */
function look({ name, log, outbox, crowd, replica, intake, streams, knockers, past, presence }: Workplace) {
  const { archivedRevision, error, attempts, dueAtMs } = outbox.ledger
  return {
    document: name,
    revision: log.state.revision,
    archivedRevision,
    archiveError: error,
    archiveAttempts: attempts,
    archiveDueAt: timeOf(dueAtMs),
    bytes: replica.bytes,
    weight: replica.weight,
    clients: replica.clients,
    logRows: log.state.logRows,
    hydrated: replica.hydrated,
    damaged: log.damaged,
    readOnly: intake.isLocked,
    past: past.status,
    knocking: knockers.size,
    following: streams.size,
    people: [...crowd.peers].map((peer) => ({
      id: peer.id,
      subject: peer.grant.subject,
      name: peer.grant.name ?? null,
      agent: peer.grant.agent ?? null,
      rights: peer.grant.rights,
      roots: peer.grant.roots ?? null,
      admin: peer.grant.admin,
      tokenId: peer.grant.tokenId,
      dialect: peer.dialect.name,
      standing: peer.standing,
      client: presence.announcedBy(peer),
      heardAt: timeOf(peer.heardAtMs),
      endsAt: timeOf(peer.grant.expiresAtMs),
      unreadBytes: peer.unreadBytes,
      owes: peer.owes,
    })),
    waiting: log.waiting
      .all()
      .slice(0, SHOWN)
      .map(({ id, subject, peers, roots, bytes, missing }) => ({
        ...{ id, subject, roots, bytes, peers: peers.length },
        missing: missing.slice(0, 2 * SHOWN_CLOCKS),
      })),
    waitingCount: replica.waiting.size,
    quarantine: log.tables
      .rows<{ id: number; source: string; revision: number; at: number; reason: string; bytes: number }>(
        `SELECT id, source, revision, at, reason, length(bytes) AS bytes FROM quarantine ORDER BY id DESC LIMIT ${SHOWN}`,
      )
      .map(({ at, ...value }) => ({ ...value, at: timeOf(at) })),
    quarantined: log.quarantined,
  }
}

function quarantined({ log }: Workplace, id: number): object {
  const [row] = log.tables.rows<{ bytes: ArrayBuffer }>("SELECT bytes FROM quarantine WHERE id = ?", id)
  if (row === undefined) throw new SyncError("not-found", `Nothing is in quarantine under ${id}.`)
  return { bytes: new Uint8Array(row.bytes) }
}

/** Everybody is sent away, and comes back with the rights that hold now. */
async function lock(room: Workplace, on: boolean, grant: Grant): Promise<object> {
  const { intake, log, crowd, storage, desk } = room
  if (intake.isLocked === on) return { readOnly: on, closed: 0 }
  // What was taken before is kept, and called saved.
  intake.commitOrThrow()
  if (on) log.note("read_only", 1)
  else log.drop("read_only")
  intake.isLocked = on
  desk.did("operated", grant, on ? "read-only" : "read and write")
  await storage.sync()
  const closed = crowd.sendAway(
    new SyncError("restarting", on ? "The document is read-only now." : "The document can be changed again."),
  )
  return { readOnly: on, closed }
}

/** Close one socket, or all. Their clients come back, unless they were revoked. */
function close({ crowd, intake, desk }: Workplace, peer: string | null, grant: Grant): object {
  intake.commit()
  const restarting = new SyncError("restarting", "An operator closed this connection.")
  desk.did("operated", grant, "close")
  if (peer === null) return { closed: crowd.sendAway(restarting) }
  const found = [...crowd.peers].find(({ id }) => id === peer)
  if (found === undefined) throw new SyncError("not-found", `No peer ${JSON.stringify(peer)} is connected.`)
  crowd.close(found, restarting)
  return { closed: 1 }
}

/** Read all that is stored, which is how damage is found, and merge back what was lost. */
async function recover({ log, replica, archivist, desk }: Workplace, grant: Grant): Promise<object> {
  desk.did("operated", grant, "recover")
  replica.dehydrate()
  replica.document()
  if (log.damaged) await archivist.recover()
  return { damaged: log.damaged, quarantined: log.quarantined, revision: log.state.revision }
}

function timeOf(ms: number | null): string | null {
  return ms === null || ms > 8.64e15 ? null : new Date(ms).toISOString()
}
