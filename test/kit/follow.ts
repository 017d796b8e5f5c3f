/** What somebody does who follows a document as JSON: does the operations on the value they hold. Written for tests, by the RFC. */

type Value = null | boolean | number | string | Value[] | { [key: string]: Value }

/** A value after a patch of a stream. */
export function follow(value: unknown, patch: readonly object[]): unknown {
  const root = { value: value as Value }
  for (const operation of patch) {
    const { op, path, ...rest } = operation as { op: string; path: string; [name: string]: unknown }
    const names = ["value", ...(path === "" ? [] : path.slice(1).split("/"))].map((name) =>
      name.replaceAll("~1", "/").replaceAll("~0", "~"),
    )
    const last = names.pop()!
    let holder: Value | undefined = root as unknown as Value
    for (const name of names) holder = (holder as { [key: string]: Value })[name]
    if (holder === undefined || holder === null) throw new Error(`nothing at ${path}`)
    act(holder as Value[] | { [key: string]: Value }, last, op, rest)
  }
  return root.value
}

function act(
  holder: Value[] | { [key: string]: Value },
  name: string,
  op: string,
  rest: Record<string, unknown>,
): void {
  const map = holder as { [key: string]: Value }
  const fresh = rest.value as Value
  switch (op) {
    case "add":
      if (Array.isArray(holder)) holder.splice(name === "-" ? holder.length : Number(name), 0, fresh)
      else map[name] = fresh
      return
    case "replace":
      if (!Object.hasOwn(holder, name)) throw new Error(`nothing to replace at ${name}`)
      map[name] = fresh
      return
    case "remove":
      if (!Object.hasOwn(holder, name)) throw new Error(`nothing to remove at ${name}`)
      if (Array.isArray(holder)) holder.splice(Number(name), 1)
      else delete map[name]
      return
    case "text": {
      const {
        index = 0,
        delete: remove = 0,
        insert = "",
      } = rest as { index?: number; delete?: number; insert?: string }
      const text = map[name]
      if (typeof text !== "string" || index + remove > text.length) throw new Error(`no such text at ${name}`)
      map[name] = text.slice(0, index) + insert + text.slice(index + remove)
      return
    }
    default:
      throw new Error(`unknown operation ${op}`)
  }
}
