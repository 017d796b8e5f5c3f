/** `/hocuspocus/{id}`: where stock Hocuspocus clients open a document. */
import type { Resource } from "./resource.ts"

/** For WebSockets alone: its path says what they speak, and that their tokens may come on them. */
export const hocuspocus: Resource = { about: "document", path: "/hocuspocus/{id}", methods: {} }
