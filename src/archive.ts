/** What "yurt/archive" exports: the interface of an archive, and what one of your own is written with. */

export { discreet } from "./archive/abortable.ts"
export type {
  Archive,
  ArchivedDocument,
  ArchiveEntry,
  ArchiveLookup,
  ArchiveMark,
  ArchivePage,
  ArchiveSegments,
  ArchiveWrite,
  IndexPage,
  IndexRange,
  Version,
} from "./archive/archive.ts"
export { judgeSwap } from "./archive/swap.ts"
export { pageRange } from "./archive/within.ts"
