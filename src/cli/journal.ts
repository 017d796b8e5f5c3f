/**
 * The journal of long work: a line of JSON for each thing that is done, so that a command that was stopped goes on where
 * it was. Lines are only ever added; of two about one thing the later one counts, and a line that was cut off does not.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { dirname } from "node:path"

/** What is written about one document. */
export interface Entry {
  readonly id: string
}

/** A file of entries. */
export class Journal<Line extends Entry> {
  readonly #path: string
  readonly #lines = new Map<string, Line>()

  constructor(path: string) {
    this.#path = path
    if (!existsSync(path)) return
    for (const text of readFileSync(path, "utf8").split("\n")) {
      const line = parse<Line>(text)
      if (line !== null) this.#lines.set(line.id, line)
    }
  }

  /** What was written last of a document. */
  get(id: string): Line | undefined {
    return this.#lines.get(id)
  }

  /** Everything, in no order that means anything. */
  get lines(): Iterable<Line> {
    return this.#lines.values()
  }

  /** Write a line down. It is in the file when this returns. */
  add(line: Line): void {
    if (this.#lines.size === 0) mkdirSync(dirname(this.#path), { recursive: true })
    this.#lines.set(line.id, line)
    // First an end of line: the one before may have been cut off.
    appendFileSync(this.#path, `\n${JSON.stringify(line)}`)
  }
}

function parse<Line extends Entry>(text: string): Line | null {
  if (!text.startsWith("{")) return null
  try {
    const line = JSON.parse(text) as Line
    return typeof line.id === "string" ? line : null
  } catch {
    return null
  }
}
