/**
 * Entity tags: the names of a document's states in `ETag`, `If-None-Match` and `If-Match`.
 *
 * The grammar of a tag is `"r{revision}.{format}[.{root}]"`, the root percent-encoded: `"r5.json"`, `"r5.text.notes"`. A
 * state that was rebuilt from the past has `p` instead of `r`: its bytes may differ from those it had when it was new.
 */

/**
 * A strong entity tag: the same for the same bytes, another one for another format or root of the same state.
 *
 * @param revision names the document's state; must never come again for another state of this id
 */
export function entityTag(
  revision: number,
  want: { format: string; root: string | null; isPast?: boolean },
): string {
  const root = want.root === null ? "" : `.${encodeURIComponent(want.root)}`
  return `"${want.isPast === true ? "p" : "r"}${revision}.${encodeURIComponent(want.format)}${root}"`
}

/** Whether `If-None-Match` names this tag (weak comparison, lists, `*`). @source RFC 9110, 13.1.2 */
export function matchesEntityTag(ifNoneMatch: string | null, tag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch.trim() === "*" || readTags(ifNoneMatch).some(({ opaque }) => opaque === tag)
}

/**
 * Whether `If-Match` lets a change go ahead on a document at this revision. A change is not about a format, so a tag of
 * any format and root of that revision matches: `"r5.json"` and `"r5.update"` both name revision 5. The comparison is
 * strong: a weak tag never matches.
 *
 * @param ifMatch the header, null when it is absent: then nothing was asked
 * @param revision null when there is no document: then not even `*` matches
 * @source RFC 9110, 13.1.1
 */
export function matchesIfMatch(ifMatch: string | null, revision: number | null): boolean {
  if (ifMatch === null) return true
  if (revision === null) return false
  if (ifMatch.trim() === "*") return true
  return readTags(ifMatch).some(({ weak, opaque }) => !weak && opaque.startsWith(`"r${revision}.`))
}

function readTags(header: string): { weak: boolean; opaque: string }[] {
  return [...header.matchAll(/(W\/)?("[^"]*")/g)].map(([, weak, opaque = ""]) => ({
    weak: weak !== undefined,
    opaque,
  }))
}
