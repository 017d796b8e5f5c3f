/** Where documents are imported from: the interface, one file a layout in this folder. */
import type { Settings } from "../settings.ts"

/** An earlier state of a document, as the other server kept it. */
export interface SourceVersion {
  /** What tells it from the document's others at its source: a number, an id of an object. */
  readonly key: string
  /** null: nobody named it. */
  readonly name: string | null
  /** When it was made, RFC 3339. */
  readonly at: string
  /** What the source has written beside it. */
  readonly meta?: unknown
  /** The whole state as it was, as one Yjs V1 update. @throws CommandError as `SourceDocument.read` */
  read(): Promise<Uint8Array>
}

/** A document of another server. */
export interface SourceDocument {
  readonly id: string
  /**
   * Its whole state as one Yjs V1 update. Read only when it is needed.
   * @throws CommandError "bad-source" where it cannot be read; the others can
   */
  read(): Promise<Uint8Array>
  /** It was made of something else than updates, so merging it twice would double it: only where there is none yet. */
  readonly create?: boolean
  /** What it was before, oldest first; not there where the source keeps none. @throws CommandError as `read` */
  versions?(): Promise<readonly SourceVersion[]>
}

/** An opened source. */
export interface Source {
  /** Every document, in an order that is the same each time. */
  documents(): AsyncIterable<SourceDocument> | Iterable<SourceDocument>
  close(): Promise<void>
}

/** What a reader may need beside the place. */
export interface SourceOptions {
  /** Further places: a document may be spread over a database, a bucket and a queue. */
  readonly also: readonly string[]
  /** Variables, in which keys of the other server are. */
  readonly settings: Settings
  /** Ids of documents, for a source that has no list of its own; null: none were given. */
  readonly ids: readonly string[] | null
}

/**
 * A reader of one layout.
 * @param where the file, folder or address that the command line names
 * @throws CommandError "bad-source" where it is no such layout, "not-installed" where a package is missing to read it,
 * "bad-config" where a variable or an option is missing
 */
export type OpenSource = (where: string, options: SourceOptions) => Promise<Source>
