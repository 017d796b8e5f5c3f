/**
 * Tiptap's document server: the list, each document as a Yjs V1 update, and its versions. (Its /export is a zip, whose inside
 * is not documented; these routes hold the same.) See tiptap.ts for how it is asked.
 */
import { tiptapAt } from "../tiptap.ts"
import type { OpenSource, SourceDocument, SourceVersion } from "./source.ts"

/** A line of its list of versions. */
interface Line {
  readonly version: number
  /** ms since 1970, or a text. */
  readonly date: number | string
  readonly name?: string | null
  readonly meta?: unknown
}

/** Open `https://YOUR_APP_ID.collab.tiptap.cloud`. */
export const openTiptapCloud: OpenSource = async (where, { settings }) => {
  const tiptap = tiptapAt(where, settings)
  const read = async (path: string) => (await tiptap.request(path)).body

  async function versionsOf(path: string): Promise<SourceVersion[]> {
    const lines = (await tiptap.list(`${path}/versions`)) as Line[]
    return lines
      .toSorted((one, other) => one.version - other.version)
      .map(({ version, date, name, meta }) => ({
        key: String(version),
        name: name || null,
        at: new Date(date).toISOString(),
        meta,
        read: () => read(`${path}?format=yjs&version=${version}`),
      }))
  }

  return {
    async *documents(): AsyncGenerator<SourceDocument> {
      for await (const name of tiptap.names()) {
        const path = `/${encodeURIComponent(name)}`
        yield { id: name, read: () => read(`${path}?format=yjs`), versions: () => versionsOf(path) }
      }
    },
    close: async () => {},
  }
}
