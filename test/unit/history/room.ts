/** A room's document and its past in plain Node: the real log, replica and past, without sockets. */
import type { Grant } from "../../../src/access/rights.ts"
import { LIMITS, type Limits } from "../../../src/limits.ts"
import { Agents } from "../../../src/room/agents.ts"
import { Aside } from "../../../src/room/aside.ts"
import { Authors } from "../../../src/room/authors.ts"
import { Changes } from "../../../src/room/changes.ts"
import { Intake } from "../../../src/room/intake.ts"
import { Log } from "../../../src/room/log.ts"
import { Mover } from "../../../src/room/mover.ts"
import { Past } from "../../../src/room/past.ts"
import { Presence } from "../../../src/room/presence.ts"
import { Repeats } from "../../../src/room/repeats.ts"
import { Replica } from "../../../src/room/replica.ts"
import { archiveOf } from "../../kit/segments.ts"
import { memoryStorage } from "../../kit/storage.ts"

/** Whoever may do everything. */
export const ADMIN: Grant = {
  subject: "root",
  rights: "write",
  presence: true,
  admin: true,
  expiresAtMs: null,
  tokenId: null,
}

/** A document that several people write, each under a client id of their own. */
export class DeskRoom {
  readonly #storage = memoryStorage()
  readonly #limits: Limits
  readonly #owners: ReadonlyMap<number, string>
  /** ms since 1970. */
  clock = Date.UTC(2026, 0, 1)
  log!: Log
  replica!: Replica
  past!: Past
  mover!: Mover
  changes!: Changes<never>
  agents!: Agents<never>
  /** What the archive has of its past, by name. */
  readonly segments: Map<string, Uint8Array> | null
  /** Bytes of updates that were taken. */
  taken = 0

  /**
   * @param owners who shows themselves under which client id
   * @param segments of an archive that takes parts of the past; null: there is none
   */
  constructor(
    owners: ReadonlyMap<number, string>,
    limits: Partial<Limits> = {},
    segments: Map<string, Uint8Array> | null = null,
  ) {
    this.#owners = owners
    this.segments = segments
    this.#limits = { ...LIMITS, ...limits }
    this.restart()
  }

  /** Lose what was not committed, and everything in memory. */
  restart(): void {
    const limits = this.#limits
    const emit = () => {}
    this.log = new Log(this.#storage, limits)
    const authors = new Authors(this.log, (client) => {
      const subject = this.#owners.get(client)
      return subject === undefined ? null : { id: subject, subject }
    })
    this.replica = new Replica(this.log, { limits, claims: authors, emit })
    const ports = { relay() {}, release() {}, acknowledge() {}, dirty() {}, refuse() {} }
    const intake = new Intake<never>({ replica: this.replica, authors, ports, limits, emit })
    const { log, replica } = this
    const aside = new Aside(replica, limits)
    const archive = this.segments === null ? null : archiveOf(this.segments)
    this.mover = new Mover("paper", { archive, log, aside, limits, emit })
    this.past = new Past({ log, replica, intake, limits, emit, aside, mover: this.mover })
    const { past } = this
    this.changes = new Changes({
      ...{ replica, intake, limits },
      stateAt: (at, grant) => past.stateAside(past.revisionAt(at, grant)),
    })
    this.agents = new Agents({
      ...{ replica, intake, changes: this.changes, past, log, limits },
      ...{ presence: new Presence(limits), repeats: new Repeats(log, limits), relay() {} },
    })
  }

  /** Begin with what another room has archived. */
  adopt(other: DeskRoom, alongside: () => void): void {
    const origin = { at: this.clock, subject: null, via: "archive" } as const
    const { revision } = other.log.state
    this.replica.adopt(other.replica.encode(), { revision, origin, continues: false, alongside })
  }

  /** Take an update of somebody's; it is committed later. */
  take(update: Uint8Array, subject: string): void {
    this.taken += update.length
    this.replica.receive(update, {
      bearer: { subject, peer: subject },
      origin: { at: this.clock, subject, via: "socket" },
    })
  }

  /** Commit what was taken, and fold the log where it has outgrown the snapshot. @returns the revision */
  commit(): number {
    const revision = this.replica.commit()
    if (this.replica.outgrown) this.replica.compact()
    return revision
  }
}
