/** The roots of a document, and what each of them is. */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { type Kind, kindOf, type SharedType } from "./shared-types.ts"

/** A root of a document. */
export interface Root {
  readonly name: string
  readonly kind: Kind
  readonly type: SharedType
}

/**
 * The roots of a document in name order (UTF-16 code units), with their kinds. Reads only; the document is the
 * same afterwards.
 *
 * A root's kind is not on the wire, and a document that has just been loaded knows none. It is inferred from what is live
 * in the root, by the first line that fits; what the program around it has read (`doc.getText("x")`) does not count, or
 * the same state would have two exports under one entity tag.
 *
 * | the root holds                                                    | kind    |
 * |-------------------------------------------------------------------|---------|
 * | a Lexical node (`__type`)                                         | "text"  |
 * | characters, formatting or an embed, and XML elements or texts     | "xml"   |
 * | characters, formatting or an embed                                | "text"  |
 * | XML elements, texts or hooks, and nothing else                    | "xml"   |
 * | any other list values (also an array of strings)                  | "array" |
 * | keys and no list                                                  | "map"   |
 * | nothing any more (emptied)                                        | "empty" |
 *
 * A root that never held anything is not on the wire: it is no root yet, even where the program has read it.
 * Where a list and keys are both there, the list decides and the keys are its attributes, as in XML.
 * An array that holds nothing but XML nodes reads as "xml": the two are the same on the wire.
 */
export function findRoots(doc: Y.Doc): Root[] {
  return [...doc.share]
    .filter(([, type]) => hasHeld(type))
    .map(([name, type]) => ({ name, kind: kindOf(type), type }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * The one root of this name.
 *
 * @throws SyncError "not-found" that lists the names there are
 */
export function findRoot(doc: Y.Doc, name: string): Root {
  const type = doc.share.get(name)
  if (type === undefined || !hasHeld(type)) {
    const names = findRoots(doc).map((root) => JSON.stringify(root.name))
    const there = names.length === 0 ? "has no roots" : `has ${names.slice(0, 20).join(", ")}`
    throw new SyncError("not-found", `No root ${JSON.stringify(name)} in this document; it ${there}.`)
  }
  return { name, kind: kindOf(type), type }
}

/**
 * The roots an export is about: the one that was asked for, or all of them.
 *
 * @throws SyncError "not-found" when there is no root of that name
 */
export function pickRoots(doc: Y.Doc, root: string | undefined): Root[] {
  return root === undefined ? findRoots(doc) : [findRoot(doc, root)]
}

function hasHeld(type: SharedType): boolean {
  return type._start !== null || type._map.size > 0
}
