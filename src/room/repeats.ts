/**
 * The same call twice changes once (G3): what a call under a key was answered is kept for a day, and a call that comes again
 * under it is answered with that. It is written with the commit that the call has made, so both hold or neither.
 */
import { createHash } from "node:crypto"
import { SyncError } from "../errors.ts"
import type { Json } from "../export/json.ts"
import type { Limits } from "../limits.ts"
import type { Log } from "./log.ts"

/** A call that is under way. */
interface Call {
  readonly row: string
  readonly asked: string
  /** What it will be answered, once the revision is known. */
  answer: ((revision: number) => Json) | null
  /** A commit has it. */
  isWritten: boolean
}

/** Answers that are kept: rows of the log's notes, and one note that lists them with their times. */
export class Repeats {
  readonly #log: Log
  readonly #limits: Limits
  #call: Call | null = null

  constructor(log: Log, limits: Limits) {
    this.#log = log
    this.#limits = limits
  }

  /**
   * Begin a call.
   * @param subject whose it is: a key of somebody else's is another
   * @param asked what is asked, as text
   * @returns what it was answered before; null: it is to be done
   * @throws SyncError "bad-request" for a key that is too long, "conflict" where something else was asked under it
   */
  begin(key: string, { subject, asked }: { subject: string | null; asked: string }): Json | null {
    if (key.length === 0 || key.length > this.#limits.repeatKeyLength)
      throw new SyncError(
        "bad-request",
        `An idempotency key has 1 to ${this.#limits.repeatKeyLength} characters.`,
      )
    const row = `repeat ${hash(JSON.stringify([subject, key]))}`
    const kept = this.#log.noted<string>(row)
    const digest = hash(asked)
    if (kept !== null) {
      const { at, asked: before, answer } = JSON.parse(kept) as { at: number; asked: string; answer: Json }
      if (Date.now() - at < this.#limits.repeatMs) {
        if (before === digest) return answer
        throw new SyncError("conflict", "Something else was asked under this idempotency key.")
      }
    }
    this.#call = { row, asked: digest, answer: null, isWritten: false }
    return null
  }

  /** Say what the call under way will be answered, before its commit. */
  answerWith(answer: (revision: number) => Json): void {
    if (this.#call !== null) this.#call.answer = answer
  }

  /** Write the answer of the call under way; called inside the commit's transaction. */
  write(): void {
    const call = this.#call
    if (call?.answer == null || call.isWritten) return
    call.isWritten = true
    const { repeats, repeatMs, repeatLength } = this.#limits
    const now = Date.now()
    const value = JSON.stringify({
      at: now,
      asked: call.asked,
      answer: call.answer(this.#log.state.revision + 1),
    })
    // An answer so long would be kept a thousand times: the call is done again then, and finds that it is done.
    if (value.length > repeatLength) return
    const listed = JSON.parse(this.#log.noted<string>("repeats") ?? "[]") as [string, number][]
    const all: [string, number][] = [...listed.filter(([row]) => row !== call.row), [call.row, now]]
    const kept = all.filter(([, at]) => now - at < repeatMs).slice(-repeats)
    for (const [row] of all) if (!kept.some(([one]) => one === row)) this.#log.drop(row)
    this.#log.note("repeats", JSON.stringify(kept))
    this.#log.note(call.row, value)
  }

  /**
   * The call has ended. An answer that no commit has is written now, in the turn of the commit: both hold or neither.
   * @param isDone it has gone well; else it is forgotten, and may be tried again
   */
  end({ isDone }: { isDone: boolean }): void {
    try {
      if (isDone && this.#log.exists) this.#log.transact(() => this.write())
    } finally {
      this.#call = null
    }
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22)
}
