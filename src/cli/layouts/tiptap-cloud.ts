/**
 * Tiptap's document server, which is a service and no store: a document is made there, and merged into one that there is, so
 * that nothing is lost that was written there. See tiptap.ts for how it is asked.
 *
 * @source tiptap-docs, collaboration/documents/rest-api.mdx: POST makes a document of an update, 409 where there is one; PATCH
 * applies an update, 404 where there is none
 */
import { tiptapAt } from "../tiptap.ts"
import type { OpenLayout } from "./layout.ts"

/** Open `https://YOUR_APP_ID.collab.tiptap.cloud`. */
export const writeTiptapCloud: OpenLayout = async (where, settings) => {
  const tiptap = tiptapAt(where, settings)
  const listed = async () => {
    const names = new Set<string>()
    for await (const name of tiptap.names()) names.add(name)
    return names
  }
  /** Asked for once: its documents are read whole or not at all. */
  let known: Promise<ReadonlySet<string>> | null = null
  return {
    async has(id) {
      known ??= listed()
      return (await known).has(id)
    },
    async write(id, body) {
      const path = `/${encodeURIComponent(id)}`
      const { status } = await tiptap.request(path, { method: "POST", body, taken: [409] })
      if (status === 409) await tiptap.request(path, { method: "PATCH", body })
    },
    close: async () => {},
  }
}
