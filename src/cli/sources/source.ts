/** Where documents are imported from: the interface, one file a layout in this folder. */

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
}

/** An opened source. */
export interface Source {
  /** Every document, in an order that is the same each time. */
  documents(): AsyncIterable<SourceDocument> | Iterable<SourceDocument>
  close(): Promise<void>
}

/**
 * A reader of one layout.
 * @param where the file or folder that the command line names
 * @throws CommandError "bad-source" where it is no such layout, "not-installed" where a package is missing to read it
 */
export type OpenSource = (where: string) => Promise<Source>
