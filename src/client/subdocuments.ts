/** Documents inside of documents: each is a document of its own on the server, below the one that it is in. */
import type * as Y from "yjs"
import type { ProviderOptions } from "./options.ts"
import { Provider } from "./provider.ts"
import type { Socket } from "./socket.ts"

/** The subdocuments of a document that are followed. */
export interface Subdocuments {
  /** The provider of each that is loaded, by its guid. */
  readonly providers: ReadonlyMap<string, Provider>
  /** Follow them no longer: their providers are destroyed, the documents stay. */
  destroy(): void
}

/**
 * Follow the subdocuments of a document, and theirs: each that is loaded is kept the same as the document
 * `{id}/{guid}`, over the same connection. A token reaches them by a pattern: `["notes", "notes/*"]`.
 *
 * @param id the id of the document that they are in
 * @param options of each provider; an awareness cannot be shared, so each has its own
 * @example
 * const provider = new Provider(socket, "notes", doc)
 * const subdocuments = followSubdocuments(socket, "notes", doc)
 * doc.getMap("pages").set("first", new Y.Doc()) // notes/{guid} on the server
 */
export function followSubdocuments(
  socket: Socket,
  id: string,
  doc: Y.Doc,
  options: Omit<ProviderOptions, "awareness"> = {},
): Subdocuments {
  const providers = new Map<string, Provider>()
  const below = new Map<string, Subdocuments>()
  const open = (subdocument: Y.Doc) => {
    const { guid } = subdocument
    if (providers.has(guid)) return
    const own = `${id}/${guid}`
    providers.set(guid, new Provider(socket, own, subdocument, options))
    below.set(guid, followSubdocuments(socket, own, subdocument, options))
  }
  const close = ({ guid }: Y.Doc) => {
    below.get(guid)?.destroy()
    providers.get(guid)?.destroy()
    below.delete(guid)
    providers.delete(guid)
  }
  const listen = ({ loaded, removed }: { loaded: Set<Y.Doc>; removed: Set<Y.Doc> }) => {
    for (const subdocument of removed) close(subdocument)
    for (const subdocument of loaded) open(subdocument)
  }
  doc.on("subdocs", listen)
  for (const subdocument of doc.getSubdocs()) if (subdocument.shouldLoad) open(subdocument)
  return {
    providers,
    destroy() {
      doc.off("subdocs", listen)
      for (const subdocument of doc.getSubdocs()) close(subdocument)
    },
  }
}
