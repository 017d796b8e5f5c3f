/**
 * Documents that lie in several places at once: what a database or a bucket holds of each, and what a queue of Redis has
 * not yet brought there. Each place says what it has of which document; one is the sum of all.
 */
import * as Y from "yjs"
import { CommandError } from "../terminal.ts"
import type { Source, SourceDocument } from "./source.ts"

/** A part of a document: Yjs V1 updates in some place. */
export type Part = () => Promise<readonly Uint8Array[]>

/** What some places have, by document. */
export class Parts {
  readonly #parts = new Map<string, Part[]>()

  /** A place has something of a document. */
  add(id: string, part: Part): void {
    const parts = this.#parts.get(id)
    if (parts === undefined) this.#parts.set(id, [part])
    else parts.push(part)
  }

  get isEmpty(): boolean {
    return this.#parts.size === 0
  }

  /** @param more what else is known of a document */
  source(
    close: () => Promise<void>,
    more: (id: string) => Pick<SourceDocument, "versions"> = () => ({}),
  ): Source {
    const ids = [...this.#parts.keys()].sort()
    return {
      documents: () =>
        ids.map((id) => ({
          id,
          read: async () => {
            const updates: Uint8Array[] = []
            for (const part of this.#parts.get(id)!) updates.push(...(await part()))
            return mergeAll(id, updates)
          },
          ...more(id),
        })),
      close,
    }
  }
}

/** @throws CommandError "bad-source" where they are no updates */
export function mergeAll(id: string, updates: readonly Uint8Array[]): Uint8Array {
  try {
    if (updates.length === 0) return Y.encodeStateAsUpdate(new Y.Doc())
    return updates.length === 1 ? updates[0]! : Y.mergeUpdates([...updates])
  } catch (thrown) {
    throw new CommandError("bad-source", `${id} holds what is no Yjs update: ${(thrown as Error).message}`)
  }
}

/** What some address is to a reader of several: which of them is it? @throws CommandError "usage" */
export function kindOf(address: string): "redis" | "postgres" | "files" {
  if (/^rediss?:\/\//.test(address)) return "redis"
  if (/^postgres(ql)?:\/\//.test(address)) return "postgres"
  if (/^[a-z]+:\/\//.test(address) && !address.startsWith("s3://"))
    throw new CommandError("usage", `${address} is no redis://, postgres:// or s3:// address, and no folder.`)
  return "files"
}
