/** `/hocuspocus/{id}`: where stock Hocuspocus clients open a document, and `/hocuspocus`, where they open several. */
import type { Resource } from "./resource.ts"

/** For WebSockets alone: its path says what they speak, and that their tokens may come on them. */
export const hocuspocus: Resource = { about: "document", path: "/hocuspocus/{id}", methods: {} }

/** The same, for documents that the frames name. */
export const hocuspocusBundle: Resource = { about: "server", path: "/hocuspocus", methods: {} }
