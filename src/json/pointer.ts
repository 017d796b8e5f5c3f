/** JSON pointers, and what JSON from outside may be before anything recursive looks at it. */
import { SyncError } from "../errors.ts"
import type { Json } from "../export/json.ts"
import type { Limits } from "../limits.ts"

/**
 * The names in a JSON pointer: `/a~1b/0` → `["a/b", "0"]`; `""` → `[]`, the whole document.
 *
 * @param most names it may have
 * @throws SyncError "bad-request" where it is none
 * @source RFC 6901
 */
export function parsePointer(pointer: unknown, most: number): string[] {
  if (typeof pointer !== "string")
    throw new SyncError("bad-request", `A path is a JSON pointer like "/notes/0", not ${show(pointer)}.`)
  if (pointer === "") return []
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer))
    throw new SyncError(
      "bad-request",
      `${show(pointer)} is no JSON pointer: each name begins with /, and ~ is ~0.`,
    )
  const names = pointer.slice(1).split("/")
  if (names.length > most)
    throw new SyncError("bad-request", `A path of ${names.length} names; at most ${most} are followed.`)
  return names.map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"))
}

/** The pointer of these names. */
export function writePointer(names: readonly (string | number)[]): string {
  return names.map((name) => `/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")
}

/**
 * JSON text as a value.
 * @throws SyncError "too-large" where it has too many objects, "bad-request" where it is none, nests too deep, or names a key `__proto__`, which would be another
 *   thing in most programs that read it
 */
export function parseJson(body: Uint8Array, limits: Pick<Limits, "jsonDepth" | "jsonNodes">): Json {
  let value: Json
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body)) as Json
  } catch (cause) {
    throw new SyncError("bad-request", "The body is no JSON in UTF-8.", { cause })
  }
  checkJson(value, limits)
  return value
}

/**
 * Refuse what would take too long to be written. Without recursion, so that no depth overflows the stack.
 * @throws SyncError "bad-request" | "too-large"
 */
export function checkJson(
  value: Json,
  { jsonDepth, jsonNodes }: Pick<Limits, "jsonDepth" | "jsonNodes">,
): void {
  let level: Json[] = [value]
  let nodes = 0
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > jsonDepth) throw new SyncError("bad-request", `The JSON nests more than ${jsonDepth} deep.`)
    nodes += level.length
    if (nodes > jsonNodes)
      throw new SyncError("too-large", `More than ${jsonNodes} objects and lists come at once.`)
    const below: Json[] = []
    for (const one of level) {
      if (typeof one !== "object" || one === null) continue
      if (!Array.isArray(one) && Object.hasOwn(one, "__proto__"))
        throw new SyncError("bad-request", "No key may be named __proto__.")
      for (const member of Array.isArray(one) ? one : Object.values(one)) {
        if (typeof member === "object" && member !== null) below.push(member)
      }
    }
    level = below
  }
}

/** How much of a value a message shows, characters. */
const SHOWN_LENGTH = 120

/** A value in a message: its JSON, cut where it is long. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing"
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH).toWellFormed()}…` : text
}
