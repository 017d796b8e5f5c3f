/** One round of a fault: the servers, editors and databases it uses, its random numbers, and the last look at it all. */
import * as prng from "lib0/prng"
import { startPostgres, type TestPostgres } from "../kit/postgres.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"
import { Editor } from "./editor.ts"
import { FaultServer, type Patch, type RoomServer, type ServerOptions } from "./harness.ts"
import { checkArchived, checkConverged, checkRoomKept, checkSockets, checkStored } from "./invariants.ts"

/** A fault and how it is struck. */
export interface Fault {
  /** As the table names it. */
  readonly name: string
  /** The rule of the house that it tries. */
  readonly rule: string
  /** Rounds in the test command, and in the long run. */
  readonly rounds: { readonly short: number; readonly long: number }
  /** Strike once and check the invariants; throws where one is broken. */
  strike(world: World): Promise<void>
}

/** A webhook archive that keeps documents in this process, so that it outlives the server. */
export type Receiver = Awaited<ReturnType<typeof startReceiver>>

let rooms = 0

export class World {
  readonly seed: number
  readonly random: prng.PRNG
  /** What is wrong with the source in this round; nothing, but for the mutants. */
  readonly #patches: readonly Patch[]
  readonly #editors: Editor[] = []
  readonly #ends: (() => unknown)[] = []

  constructor(seed: number, { patches = [] }: { patches?: readonly Patch[] } = {}) {
    this.seed = seed
    this.#patches = patches
    this.random = prng.create(seed)
  }

  /** How many edits were acknowledged in this round. */
  get acknowledged(): number {
    return this.#editors.reduce((sum, editor) => sum + editor.acknowledged, 0)
  }

  /** A number from 0 to below this. */
  below(count: number): number {
    return prng.int32(this.random, 0, count - 1)
  }

  /** An id that no other round has used. */
  id(): string {
    return `room-${++rooms}`
  }

  /** Start a server; it ends with the round. */
  async serve(options: ServerOptions = {}): Promise<FaultServer> {
    const server = await FaultServer.start({
      ...options,
      patches: [...this.#patches, ...(options.patches ?? [])],
    })
    this.atEnd(() => server.stop())
    return server
  }

  /** A server whose archive is a webhook receiver in this process. */
  async serveArchived(options: ServerOptions = {}): Promise<{ server: FaultServer; receiver: Receiver }> {
    const receiver = await startReceiver()
    const vars = { ...options.vars, WEBHOOK_URL: receiver.url, WEBHOOK_SECRET }
    const server = await this.serve({ ...options, vars })
    this.atEnd(() => receiver.close())
    return { server, receiver }
  }

  /** Make editors that are not connected yet. */
  editors(count: number): Editor[] {
    const made = Array.from({ length: count }, (_, i) => {
      const editor = new Editor(`editor${this.#editors.length + i}`, this.below(2 ** 31 - 1))
      this.atEnd(() => editor.disconnect())
      return editor
    })
    this.#editors.push(...made)
    return made
  }

  /** Make editors and bring them into a room. */
  async enter(server: RoomServer, id: string, count: number): Promise<Editor[]> {
    const editors = this.editors(count)
    await Promise.all(editors.map((editor) => editor.connect(server.address(id))))
    return editors
  }

  /** The Postgres of this run; all rounds share it. */
  postgres(): Promise<TestPostgres> {
    sharedPostgres ??= startPostgres()
    return sharedPostgres
  }

  /** What makes it the archive; as somebody whose rights can be taken away, where there are such. */
  async postgresVars(): Promise<Record<string, string>> {
    const { url, query, kind } = await this.postgres()
    if (kind === "pglite") return { POSTGRES_URL: url, POSTGRES_MIGRATE: "true" }
    await query(`do $$ begin
      if not exists (select from pg_roles where rolname = 'yurt') then create role yurt login; end if;
      grant create, usage on schema public to yurt;
    end $$`)
    return { POSTGRES_URL: url.replace("postgres:postgres@", "yurt:yurt@"), POSTGRES_MIGRATE: "true" }
  }

  /** Do this when the round is over. */
  atEnd(end: () => unknown): void {
    this.#ends.push(end)
  }

  /**
   * The fault is over and the server runs: check what must hold.
   *
   * @param options.cuts how many connections the fault may have cost each editor
   * @param options.alone false where the editors may be needed to give back what the disk lost
   * @param options.archived false where there is no archive
   */
  async settle(
    server: RoomServer,
    id: string,
    {
      editors,
      cuts = 0,
      alone = true,
      archived = true,
    }: { editors: readonly Editor[]; cuts?: number; alone?: boolean; archived?: boolean },
  ): Promise<void> {
    checkSockets(editors, { cuts })
    if (alone) {
      for (const editor of editors) editor.disconnect()
      await checkRoomKept(server, id, editors)
    }
    await Promise.all(
      editors.filter(({ connected }) => !connected).map((editor) => editor.connect(server.address(id))),
    )
    await Promise.all(editors.map((editor) => editor.saved()))
    await checkConverged(server, id, editors)
    checkSockets(editors, { cuts })
    if (archived) await checkArchived(server, id)
    if (!(server instanceof FaultServer)) return
    await server.locate(id)
    await server.kill()
    checkStored(server, id, editors)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.reverse()) await end()
  }
}

let sharedPostgres: Promise<TestPostgres> | null = null

/** End what rounds share. */
export async function closeShared(): Promise<void> {
  await (await sharedPostgres)?.close()
  sharedPostgres = null
}
