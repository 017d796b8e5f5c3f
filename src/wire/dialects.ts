/** Every dialect, by name: a socket that outlives the memory of its room keeps the name of what it speaks. */
import type { Dialect } from "./dialect.ts"
import { hocuspocus, hocuspocusName } from "./hocuspocus.ts"
import { yurt, yWebsocket } from "./y-websocket.ts"

/** The dialect of this name; stock y-websocket where there is none of it. */
export function dialectNamed(name: string): Dialect {
  if (name === yurt.name) return yurt
  const key = hocuspocusName.keyOf(name)
  return key === null ? yWebsocket : hocuspocus(key)
}
