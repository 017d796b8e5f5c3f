/** The address grammar of the server, for tests: where a document and its resources are. */

/** A document, with its id as people write it. */
export const documentPath = (id: string): string => `/docs/${id}`

/** How a document is. */
export const statusPath = (id: string): string => `${documentPath(id)}/-/status`
