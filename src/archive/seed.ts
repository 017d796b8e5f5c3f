/**
 * A document from plain values: what somebody wrote into the database by hand becomes the update a room opens.
 */

import * as Y from "yjs"

/**
 * The update that makes these roots. An object becomes a Y.Map, an array a Y.Array, a string a Y.Text; deeper
 * down objects and arrays become Y.Map and Y.Array too, and strings stay plain.
 *
 * The same roots give the same bytes, so a document seeded twice is one document; other roots are written by
 * another client id, so that they can never be mistaken for the first.
 *
 * @throws TypeError when a root is none of the three, or a value is not JSON
 */
export async function seedUpdate(roots: Record<string, unknown>): Promise<Uint8Array> {
  const canonical = Object.entries(roots).sort(([left], [right]) => (left < right ? -1 : 1))
  const doc = new Y.Doc({ gc: false })
  doc.clientID = await clientIdOf(JSON.stringify(canonical))
  doc.transact(() => {
    for (const [name, value] of canonical) {
      if (typeof value === "string") doc.getText(name).insert(0, value)
      else if (Array.isArray(value)) fillArray(doc.getArray(name), value)
      else if (typeof value === "object" && value !== null) fillMap(doc.getMap(name), value)
      else
        throw new TypeError(
          `The root "${name}" is ${JSON.stringify(value)}: it has to be an object, an array or a text`,
        )
    }
  })
  return Y.encodeStateAsUpdate(doc)
}

/** JSON as the shared type that lets people edit it together. */
function shared(value: unknown): unknown {
  if (Array.isArray(value)) return fillArray(new Y.Array(), value)
  if (typeof value === "object" && value !== null) return fillMap(new Y.Map(), value)
  return value
}

function fillMap(map: Y.Map<unknown>, entries: object): Y.Map<unknown> {
  for (const [key, value] of Object.entries(entries)) map.set(key, shared(value))
  return map
}

function fillArray(array: Y.Array<unknown>, values: unknown[]): Y.Array<unknown> {
  array.push(values.map(shared))
  return array
}

/** 32 bits of a hash: a client id that only this content has. */
async function clientIdOf(content: string): Promise<number> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(content))
  return new DataView(hash).getUint32(0)
}
