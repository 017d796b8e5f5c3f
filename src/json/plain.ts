/** JSON Patch on plain JSON: what lies inside one value of a document, or in the view of a rich text. */
import { SyncError } from "../errors.ts"
import type { Json } from "../export/json.ts"
import { show } from "./pointer.ts"

/** What an operation does at its place: `value` is what stands there afterwards. */
export type Act =
  | { readonly kind: "add"; readonly value: Json }
  | { readonly kind: "replace"; readonly value: Json }
  | { readonly kind: "remove" }

/** Whether two values are the same JSON, whatever the order of keys. */
export function isSameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const keys = Object.keys(one)
  if (keys.length !== Object.keys(other).length) return false
  return keys.every(
    (key) => Object.hasOwn(other, key) && isSameJson(Reflect.get(one, key), Reflect.get(other, key)),
  )
}

/**
 * The value at these names; undefined where there is none.
 */
export function getAt(value: Json, names: readonly string[]): Json | undefined {
  let at: Json | undefined = value
  for (const name of names) {
    if (typeof at !== "object" || at === null) return undefined
    if (Array.isArray(at)) at = isIndex(name) ? at[Number(name)] : undefined
    else at = Object.hasOwn(at, name) ? at[name] : undefined
    if (at === undefined) return undefined
  }
  return at
}

/**
 * The value with something done at these names; the rest of it is shared with the old one, which stays as it was.
 *
 * @param names at least one
 * @throws SyncError "patch-failed" that says what stood where the path leads
 */
export function actAt(value: Json, names: readonly string[], act: Act): Json {
  const [name, ...rest] = names as [string, ...string[]]
  if (Array.isArray(value)) {
    const index = readIndex(name, value.length, { mayEnd: rest.length === 0 && act.kind === "add" })
    if (rest.length > 0) return value.with(index, actAt(value[index]!, rest, act))
    if (act.kind === "add") return value.toSpliced(index, 0, act.value)
    return act.kind === "replace" ? value.with(index, act.value) : value.toSpliced(index, 1)
  }
  if (typeof value !== "object" || value === null)
    throw new SyncError("patch-failed", `there is ${show(value)}, which has no ${show(name)} in it`)
  if (rest.length === 0 && act.kind === "add") return { ...value, [name]: act.value }
  if (!Object.hasOwn(value, name))
    throw new SyncError("patch-failed", `there is no ${show(name)} in ${show(value)}`)
  if (rest.length > 0) return { ...value, [name]: actAt(value[name]!, rest, act) }
  if (act.kind === "replace") return { ...value, [name]: act.value }
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
}

/**
 * The place that a name means in a list.
 *
 * @param options.mayEnd whether `-` and the length mean the end, where something can be added
 * @throws SyncError "patch-failed"
 */
export function readIndex(name: string, length: number, { mayEnd }: { mayEnd: boolean }): number {
  if (mayEnd && name === "-") return length
  if (!isIndex(name))
    throw new SyncError("patch-failed", `there is a list, and ${show(name)} is no place in it`)
  const index = Number(name)
  if (index > length || (index === length && !mayEnd))
    throw new SyncError("patch-failed", `there is a list of ${length}, which has no place ${name}`)
  return index
}

/** What JSON Merge Patch makes of a value. @source RFC 7396, 2 */
export function mergeJson(value: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const merged = new Map(Object.entries(isObject(value) ? value : {}))
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key)
    else merged.set(key, mergeJson(merged.get(key), change))
  }
  return Object.fromEntries(merged)
}

/** Whether a value is an object of keys. */
export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function isIndex(name: string): boolean {
  return /^(0|[1-9]\d{0,14})$/.test(name)
}
