/**
 * Stands in for the package character-entities in a bundle, see `[alias]` in wrangler.toml: 36 KB of HTML's names for
 * characters, which the writer of Markdown looks up in references and footnotes. The exports write neither.
 */

/** No names. */
export const characterEntities: Readonly<Record<string, string>> = {}
