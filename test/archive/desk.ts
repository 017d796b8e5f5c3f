/**
 * An archive that runs in workerd, used from Node: each call goes over HTTP to `desk-worker.ts`, in a
 * real workerd with real bindings, and comes back with what the adapter there said.
 */

import { fileURLToPath } from "node:url"
import { createTestHarness } from "wrangler"
import type { Archive } from "../../src/archive/archive.ts"
import { patient } from "../../src/archive/contract.ts"
import type { OpenArchive } from "./contract.ts"
import { packMark, packWrite, unpackLookup } from "./parcel.ts"

const BINDINGS = {
  d1: { d1_databases: [{ binding: "DB", database_name: "yurt", database_id: "yurt" }] },
  r2: { r2_buckets: [{ binding: "BUCKET", bucket_name: "yurt" }] },
}

/** An archive in a workerd, and the question which one other variables would choose there. */
export interface ArchiveDesk extends OpenArchive {
  /** The name of the archive that these variables choose, beside the bindings; null takes a binding away. */
  choose(vars: Record<string, unknown>): Promise<string | null>
  /** Run a statement in the bound D1, as somebody with its console would. */
  sql<Row = Record<string, unknown>>(statement: string): Promise<Row[]>
  /** Put an object into the bound R2, as somebody with its dashboard would. */
  put(key: string, body: Uint8Array): Promise<void>
  /** Remove an object from the bound R2. */
  drop(key: string): Promise<void>
  /** The whole body of an object in the bound R2. */
  get(key: string): Promise<Uint8Array>
}

/**
 * Start a workerd with the archive that these variables and bindings choose.
 *
 * @param env.bindings which local databases are bound; `fault` is the switch of these
 * @param env.vars what wrangler.toml would say under [vars]
 */
export async function openDesk(env: {
  name: string
  bindings?: ("d1" | "r2")[]
  vars?: Record<string, string>
}): Promise<ArchiveDesk> {
  const harness = createTestHarness({
    workers: [
      {
        config: {
          name: "archive-desk",
          main: fileURLToPath(new URL("./desk-worker.ts", import.meta.url)),
          compatibility_date: "2026-10-23",
          durable_objects: { bindings: [{ name: "DESK", class_name: "Desk" }] },
          migrations: [{ tag: "v1", new_sqlite_classes: ["Desk"] }],
          vars: env.vars ?? {},
          ...Object.assign({}, ...(env.bindings ?? []).map((binding) => BINDINGS[binding])),
        },
      },
    ],
  })
  const { url } = await harness.listen()
  let calls = 0

  async function call(
    verb: string,
    query: Record<string, string | number>,
    { signal, body = null }: { signal: AbortSignal; body?: Uint8Array | null },
  ): Promise<Response> {
    const target = new URL(`/${verb}`, url)
    const number = String(++calls)
    for (const [name, value] of Object.entries({ ...query, call: number })) {
      target.searchParams.set(name, String(value))
    }
    // The signal ends the call over there, and this side waits for what the adapter then says.
    const abort = async () => {
      const stop = new URL(`/abort?call=${number}`, url)
      stop.searchParams.set("reason", signal.reason.message)
      await fetch(stop, { method: "POST" })
    }
    if (signal.aborted) await abort()
    signal.addEventListener("abort", abort, { once: true })
    const response = await fetch(target, {
      method: "POST",
      body: body as BodyInit | null,
      // A connection that is kept may be closed over there just when a slow machine uses it again.
      headers: { connection: "close" },
    })
    signal.removeEventListener("abort", abort)
    if (!response.ok) {
      const { code, message }: { code: string | null; message: string } = JSON.parse(await response.text())
      throw Object.assign(new Error(message), { code })
    }
    return response
  }

  const ask = (what: string, id: string, name: string, signal: AbortSignal, body: Uint8Array | null = null) =>
    call("segments", { do: what, id, name }, { signal, body })
  const archive: Archive = {
    name: env.name,
    ...(env.bindings?.includes("r2") && {
      segments: {
        async put(id, name, bytes, signal) {
          await ask("put", id, name, signal, bytes)
        },
        async get(id, name, signal) {
          const response = await ask("get", id, name, signal)
          return response.headers.get("found") === "true"
            ? new Uint8Array(await response.arrayBuffer())
            : null
        },
        list: async (id, name, signal) => (await ask("list", id, name, signal)).json(),
        async remove(id, name, signal) {
          await ask("remove", id, name, signal)
        },
      },
    }),
    async load(id, signal) {
      const response = await call("load", { id }, { signal })
      return unpackLookup(new Uint8Array(await response.arrayBuffer()))
    },
    async store(id, document, expected, signal) {
      const response = await call("store", { id }, { signal, body: packWrite(document, expected) })
      return (await response.text()) as "stored" | "conflict"
    },
    async remove(id, mark, expected, signal) {
      const response = await call("remove", { id }, { signal, body: packMark(mark, expected) })
      return (await response.text()) as "stored" | "conflict"
    },
    async list(page, signal) {
      const body = new TextEncoder().encode(JSON.stringify(page))
      return (await call("list", {}, { signal, body })).json()
    },
  }

  return {
    archive,
    async choose(vars) {
      const body = Buffer.from(JSON.stringify(vars))
      return (await call("choose", {}, { signal: patient(), body })).json()
    },
    async sql(statement) {
      return (await call("sql", {}, { signal: patient(), body: Buffer.from(statement) })).json()
    },
    async put(key, body) {
      await call("put", { key }, { signal: patient(), body })
    },
    async drop(key) {
      await call("drop", { key }, { signal: patient() })
    },
    async get(key) {
      return new Uint8Array(await (await call("get", { key }, { signal: patient() })).arrayBuffer())
    },
    async fault(kind) {
      await fetch(new URL(`/fault?kind=${kind}`, url), { method: "POST" })
    },
    close: () => harness.close(),
  }
}
