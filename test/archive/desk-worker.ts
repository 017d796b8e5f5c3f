/**
 * A Worker whose only room is a desk that carries out archive calls sent to it over HTTP: so that an adapter
 * runs where it will run, in a Durable Object in workerd, while the test around it starts and stops databases.
 *
 * POST /{load|store|remove|list}?call=&id=&cursor=&limit= · POST /segments?do=&id=&name= · POST /abort?call=&reason= ends that call's
 * signal · POST /choose says which archive the variables in its body would choose · POST /fault?kind= makes the bound D1 or R2 refuse or hang · POST /sql runs the
 * statement in its body in the bound D1 · POST /put?key=, /get?key= and /drop?key= reach into the bound R2 by hand. `desk.ts` is the other end.
 */

import type { D1Database, DurableObjectNamespace, R2Bucket } from "@cloudflare/workers-types"
import type { Archive, IndexPage } from "../../src/archive/archive.ts"
import { type ArchiveEnv, chooseArchive } from "../../src/archive/choose.ts"
import { SyncError } from "../../src/errors.ts"
import { packLookup, unpackMark, unpackWrite } from "./parcel.ts"

interface Env extends ArchiveEnv {
  DESK: DurableObjectNamespace
}

export default {
  fetch: (request: Request, env: Env) =>
    env.DESK.get(env.DESK.idFromName("desk")).fetch(request.url, request as never),
}

export class Desk {
  readonly #archive: Archive
  readonly #env: Env
  readonly #calls = new Map<string, AbortController>()
  #fault = "none"

  constructor(_state: unknown, env: Env) {
    this.#env = env
    const archive = chooseArchive({
      ...env,
      ...(env.DB && { DB: this.#faulty<D1Database>(env.DB, ["batch"]) }),
      ...(env.BUCKET && {
        BUCKET: this.#faulty<R2Bucket>(env.BUCKET, ["get", "head", "put", "list", "delete"]),
      }),
    })
    if (archive === null) throw new Error("the test bound no archive")
    this.#archive = archive
  }

  /** The same binding, whose asynchronous methods obey the switch. */
  #faulty<Binding extends object>(binding: Binding, methods: string[]): Binding {
    return new Proxy(binding, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== "function") return value
        return (...values: unknown[]) => {
          if (methods.includes(String(name))) {
            if (this.#fault === "refuses") return Promise.reject(new Error("the test refuses"))
            // A timer, since workerd ends a request that waits for nothing at all.
            if (this.#fault === "hangs") return new Promise((resolve) => setTimeout(resolve, 60_000))
          }
          return value.apply(target, values)
        }
      },
    })
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const verb = url.pathname.slice(1)
    const query = (name: string) => url.searchParams.get(name) ?? ""
    const body = new Uint8Array(await request.arrayBuffer())
    if (verb === "fault") {
      this.#fault = query("kind")
      return new Response()
    }
    const stop = this.#calls.get(query("call")) ?? new AbortController()
    this.#calls.set(query("call"), stop)
    if (verb === "abort") {
      stop.abort(new Error(query("reason")))
      return new Response()
    }
    try {
      return await this.#carryOut(verb, query, body, stop.signal)
    } catch (error) {
      const code = error instanceof SyncError ? error.code : null
      return Response.json(
        { code, message: error instanceof Error ? error.message : String(error) },
        { status: 500 },
      )
    } finally {
      this.#calls.delete(query("call"))
    }
  }

  async #carryOut(
    verb: string,
    query: (name: string) => string,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Response> {
    switch (verb) {
      case "load": {
        return new Response(packLookup(await this.#archive.load(query("id"), signal)) as BodyInit)
      }
      case "store": {
        const { document, expected } = unpackWrite(body)
        return new Response(await this.#archive.store(query("id"), document, expected, signal))
      }
      case "remove": {
        const { mark, expected } = unpackMark(body)
        return new Response(await this.#archive.remove(query("id"), mark, expected, signal))
      }
      case "list": {
        const page = JSON.parse(new TextDecoder().decode(body)) as IndexPage
        return Response.json(await this.#archive.list(page, signal))
      }
      case "segments": {
        const segments = this.#archive.segments!
        const [id, name] = [query("id"), query("name")]
        switch (query("do")) {
          case "put":
            return new Response((await segments.put(id, name, body, signal)) as undefined)
          case "get":
            return new Response(((await segments.get(id, name, signal)) ?? null) as BodyInit | null, {
              headers: { found: String((await segments.get(id, name, signal)) !== null) },
            })
          case "list":
            return Response.json(await segments.list(id, name, signal))
          default:
            return new Response((await segments.remove(id, name, signal)) as undefined)
        }
      }
      case "drop": {
        await this.#env.BUCKET!.delete(query("key"))
        return new Response()
      }
      case "choose": {
        const vars = JSON.parse(new TextDecoder().decode(body))
        return Response.json(chooseArchive({ ...this.#env, ...vars })?.name ?? null)
      }
      case "sql": {
        const { results } = await this.#env.DB!.prepare(new TextDecoder().decode(body)).all()
        return Response.json(results)
      }
      case "put": {
        await this.#env.BUCKET!.put(query("key"), body)
        return new Response()
      }
      case "get": {
        const object = await this.#env.BUCKET!.get(query("key"))
        return new Response((await object!.arrayBuffer()) as BodyInit)
      }
      default:
        throw new Error(`no such verb: ${verb}`)
    }
  }
}
