/** What documents are exported into, beside a folder of files: the interface, one file a layout in this folder. */
import type { Settings } from "../settings.ts"

/** An opened store of another server. */
export interface Layout {
  /** Whether the store holds a document of this id, whatever is in it. */
  has(id: string): Promise<boolean>
  /**
   * Put a document in the place of what the store holds of it; a service where others may write merges it into that.
   * @param update its whole state as one Yjs V1 update
   * @throws CommandError "failed" where the store cannot hold a document of that id
   */
  write(id: string, update: Uint8Array): Promise<void>
  close(): Promise<void>
}

/**
 * A writer of one layout; what is not there is made.
 * @param where the file, folder or bucket that the command line names
 * @throws CommandError "not-installed", "bad-config", "usage", "bad-source" where something else is there
 */
export type OpenLayout = (where: string, settings: Settings) => Promise<Layout>
