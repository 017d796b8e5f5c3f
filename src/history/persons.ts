/** What people are called: the newest name that a subject's token gave, kept for those who write. */
import type { Tables } from "./segments.ts"

/** The names of a room's people. */
export class Persons {
  readonly #tables: Tables
  readonly #most: number
  /** Names of this life of the room: those that are stored already, and those that the next commit stores. */
  readonly #known = new Map<string, string>()
  readonly #unwritten = new Map<string, string>()

  /** @param most how many names are kept */
  constructor(tables: Tables, most: number) {
    this.#tables = tables
    this.#most = most
  }

  /** Somebody who may write is here. */
  meet({ subject, name }: { readonly subject: string | null; readonly name?: string | undefined }): void {
    if (subject === null || name === undefined || this.#known.get(subject) === name) return
    this.#known.set(subject, name)
    this.#unwritten.set(subject, name)
  }

  /** Write the new names; called inside the commit's transaction. */
  write(): void {
    if (this.#unwritten.size === 0) return
    this.#tables.write((sql) => {
      const [{ n } = { n: 0 }] = sql<{ n: number }>("SELECT count(*) AS n FROM person")
      let left = this.#most - n
      for (const [subject, name] of this.#unwritten) {
        if (left-- > 0) sql("INSERT OR REPLACE INTO person VALUES (?, ?)", subject, name)
        else sql("UPDATE person SET name = ? WHERE subject = ?", name, subject)
      }
    })
  }

  /** The commit has held. */
  wrote(): void {
    if (this.#unwritten.size > 0) this.#unwritten.clear()
  }

  /** The document was deleted, and the names with it: whoever is still here writes theirs again. */
  forget(): void {
    this.#known.clear()
    this.#unwritten.clear()
  }

  /** What a subject is called. */
  nameOf(subject: string): string | undefined {
    return (
      this.#known.get(subject) ??
      this.#tables.rows<{ name: string }>("SELECT name FROM person WHERE subject = ?", subject)[0]?.name
    )
  }
}
