// What a Durable Object would be billed for, counted inside it: rows read and written (by SQL, by the key-value
// methods, by setAlarm), wakes, alarms, messages, and the time in which it could not hibernate because a timer
// was pending or a handler had not returned. Bundled around a room class by servers.ts for the scenarios that
// ask for it; the counts live in the isolate, so they survive a hibernation. GET /__meter answers them.

const counts = { wakes: 0, alarms: 0, messages: 0, requests: 0, rowsRead: 0, rowsWritten: 0, awakeMs: 0 }

let holders = 0
let awakeSinceMs = 0
function hold() {
  if (holders++ === 0) awakeSinceMs = Date.now()
}
function release() {
  if (--holders === 0) counts.awakeMs += Date.now() - awakeSinceMs
}

/** Count the wall-clock time until what a handler returns has settled. */
function during(run) {
  hold()
  let result
  try {
    result = run()
  } catch (error) {
    release()
    throw error
  }
  if (typeof result?.then !== "function") {
    release()
    return result
  }
  return result.finally(release)
}

const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis
const pending = new Set()
globalThis.setTimeout = (callback, ms, ...args) => {
  hold()
  const timer = startTimer(() => {
    if (pending.delete(timer)) release()
    callback(...args)
  }, ms)
  pending.add(timer)
  return timer
}
globalThis.clearTimeout = (timer) => {
  if (pending.delete(timer)) release()
  stopTimer(timer)
}
const wait = scheduler.wait.bind(scheduler)
Object.defineProperty(scheduler, "wait", { value: (...args) => during(() => wait(...args)) })

/** Replace a platform object's method by one that counts first. */
function watch(target, name, note) {
  const original = target?.[name]?.bind(target)
  if (original === undefined) return
  Object.defineProperty(target, name, {
    configurable: true,
    value: (...args) => {
      const result = original(...args)
      note(args, result)
      return result
    },
  })
}

const size = (keys) => (Array.isArray(keys) ? keys.length : 1)

function meterStorage(storage) {
  // A cursor's counts are final when it has been read to the end, which callers do within the turn.
  watch(storage.sql, "exec", (_args, cursor) => {
    queueMicrotask(() => {
      counts.rowsRead += cursor.rowsRead
      counts.rowsWritten += cursor.rowsWritten
    })
  })
  for (const keyed of [storage, storage.kv]) {
    watch(keyed, "get", ([keys]) => {
      counts.rowsRead += size(keys)
    })
    watch(keyed, "put", ([entries]) => {
      counts.rowsWritten += typeof entries === "object" ? Object.keys(entries).length : 1
    })
    watch(keyed, "delete", ([keys]) => {
      counts.rowsWritten += size(keys)
    })
    watch(keyed, "list", (_args, result) => {
      Promise.resolve(result).then((found) => {
        counts.rowsRead += found.size ?? 1
      })
    })
  }
  watch(storage, "setAlarm", () => {
    counts.rowsWritten++
  })
}

/** The class, counted. */
export function metered(Room) {
  return class extends Room {
    constructor(ctx, env) {
      meterStorage(ctx.storage)
      super(ctx, env)
      counts.wakes++
    }
    fetch(request) {
      counts.requests++
      return during(() => super.fetch(request))
    }
    alarm(info) {
      counts.alarms++
      return during(() => super.alarm(info))
    }
    webSocketMessage(socket, message) {
      counts.messages++
      return during(() => super.webSocketMessage(socket, message))
    }
  }
}

/** The Worker, with GET /__meter in front. */
export function meteredWorker(worker) {
  return {
    fetch(request, env, ctx) {
      if (new URL(request.url).pathname !== "/__meter") return worker.fetch(request, env, ctx)
      const running = holders > 0 ? Date.now() - awakeSinceMs : 0
      return Response.json({ ...counts, awakeMs: counts.awakeMs + running })
    },
  }
}
