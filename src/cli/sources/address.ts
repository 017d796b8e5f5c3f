/**
 * A server that has no list and no layout that can be read from outside: its documents are fetched one by one, by ids that
 * `--ids` names. That is where y-durableobjects and y-partyserver keep theirs, inside Durable Objects of one's own.
 *
 * - `https://old.example.com/export/{id}`: a route of one's own that answers the document's update. y-durableobjects' is
 *   `new Response(await stub.getYDoc())`.
 * - `wss://old.example.com/{id}`: nothing has to be built there. It is asked as a client asks, by the sync protocol of
 *   y-websocket, which all of them speak.
 *
 * SOURCE_AUTHORIZATION is sent as the header `authorization`; a socket's token goes into its URL.
 *
 * @source y-durableobjects, src/yjs/index.ts: getYDoc; y-protocols 1.0, sync.js
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import * as Y from "yjs"
import { ask } from "../ask.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource } from "./source.ts"

/** How long a socket may take to answer with the document, ms. */
const SOCKET_MS = 30_000

/** Of the protocol: a message about the document, and its kinds. */
const SYNC = 0
const STEP_1 = 0
const STEP_2 = 1

/** Open a URL in which `{id}` stands for a document's id. */
export const openAddress: OpenSource = async (where, { settings, ids }) => {
  if (!/^(https?|wss?):\/\//.test(where) || !where.includes("{id}") || !URL.canParse(where))
    throw new CommandError("usage", `${where} is no http, https, ws or wss URL with {id} in it.`)
  if (ids === null)
    throw new CommandError("usage", "This server has no list: --ids names a file with an id a line.")
  const isSocket = where.startsWith("ws")
  if (isSocket && typeof WebSocket === "undefined")
    throw new CommandError(
      "not-installed",
      `Node ${process.versions.node} has no WebSocket of its own.`,
      "Use Node 22 or newer.",
    )
  const authorization = settings.SOURCE_AUTHORIZATION
  const read = (id: string) => {
    // A socket's path is most often split at slashes, a route's parameter is not.
    const encoded = isSocket ? id.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(id)
    const url = where.replaceAll("{id}", () => encoded)
    return isSocket ? readSocket(url) : readRoute(url, authorization)
  }
  return {
    documents: () => ids.map((id) => ({ id, read: () => read(id) })),
    close: async () => {},
  }
}

async function readRoute(url: string, authorization: string | undefined): Promise<Uint8Array> {
  const headers = authorization === undefined ? {} : { authorization }
  const { status, body } = await ask({ url, headers: () => headers, taken: [404] })
  if (status === 404) throw new CommandError("bad-source", "the server has no such document")
  return body
}

/** Ask for everything, as a client that has nothing. */
function readSocket(url: string): Promise<Uint8Array> {
  const socket = new WebSocket(url)
  socket.binaryType = "arraybuffer"
  return new Promise<Uint8Array>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      socket.close()
    }
    const fail = (why: string) => {
      stop()
      reject(new CommandError("bad-source", why))
    }
    const timer = setTimeout(() => fail(`no document came within ${SOCKET_MS} ms`), SOCKET_MS)
    socket.addEventListener("open", () => {
      const step1 = encoding.createEncoder()
      encoding.writeVarUint(step1, SYNC)
      encoding.writeVarUint(step1, STEP_1)
      encoding.writeVarUint8Array(step1, Y.encodeStateVector(new Y.Doc()))
      socket.send(encoding.toUint8Array(step1) as Uint8Array<ArrayBuffer>)
    })
    socket.addEventListener("message", ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return
      const decoder = decoding.createDecoder(new Uint8Array(data))
      if (decoding.readVarUint(decoder) !== SYNC || decoding.readVarUint(decoder) !== STEP_2) return
      stop()
      resolve(decoding.readVarUint8Array(decoder).slice())
    })
    socket.addEventListener("error", () => fail("the server took no socket"))
    socket.addEventListener("close", ({ code, reason }) =>
      fail(`the server closed the socket: ${code} ${reason}`),
    )
  })
}
