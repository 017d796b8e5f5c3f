/**
 * What a room knows of one person, and how it is forgotten: wherever the subject stands, another name stands then. What
 * they wrote stays, since it is everybody's document; whose it was, and when they were here, is gone.
 */
import { SyncError } from "../errors.ts"
import { touchContents } from "../history/contents.ts"
import { readOrigins, writeOrigins } from "../history/origin.ts"
import type { Log } from "../room/log.ts"
import { Deeds } from "./deeds.ts"
import type { Workplace } from "./hands.ts"

/** What is kept of somebody in a room. */
export interface Traces {
  /** Sockets that are open now. */
  readonly connections: number
  /** Client ids that are theirs, or whose content others carried for them. */
  readonly clients: number
  /** What they are called here; null: nobody knows. */
  readonly name: string | null
  /** Commits that name them, in the log and in what of the past is here. */
  readonly commits: number
  /** Versions that they made or wrote in. */
  readonly versions: number
  /** Updates of theirs that wait. */
  readonly waiting: number
}

/** What this room knows of a subject. */
export function findPerson({ crowd, log, past }: Workplace, subject: string): Traces {
  const { tables } = log
  const count = (query: string, ...bindings: string[]) =>
    tables.rows<{ n: number }>(query, ...bindings)[0]?.n ?? 0
  return {
    connections: [...crowd.peers].filter(({ grant }) => grant.subject === subject).length,
    clients: count(
      "SELECT (SELECT count(*) FROM owner WHERE subject = ?) + (SELECT count(*) FROM carried WHERE owner = ?) AS n",
      ...[subject, subject],
    ),
    name: past.history.persons.nameOf(subject) ?? null,
    commits: countCommits(log, subject),
    versions: tables
      .rows<{ created_by: string; writers: string }>("SELECT created_by, writers FROM version")
      .filter(({ created_by, writers }) => hasName(created_by, subject) || hasName(writers, subject)).length,
    waiting: count("SELECT count(*) AS n FROM waiting WHERE subject = ?", subject),
  }
}

/**
 * Put another name in the place of a subject. Their sockets are closed first.
 * @param ask.as what stands there from now on
 * @throws SyncError conflict while they are connected: revoke them first, or they are back at once
 */
export async function erasePerson(
  room: Workplace,
  { subject, as }: { subject: string; as: string },
): Promise<Traces> {
  const { crowd, log, authors, outbox, past, intake, agenda, storage } = room
  const found = findPerson(room, subject)
  if (found.connections > 0)
    throw new SyncError("conflict", `${subject} is connected to ${room.name}: revoke the subject first.`)
  intake.commitOrThrow()
  const rename = (who: Uint8Array) => renameOrigins(who, subject, as)
  const { tables } = log
  log.transact(() => {
    log.rewriteOrigins(rename)
    tables.write((sql) => {
      sql("UPDATE owner SET subject = ? WHERE subject = ?", as, subject)
      sql("UPDATE OR REPLACE carried SET owner = ? WHERE owner = ?", as, subject)
      sql("DELETE FROM person WHERE subject = ?", subject)
      // The client id of an agent of theirs is noted under both names.
      for (const { key } of sql<{ key: string }>("SELECT key FROM meta WHERE key LIKE 'hand [%'")) {
        const [whose, agent] = JSON.parse(key.slice("hand ".length)) as [string | null, string | null]
        if (whose === subject)
          sql("UPDATE meta SET key = ? WHERE key = ?", `hand ${JSON.stringify([as, agent])}`, key)
      }
      sql("UPDATE waiting SET subject = ? WHERE subject = ?", as, subject)
      for (const { id, who } of sql<{ id: number; who: ArrayBuffer }>("SELECT id, who FROM waiting"))
        sql("UPDATE waiting SET who = ? WHERE id = ?", rename(new Uint8Array(who)), id)
      for (const { n, created_by, writers } of sql<{ n: number; created_by: string; writers: string }>(
        "SELECT n, created_by, writers FROM version",
      ))
        if (hasName(created_by, subject) || hasName(writers, subject))
          sql(
            "UPDATE version SET created_by = ?, writers = ? WHERE n = ?",
            ...[renameText(created_by, subject, as), renameText(writers, subject, as), n],
          )
      touchContents(tables)
    })
    new Deeds(tables, crowd.limits).rename(subject, as)
  })
  // What leaves the log from here on has the other name already. One at a time: some may stand in the archive.
  for (const id of log.past.readable()) await past.reading(() => log.past.rewriteOrigins(id, rename))
  authors.reread()
  past.history.persons.forget()
  // The archive's copy says whose client ids are whose. It leaves alone what has the revision that it holds.
  log.raise(log.state.revision + 1)
  outbox.note({ archivedRevision: null })
  outbox.touch()
  agenda.arm()
  await storage.sync()
  return found
}

/** How many commits name them. Nothing is changed. */
function countCommits(log: Log, subject: string): number {
  let count = 0
  const look = (who: Uint8Array) => {
    if (renameOrigins(who, subject, "") !== who) count++
    return who
  }
  log.rewriteOrigins(look)
  for (const id of log.past.readable({ hereOnly: true })) log.past.rewriteOrigins(id, look)
  return count
}

function names(origin: { subject: string | null; onBehalfOf?: string }, subject: string): boolean {
  return origin.subject === subject || origin.onBehalfOf === subject
}

/** The origins of a commit with another name in the place of a subject's; the very same bytes where it has none. */
export function renameOrigins(who: Uint8Array, subject: string, as: string): Uint8Array {
  const next = readOrigins(who)
  const origins: ReturnType<typeof next>[] = []
  let changed = false
  // One origin an update; an unknown one after the last.
  for (let origin = next(); origin.at > 0; origin = next()) {
    changed ||= names(origin, subject)
    const { onBehalfOf } = origin
    origins.push({
      ...origin,
      ...(origin.subject === subject && { subject: as }),
      ...(onBehalfOf === subject && { onBehalfOf: as }),
    })
  }
  return changed ? writeOrigins(origins) : who
}

/** JSON of people (`{subject, name, …}`, alone or in a list) that names this subject. */
function hasName(text: string, subject: string): boolean {
  return text.includes(JSON.stringify(subject))
}

function renameText(text: string, subject: string, as: string): string {
  return JSON.stringify(
    JSON.parse(text, (_, value: unknown) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return value
      const who = value as { subject?: unknown; name?: unknown; onBehalfOf?: unknown }
      const { name, ...rest } = who
      if (who.subject !== subject && who.onBehalfOf !== subject) return value
      const isSelf = who.subject === subject
      return {
        ...(isSelf ? rest : who),
        ...(isSelf && { subject: as }),
        ...(who.onBehalfOf === subject && { onBehalfOf: as }),
      }
    }),
  )
}
