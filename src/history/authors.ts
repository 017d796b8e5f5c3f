/** Whose word it is: the author of content by its clocks, through whatever brought it back (H3, H4). */
import { type Attribution, knowWho, type Mark, timeText, type Who } from "./attribution.ts"
import type { Copies } from "./copies.ts"
import type { Origin } from "./origin.ts"

/** Whom content is by. */
export interface Authorship {
  /** null: written before recording, or before what one may see. */
  readonly by: Who | null
  /** When, RFC 3339; null likewise. */
  readonly at: string | null
  /** The client id is that person's, so that nobody else can have written it under their name. */
  readonly verified: boolean
  /** Who brought it back, and when. */
  readonly restoredBy?: Who
  readonly restoredAt?: string
}

/** An authorship, and the clock at which another one may begin. */
export interface Authored {
  readonly authorship: Authorship
  readonly end: number
}

/** What the room knows of its people and their client ids. */
export interface Register {
  nameOf(subject: string): string | undefined
  /** Whether a struct is under a client id that is this subject's, and was brought by nobody else. */
  isOwn(client: number, clock: number, subject: string): boolean
  /** The client id of the server's own edits. */
  readonly server: number | null
}

const UNKNOWN: Authorship = { by: null, at: null, verified: false }

/** Answers whose word it is. */
export class Authors {
  readonly #attribution: Attribution
  readonly #copies: Copies
  readonly #register: Register
  readonly #notBeforeMs: number
  /** One object for each person and way, so that the same can be told by identity. */
  readonly #who: (origin: Origin) => { who: Who }
  /** One object for each mark, so that runs of the same can be told by identity. */
  readonly #known = new Map<Mark, Map<string, Authorship>>()

  /** @param options.notBeforeMs who wrote earlier is not told (H5), ms since 1970 */
  constructor(
    attribution: Attribution,
    { copies, register, notBeforeMs }: { copies: Copies; register: Register; notBeforeMs: number },
  ) {
    this.#attribution = attribution
    this.#copies = copies
    this.#register = register
    this.#notBeforeMs = notBeforeMs
    this.#who = knowWho((subject) => register.nameOf(subject))
  }

  /** Of the content at a clock, up to `limit` at most. */
  of(client: number, clock: number, limit: number): Authored {
    const source = this.#copies.sourceOf(client, clock, limit - clock)
    const { mark, end } = this.#attribution.insertOf(source.client, source.clock)
    const length = Math.min(source.length, end - source.clock, limit - clock)
    const isCopy = source.client !== client || source.clock !== clock
    const brought = isCopy ? this.#attribution.insertOf(client, clock) : null
    const until = Math.min(clock + length, brought?.end ?? Number.POSITIVE_INFINITY)
    return { authorship: this.#describe(mark, source, brought?.mark ?? null), end: until }
  }

  /** Who deleted the content at a clock. */
  deletionOf(client: number, clock: number): { by: Who | null; at: string | null; end: number } {
    const { mark, end } = this.#attribution.deleteOf(client, clock)
    return { ...this.#tell(mark), end }
  }

  /** A person and a time, as far as they may be told. */
  #tell(mark: Mark | null): { by: Who | null; at: string | null } {
    if (mark === null || mark.origin.at < this.#notBeforeMs || mark.origin.at === 0)
      return { by: null, at: null }
    return {
      by: this.#who(mark.origin).who,
      at: timeText(mark.origin.at),
    }
  }

  #describe(
    mark: Mark | null,
    { client, clock }: { client: number; clock: number },
    brought: Mark | null,
  ): Authorship {
    if (mark === null && brought === null) return UNKNOWN
    const verified = mark !== null && this.#isVerified(mark, client, clock)
    const key = `${verified} ${brought === null ? "" : `${brought.revision} ${brought.origin.subject}`}`
    const byMark = mark ?? brought!
    const known = this.#known.get(byMark) ?? new Map<string, Authorship>()
    this.#known.set(byMark, known)
    let authorship = known.get(key)
    if (authorship === undefined) {
      const restored = this.#tell(brought)
      const told = this.#tell(mark)
      authorship = {
        ...told,
        verified: verified && told.by !== null,
        ...(restored.by !== null && { restoredBy: restored.by }),
        ...(restored.at !== null && { restoredAt: restored.at }),
      }
      known.set(key, authorship)
    }
    return authorship
  }

  #isVerified({ origin }: Mark, client: number, clock: number): boolean {
    if (client === this.#register.server) return origin.via !== "socket" && origin.via !== "archive"
    return origin.subject !== null && this.#register.isOwn(client, clock, origin.subject)
  }
}
