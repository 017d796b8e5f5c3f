/**
 * Stock clients beside the editors of a round: y-websocket and y-partyserver's YProvider, who write, and a reader. They
 * have no known history; what they are for is that nobody honest is refused or closed, and that all see the same.
 */

import { documentPath } from "../kit/addresses.ts"
import { type Client, openWebsocketProvider, openYProvider } from "../kit/clients.ts"
import { until } from "../kit/until.ts"
import type { RoomServer } from "./harness.ts"

/** A stock client, and what to call it. */
export interface StockClient extends Client {
  readonly name: string
  readonly writes: boolean
  connect(): void
  disconnect(): void
  /** It has no connection. */
  gone(): boolean
}

export class Company {
  readonly clients: readonly StockClient[]
  #words = 0

  private constructor(clients: readonly StockClient[]) {
    this.clients = clients
  }

  /** Bring a company into a room; resolves when everyone is synced. */
  static async join(server: RoomServer, id: string): Promise<Company> {
    const company = new Company(
      (["y-websocket", "YProvider", "a reader"] as const).map((name) => {
        const writes = name !== "a reader"
        const token = server.token({ subject: name, rights: writes ? "write" : "read" })
        const params = token === null ? {} : { token }
        const docs = `${server.url.replace("http", "ws")}${documentPath("")}`.replace(/\/$/, "")
        const client =
          name === "YProvider"
            ? openYProvider(server.url, id, { params })
            : openWebsocketProvider(docs, id, { params })
        return Object.assign(client, {
          ...{ name, writes },
          connect: () => void client.provider.connect(),
          disconnect: () => client.provider.disconnect(),
          gone: () => !client.provider.wsconnected && client.provider.ws === null,
        })
      }),
    )
    await company.#synced()
    return company
  }

  /** Come back, and wait until everyone is synced. */
  async connect(): Promise<void> {
    for (const client of this.clients) client.connect()
    await this.#synced()
  }

  /** Go, keep the document, and do not come back before `connect`. */
  async disconnect(): Promise<void> {
    this.release()
    // Until then a provider calls itself synced.
    await until(() => this.clients.every(({ gone }) => gone()), "the stock clients are gone")
  }

  /** The same, without waiting until everyone is gone. */
  release(): void {
    for (const client of this.clients) client.disconnect()
  }

  /** Those who may write do so. */
  write(): void {
    for (const { doc, name, writes } of this.clients) {
      if (writes) doc.getMap("company").set(`${name}:${this.#words}`, this.#words)
    }
    this.#words++
  }

  leave(): void {
    for (const client of this.clients) client.leave()
  }

  async #synced(): Promise<void> {
    await until(() => this.clients.every(({ synced }) => synced), "the stock clients are synced")
  }
}
