/**
 * The desk of a room: sees what happens there, reports it to the lookout once a minute, shows it to an operator, and does
 * what an operator asks for.
 *
 * What was counted since the last report is stored now and then beside the room, because an idle room loses its memory;
 * entries of the audit are rows, written in the turn of what they tell, so that the answer leaves after they are on the
 * disk. A report that may or may not have arrived is told again under the same id.
 */
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Deed, Desk, DeskHost, DeskKit } from "../room/desk.ts"
import type { RoomEvent } from "../room/events.ts"
import type { Parts } from "../room/parts.ts"
import type { Peer } from "../room/peer.ts"
import type { Said, Told } from "../wire/dialect.ts"
import { analyticsPoint } from "./analytics.ts"
import { type Count, type Counts, countEvent, countTime } from "./counts.ts"
import { Deeds } from "./deeds.ts"
import { Frames } from "./frames.ts"
import { hands } from "./hands.ts"
import { addUsed, Meter, UNUSED } from "./meter.ts"
import type { Used } from "./prices.ts"
import { findLookout, type Line, type LookoutEnv, type LookoutRpc, type Report } from "./reports.ts"

/** How the desks of a server are set up. */
export interface DeskOptions {
  /** Told of all that is counted, at once: for a process that has all rooms. */
  readonly count?: Count
}

/** Desks for the rooms of a class. @example readonly desk = makeDesk() */
export function makeDesk({ count }: DeskOptions = {}): DeskKit {
  return { seat: (host) => new RoomDesk(host, count ?? null) }
}

/** What is kept of a report until it has arrived. */
interface Kept {
  /** Since when there is something to tell, ms since 1970. */
  readonly sinceMs: number
  readonly counts: Counts
  readonly used: Used
  /** A report that may have arrived. */
  readonly sent: { id: string; counts: Counts; used: Used; lastDeed: number } | null
}

/** People of a room whom the line of a list shows. */
const SHOWN = 20

class RoomDesk implements Desk {
  readonly #host: DeskHost
  readonly #alsoCount: Count | null
  readonly #lookout: LookoutRpc | null
  readonly #meter: Meter
  readonly #frames: Frames
  #parts!: Parts
  #deeds!: Deeds
  #counts: Counts = {}
  #used = UNUSED
  #sinceMs: number | null = null
  #sent: Kept["sent"] = null
  #keptAtMs = 0
  /** Something that an operator has to see has happened. */
  #isUrgent = false
  /** Somebody has left since the last report. Who only asks over HTTP is told of once a minute. */
  #hasLeft = false
  /** When the first update came that is not committed yet, ms since 1970. */
  #firstUpdateMs: number | null = null

  constructor(host: DeskHost, alsoCount: Count | null) {
    this.#host = host
    this.#alsoCount = alsoCount
    this.#lookout = findLookout(host.env)
    this.#meter = Meter.of(host.ctx.storage, host.limits.awakeTailMs)
    this.#frames = new Frames(host.limits)
  }

  sit(parts: Parts): void {
    this.#parts = parts
    this.#deeds = new Deeds(parts.log.tables, this.#host.limits)
    const text = parts.log.noted<string>("desk")
    // Of a document that was deleted nothing else may be left to tell.
    if (text === null && this.#deeds.waiting > 0) this.#sinceMs = Date.now()
    if (text === null) return
    const kept = JSON.parse(text) as Kept
    this.#sinceMs = kept.sinceMs
    this.#counts = { ...kept.counts }
    this.#used = kept.used
    this.#sent = kept.sent
  }

  heard(peer: Peer, said: Said, bytes: number): void {
    this.#meter.count("messages")
    this.#count(`yurt_messages_total{type="${said.type}"}`, 1)
    this.#count("yurt_message_bytes_total", bytes)
    if (said.type === "update" || said.type === "step-2") this.#firstUpdateMs ??= Date.now()
    if (this.#frames.isWatched) this.#pass({ way: "in", type: said.type, bytes, to: 1 }, peer)
  }

  said(peer: Peer, frame: Told, bytes: number): void {
    this.#count("yurt_sent_total", 1)
    this.#count("yurt_sent_bytes_total", bytes)
    if (this.#frames.isWatched) this.#pass({ way: "out", type: frame.type, bytes, to: 1 }, peer)
  }

  told(frame: Told, { sends, bytes }: { sends: number; bytes: number }): void {
    this.#count("yurt_sent_total", sends)
    this.#count("yurt_sent_bytes_total", bytes)
    if (this.#frames.isWatched) this.#pass({ way: "out", type: frame.type, bytes, to: sends }, null)
  }

  asked(what: "requests" | "alarms"): void {
    this.#meter.count(what)
  }

  note(event: RoomEvent): void {
    countEvent(event, (sample, by) => this.#count(sample, by))
    if (this.#frames.isWatched)
      this.#pass({ way: "room", type: event.type, bytes: "bytes" in event ? event.bytes : 0, to: 0 }, null)
    switch (event.type) {
      case "joined":
        this.did("opened", { subject: event.subject })
        break
      case "left":
        this.#hasLeft = true
        break
      case "committed":
        this.#time()
        // Whoever came before there was a document has opened it now.
        if (event.revision === 1) for (const { grant } of this.#parts.crowd.peers) this.did("opened", grant)
        break
      case "quarantined":
      case "recovered":
      case "archive-failed":
      case "deleted":
        this.#isUrgent = true
        break
      default:
        // Counted above.
        break
    }
    this.#stir()
  }

  did(deed: Deed, grant: Pick<Grant, "subject" | "agent"> | null, detail?: string): void {
    // Of a document that is not there nothing can be read, and asking for it makes no storage.
    if (this.#lookout === null || this.#isEmpty) return
    const entry = { at: Date.now(), subject: grant?.subject ?? null, deed, agent: grant?.agent, detail }
    try {
      const kept = this.#deeds.add(entry)
      if (kept === "full") this.#count("yurt_audit_dropped_total", 1)
      if (kept === "added") this.#stir()
    } catch (cause) {
      // A full disk must not keep anybody from reading.
      this.#count("yurt_audit_dropped_total", 1)
      console.error(`${this.#host.name}: an entry of the audit was not stored`, cause)
    }
  }

  get dueAtMs(): number | null {
    if (this.#lookout === null || this.#sinceMs === null) return null
    return this.#isUrgent || (this.#hasLeft && this.#parts.crowd.peers.size === 0)
      ? this.#sinceMs
      : this.#sinceMs + this.#host.limits.reportMs
  }

  async report(): Promise<void> {
    if (this.#lookout === null || this.#sinceMs === null) return
    const first = this.#sent === null
    this.#sent ??= this.#gather()
    this.#keep()
    const { id, counts, used, lastDeed } = this.#sent
    const { log } = this.#parts
    const line = log.exists ? this.#line() : null
    const point = { document: this.#host.name, line, used, counts }
    if (first) (this.#host.env as LookoutEnv).ANALYTICS?.writeDataPoint(analyticsPoint(point))
    await this.#tell(this.#lookout, { id, ...point, audit: this.#deeds.upTo(lastDeed) })
    this.#deeds.drop(lastDeed)
    this.#sent = null
    const hasNews = this.#deeds.waiting > 0 || Object.keys(this.#counts).length > 0
    this.#sinceMs = hasNews ? Date.now() : null
    if (hasNews) this.#keep()
    else log.drop("desk")
  }

  /** The room's other chores wait for this one, the archive's among them. @throws SyncError unavailable */
  async #tell(lookout: LookoutRpc, report: Report): Promise<void> {
    const { lookoutMs } = this.#host.limits
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      const error = new SyncError("unavailable", `The lookout did not answer within ${lookoutMs} ms`)
      timer = setTimeout(() => reject(error), lookoutMs)
    })
    try {
      await Promise.race([lookout.report(report), late])
    } finally {
      clearTimeout(timer)
    }
  }

  operate(verb: string, ask: object, grant: Grant): Promise<object> {
    return hands(
      { ...this.#parts, name: this.#host.name, storage: this.#host.ctx.storage, desk: this },
      { verb, ask, grant },
    )
  }

  watch(grant: Grant): Response {
    if (!grant.admin) throw new SyncError("forbidden", "Frames are shown to an admin's token.")
    return this.#frames.open(grant)
  }

  dismiss(isMeant: (grant: Grant) => boolean): void {
    this.#frames.close(isMeant)
  }

  /** Nothing was ever stored here: of a document that never was there is nothing to tell. */
  get #isEmpty(): boolean {
    return this.#parts.log.state.revision === 0
  }

  /** Something is to be told, soon. Stored at once where nothing was, and then now and then. */
  #stir(): void {
    if (this.#lookout === null || this.#isEmpty) return
    const now = Date.now()
    const isFirst = this.#sinceMs === null
    this.#sinceMs ??= now
    if (isFirst || now - this.#keptAtMs >= this.#host.limits.reportKeepMs) this.#keep()
    this.#parts.agenda.arm()
  }

  #keep(): void {
    const { log } = this.#parts
    if (this.#sinceMs === null) return
    this.#keptAtMs = Date.now()
    this.#used = addUsed(this.#used, this.#meter.take())
    const kept: Kept = { sinceMs: this.#sinceMs, counts: this.#counts, used: this.#used, sent: this.#sent }
    try {
      log.note("desk", JSON.stringify(kept))
    } catch {
      // The disk is full, which is an event of its own; what was counted stays in memory.
    }
  }

  #gather(): NonNullable<Kept["sent"]> {
    const counts = this.#counts
    const used = addUsed(this.#used, this.#meter.take())
    this.#counts = {}
    this.#used = UNUSED
    this.#isUrgent = false
    this.#hasLeft = false
    return { id: crypto.randomUUID(), counts, used, lastDeed: this.#deeds.close() }
  }

  #line(): Line {
    const { log, outbox, crowd, replica } = this.#parts
    const { archivedRevision, error } = outbox.ledger
    return {
      document: this.#host.name,
      at: Date.now(),
      peers: crowd.peers.size,
      people: [...crowd.peers].slice(0, SHOWN).map(({ grant, dialect }) => ({
        subject: grant.subject,
        name: grant.name ?? null,
        rights: grant.rights,
        dialect: dialect.name,
      })),
      revision: log.state.revision,
      archivedRevision,
      archiveError: error,
      bytes: replica.bytes,
      waiting: replica.waiting.size,
      quarantined: log.quarantined,
      damaged: log.damaged,
      readOnly: this.#parts.intake.isLocked,
    }
  }

  #count(sample: string, by: number): void {
    this.#counts[sample] = (this.#counts[sample] ?? 0) + by
    this.#alsoCount?.(sample, by)
  }

  #pass(frame: Omit<Parameters<Frames["passed"]>[0], "revision">, peer: Peer | null): void {
    this.#frames.passed({ ...frame, revision: this.#parts.log.state.revision }, peer)
  }

  /** A commit is on its way to the disk. The platform's clock stands still until something outside has answered. */
  #time(): void {
    const committedAtMs = Date.now()
    const takenAtMs = this.#firstUpdateMs ?? committedAtMs
    this.#firstUpdateMs = null
    const done = () => {
      countTime("yurt_commit_seconds", Date.now() - committedAtMs, (sample, by) => this.#count(sample, by))
      countTime("yurt_acknowledge_seconds", Date.now() - takenAtMs, (sample, by) => this.#count(sample, by))
    }
    // A disk that fails is told elsewhere.
    this.#host.ctx.storage.sync().then(done, () => {})
  }
}
