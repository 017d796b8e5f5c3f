/** The roots of a document, and what each of them is. */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { type Kind, kindOf, type SharedType } from "./shared-types.ts"

/** A root of a document. */
export interface Root {
  readonly name: string
  readonly kind: Kind
}

/**
 * The roots of a document in name order (UTF-16 code units), with their kinds. Reads only; the document is the
 * same afterwards.
 *
 * A root's kind is not on the wire until someone reads it as that kind, and a document that has just been loaded
 * knows none. What the program around it has read (`doc.getText("x")`) is believed; the rest is inferred from
 * what is live in the root, by the first line that fits:
 *
 * | the root holds                                                    | kind    |
 * |-------------------------------------------------------------------|---------|
 * | characters, formatting, an embed, or a Lexical node (`__type`)    | "text"  |
 * | XML elements, texts or hooks, and nothing else                    | "xml"   |
 * | any other list values (also an array of strings)                  | "array" |
 * | keys and no list                                                  | "map"   |
 * | nothing (never filled, or emptied)                                | "empty" |
 *
 * Where a list and keys are both there, the list decides and the keys are its attributes, as in XML.
 * An array that holds nothing but XML nodes reads as "xml": the two are the same on the wire.
 */
export function listRoots(doc: Y.Doc): Root[] {
  return findRoots(doc).map(({ name, kind }) => ({ name, kind }))
}

/** As listRoots, with the shared type itself. */
export function findRoots(doc: Y.Doc): (Root & { readonly type: SharedType })[] {
  return [...doc.share]
    .map(([name, type]) => ({ name, kind: kindOf(type as SharedType), type: type as SharedType }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * The one root of this name.
 *
 * @throws SyncError "not-found" that lists the names there are
 */
export function findRoot(doc: Y.Doc, name: string): Root & { readonly type: SharedType } {
  const type = doc.share.get(name) as SharedType | undefined
  if (type === undefined) {
    const names = [...doc.share.keys()].sort().slice(0, 20)
    const there =
      names.length === 0 ? "has no roots" : `has ${names.map((one) => JSON.stringify(one)).join(", ")}`
    throw new SyncError("not-found", `No root ${JSON.stringify(name)} in this document; it ${there}.`)
  }
  return { name, kind: kindOf(type), type }
}

/** The roots an export is about: the one that was asked for, or all of them. */
export function pickRoots(doc: Y.Doc, root: string | undefined): ReturnType<typeof findRoots> {
  return root === undefined ? findRoots(doc) : [findRoot(doc, root)]
}
