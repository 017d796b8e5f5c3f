/** Many documents, a few at a time: one that fails is written down, and the others go on. */
import { CommandError, Progress, say } from "./terminal.ts"

/** What became of one document: in the words of the report. */
export type Outcome = string

/** Documents at work at once: enough to keep a server busy, few enough for the memory of both. */
const AT_ONCE = 8
/** Failures that are shown; the rest are counted. */
const SHOWN = 10

/**
 * Do the same to each, and say at the end how it went.
 *
 * @param act resolves to what became of it
 * @throws CommandError "incomplete" where some failed, after all were tried; at once where the server is gone
 */
export async function forEachDocument<Item extends { readonly id: string }>(
  items: AsyncIterable<Item> | Iterable<Item>,
  act: (item: Item) => Promise<Outcome>,
): Promise<ReadonlyMap<Outcome, number>> {
  const counts = new Map<Outcome, number>()
  const failures: string[] = []
  const progress = new Progress("documents")
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let gone: CommandError | null = null
  /** One asks for the next at a time: a reader of a database knows no two. */
  let asking: Promise<unknown> = Promise.resolve()
  const next = () => {
    const result = asking.then(() => source.next())
    asking = result.catch(() => {})
    return result
  }
  const work = async () => {
    while (gone === null) {
      const { done, value } = await next()
      if (done) return
      try {
        const outcome = await act(value)
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      } catch (thrown) {
        if (!(thrown instanceof CommandError)) throw thrown
        if (thrown.code === "unreachable") gone = thrown
        failures.push(`${value.id}: ${thrown.message}`)
      }
      progress.step(value.id)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  progress.end()
  const summary = [...counts].map(([outcome, count]) => `${count} ${outcome}`)
  say(summary.length === 0 ? "No documents." : `${summary.join(", ")}.`)
  if (gone !== null) throw gone
  if (failures.length > 0) {
    const shown = failures.slice(0, SHOWN).join("\n")
    const more = failures.length > SHOWN ? `\n… and ${failures.length - SHOWN} more` : ""
    throw new CommandError("incomplete", `${failures.length} documents did not come through:`, shown + more)
  }
  return counts
}
