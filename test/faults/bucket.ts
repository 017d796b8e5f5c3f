/** A bucket for parts of pasts, in this process, so that it outlives the servers that are killed. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** What stands in a bucket, `{id} {name}` → bytes, and where it is reached. */
export interface Bucket {
  readonly url: string
  readonly held: Map<string, Buffer>
  close(): Promise<void>
}

/** Start one on a free port. POST /{put|get|list|remove}?id=&name= */
export async function startBucket(): Promise<Bucket> {
  const held = new Map<string, Buffer>()
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://bucket")
    const id = searchParams.get("id")
    const key = `${id} ${searchParams.get("name")}`
    const body = Buffer.concat(await request.toArray())
    const keys = [...held.keys()].filter((one) => one.startsWith(key))
    switch (pathname) {
      case "/put":
        held.set(key, body)
        return response.end()
      case "/get":
        return held.has(key) ? response.end(held.get(key)) : response.writeHead(404).end()
      case "/list":
        return response.end(JSON.stringify(keys.map((one) => one.slice(`${id} `.length))))
      case "/remove":
        for (const one of keys) held.delete(one)
        return response.end()
      default:
        return response.writeHead(400).end()
    }
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    held,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}
