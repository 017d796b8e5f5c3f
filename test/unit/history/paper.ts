/**
 * A paper written by three people, from a recorded session: who wrote which edit follows a fixed rule, so that what the
 * past should say can be told without it.
 */
import * as Y from "yjs"
import type { Edit } from "../../kit/session.ts"

/** The people, in turn: fifty edits each. */
export const PEOPLE = ["ada", "bob", "eve"] as const
const TURN = 50

/** Whose an edit is, by its number. */
export function authorOf(edit: number): (typeof PEOPLE)[number] {
  return PEOPLE[Math.floor(edit / TURN) % PEOPLE.length]!
}

/** Under which client ids they write. */
export const OWNERS: ReadonlyMap<number, string> = new Map(PEOPLE.map((name, i) => [i + 1, name]))

/** The edits as Yjs updates, each of its author's client, who has seen all before it. */
export function* updatesOf(edits: readonly Edit[]): Generator<{ update: Uint8Array; subject: string }> {
  const doc = new Y.Doc()
  const text = doc.getText("text")
  let update: Uint8Array | null = null
  doc.on("update", (made: Uint8Array) => {
    update = made
  })
  for (const [i, { at, deleted, inserted }] of edits.entries()) {
    const subject = authorOf(i)
    // One document that changes hands is what three documents in step are, at a third of the work.
    doc.clientID = PEOPLE.indexOf(subject) + 1
    update = null
    doc.transact(() => {
      if (deleted > 0) text.delete(at, deleted)
      if (inserted !== "") text.insert(at, inserted)
    })
    if (update !== null) yield { update, subject }
  }
}

/** A letter of the paper: who wrote it, and who deleted it. */
export interface Letter {
  readonly letter: string
  readonly by: string
  deletedBy: string | null
}

/** The paper as letters in their places, the deleted ones included; edited by the rules of Yjs. */
export class Paper {
  readonly #alive: Letter[] = []
  /** The letters that stood before each, and were deleted since: what Yjs keeps as traces. */
  readonly #traces = new Map<Letter | null, Letter[]>()

  edit({ at, deleted, inserted }: Edit, by: string): void {
    const gone = this.#alive.splice(at, deleted)
    const next = this.#alive[at] ?? null
    if (gone.length > 0) {
      const traces = gone.flatMap((letter) => [...(this.#traces.get(letter) ?? []), letter])
      for (const letter of gone) {
        letter.deletedBy = by
        this.#traces.delete(letter)
      }
      this.#traces.set(next, [...traces, ...(this.#traces.get(next) ?? [])])
    }
    if (inserted === "") return
    const made = inserted.split("").map((letter) => ({ letter, by, deletedBy: null }))
    // What is inserted stands right before what follows, after the traces there.
    const traces = this.#traces.get(next)
    if (traces !== undefined) {
      this.#traces.delete(next)
      this.#traces.set(made[0]!, traces)
    }
    this.#alive.splice(at, 0, ...made)
  }

  /** The words as they are. */
  get text(): string {
    return this.#alive.map(({ letter }) => letter).join("")
  }

  /** The words and their authors: neighbours of one author joined. */
  get authors(): [text: string, by: string][] {
    const spans: [string, string][] = []
    for (const { letter, by } of this.#alive) {
      const last = spans.at(-1)
      if (last?.[1] === by) last[0] += letter
      else spans.push([letter, by])
    }
    return spans
  }

  /** The words as they would be without what one of them did. */
  without(who: string): string {
    const all = [...this.#alive, null].flatMap((letter) => [
      ...(this.#traces.get(letter) ?? []),
      ...(letter === null ? [] : [letter]),
    ])
    return all
      .filter(({ by, deletedBy }) => by !== who && (deletedBy === null || deletedBy === who))
      .map(({ letter }) => letter)
      .join("")
  }
}
