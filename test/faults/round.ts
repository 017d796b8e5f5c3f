/** One round of a fault: the servers, editors and databases it uses, its random numbers, and the last look at it all. */
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { startPostgres, type TestPostgres } from "../kit/postgres.ts"
import { shuffle } from "../kit/updates.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"
import { Company } from "./company.ts"
import { Editor } from "./editor.ts"
import { type Auth, FaultServer, type Patch, type RoomServer, type ServerOptions } from "./harness.ts"
import {
  Broken,
  checkArchived,
  checkConverged,
  checkRoomKept,
  checkSockets,
  checkStored,
  checkWelcome,
} from "./invariants.ts"

/** A fault and how it is struck. */
export interface Fault {
  /** As the table names it. */
  readonly name: string
  /** The rule of the house that it tries. */
  readonly rule: string
  /** Rounds in the test command, in turns with tokens and open; and in the long run, with each. */
  readonly rounds: { readonly short: number; readonly long: number }
  /** Where only one way of coming in makes sense. Default: both. */
  readonly auth?: Auth
  /** Strike once and check the invariants; throws where one is broken. */
  strike(round: Round): Promise<void>
}

/** A webhook archive that keeps documents in this process, so that it outlives the server. */
export type Receiver = Awaited<ReturnType<typeof startReceiver>>

let rooms = 0

export interface RoundOptions {
  readonly auth: Auth
  /** What is changed in the source in this round; nothing, but for the mutants. */
  readonly patches?: readonly Patch[]
  /** A way in which the Worker misbehaves on purpose; none, but for the mutants. */
  readonly mutant?: string | undefined
}

export class Round {
  readonly seed: number
  /** With tokens each editor is a subject of their own, and stock clients and a reader are there as well. */
  readonly auth: Auth
  readonly random: prng.PRNG
  readonly #patches: readonly Patch[]
  readonly #mutant: string | undefined
  readonly #editors: Editor[] = []
  #company: Company | null = null
  readonly #ends: (() => unknown)[] = []

  constructor(seed: number, { auth, patches = [], mutant }: RoundOptions) {
    this.seed = seed
    this.auth = auth
    this.#patches = patches
    this.#mutant = mutant
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
      ...{ auth: this.auth, mutant: this.#mutant },
      patches: [...this.#patches, ...(options.patches ?? [])],
    })
    this.atEnd(() => server.stop())
    // They would give back what the disk lost.
    server.onKill = () => this.#company?.release()
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
      this.atEnd(() => editor.detach())
      return editor
    })
    this.#editors.push(...made)
    return made
  }

  /**
   * Make editors and bring them into a room; with tokens, stock clients and a reader beside them.
   *
   * @param options.company false where stock clients would undo the fault: they reconnect by themselves, and renew their
   * presence
   */
  async enter(
    server: RoomServer,
    id: string,
    count: number,
    { company = this.auth === "tokens" } = {},
  ): Promise<Editor[]> {
    const editors = this.editors(count)
    await Promise.all(editors.map((editor) => editor.connect(server, id)))
    if (company && this.#company === null) {
      const joined = await Company.join(server, id)
      this.#company = joined
      this.atEnd(() => joined.leave())
    }
    return editors
  }

  /** The stock clients of this round; null where there are none. */
  get company(): Company | null {
    return this.#company
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

  /** What Postgres holds of a document; null where it holds none. */
  async inPostgres(id: string): Promise<Y.Doc | null> {
    const { query } = await this.postgres()
    const [row] = await query<{ hex: string | null }>(
      "select encode(update, 'hex') as hex from yurt_documents where id = $1 and deleted_at is null",
      [id],
    )
    if (row === undefined || row.hex === null) return null
    const doc = new Y.Doc()
    Y.applyUpdate(doc, Buffer.from(row.hex, "hex"))
    return doc
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
    const company = this.#company
    checkSockets(editors, { cuts })
    checkWelcome(company?.clients ?? [])
    if (alone) {
      for (const editor of editors) editor.detach()
      await company?.disconnect()
      await checkRoomKept(server, id, editors)
    }
    // In any order: whoever comes first brings what the others wrote.
    for (const editor of shuffle(this.random, editors)) {
      if (!editor.connected) await editor.connect(server, id)
    }
    await company?.connect()
    company?.write()
    await Promise.all(editors.map((editor) => editor.allSaved()))
    const everyone = [...editors, ...(company?.clients ?? [])]
    checkWelcome(everyone)
    await checkConverged(server, id, everyone)
    checkSockets(editors, { cuts })
    checkWelcome(everyone)
    if (archived) await checkArchived(server, id)
    if (!(server instanceof FaultServer)) return
    await server.locate(id)
    await server.kill()
    checkStored(server, id, editors)
  }

  /** Why the round could not go on: who waited in vain may have been refused, which says more. */
  explain(thrown: unknown): Error {
    if (thrown instanceof Broken) return thrown
    try {
      checkWelcome([...this.#editors, ...(this.#company?.clients ?? [])])
    } catch (broken) {
      if (broken instanceof Broken) return broken
    }
    return thrown instanceof Error ? thrown : new Error(String(thrown))
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
