/** An archive's parts of pasts in memory, for tests of what a room moves out. */
import type { Archive, ArchiveSegments } from "../../src/archive/archive.ts"

/** @param kept of one document: name → bytes */
export function segmentsOf(kept: Map<string, Uint8Array>): ArchiveSegments {
  const namesOf = (begin: string) => [...kept.keys()].filter((name) => name.startsWith(begin))
  return {
    put: async (_, name, bytes) => void kept.set(name, bytes.slice()),
    get: async (_, name) => kept.get(name) ?? null,
    list: async (_, begin) => namesOf(begin),
    remove: async (_, begin) => namesOf(begin).forEach((name) => void kept.delete(name)),
  }
}

/** An archive that takes parts of the past, and no document. */
export function archiveOf(kept: Map<string, Uint8Array>): Archive {
  const refuse = () => Promise.reject(new Error("this archive takes parts of the past alone"))
  return {
    name: "memory",
    load: refuse,
    store: refuse,
    remove: refuse,
    list: refuse,
    segments: segmentsOf(kept),
  }
}
