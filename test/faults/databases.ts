/** Faults: the archive's database is away, slow, locked, forgetful, or answers too late. Postgres, D1 and R2. */
import { fileURLToPath } from "node:url"
import postgres from "postgres"
import { createTestHarness } from "wrangler"
import { postgresArchive } from "../../src/archive/postgres.ts"
import { LIMITS, type Limits } from "../../src/limits.ts"
import type { TestPostgres } from "../kit/postgres.ts"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import { authVars, type FaultServer, QUICK, RoomServer } from "./harness.ts"
import { Broken, checkArchived, watchArchive } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"

interface Scene {
  readonly postgres: TestPostgres
  readonly server: FaultServer
  readonly id: string
  readonly editors: Editor[]
}

/** A fault of Postgres: it strikes while two people type, the room serves them on, and once it is over all is archived. */
function ofPostgres(
  name: string,
  rounds: Fault["rounds"],
  { strike, mend }: { strike: (scene: Scene) => unknown; mend: (scene: Scene) => unknown },
): Fault {
  return {
    name: `Postgres: ${name}`,
    rule: "A5",
    rounds,
    async strike(round) {
      const database = await round.postgres()
      const server = await round.serve({
        vars: await round.postgresVars(),
      })
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      const scene = { postgres: database, server, id, editors }
      for (const editor of editors) editor.write(5)
      await checkArchived(server, id)
      const revisionOf = async () => {
        const [row] = await database.query<{ revision: string }>(
          "select revision from yurt_documents where id = $1",
          [id],
        )
        return row === undefined ? null : Number(row.revision)
      }
      const stopWatching = watchArchive(revisionOf)
      try {
        await strike(scene)
        for (let i = 0; i < 3; i++) {
          for (const editor of editors) editor.write(5)
          // The room's own database is all that an acknowledgement waits for.
          await Promise.all(editors.map((editor) => editor.allSaved({ timeoutMs: 5_000 })))
        }
        await until(
          async () => (await server.status(id))?.archiveError !== null,
          "status shows the archive's error",
        )
      } finally {
        await mend(scene)
      }
      // Nobody types any more: the room has to come again by itself.
      await checkArchived(server, id)
      await stopWatching()
      await round.settle(server, id, { editors })
    },
  }
}

/** Hold a lock on the table until the returned function is called. */
async function lockTable({ url }: TestPostgres): Promise<() => Promise<void>> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  const locked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const transaction = sql.begin(async (sql) => {
    await sql`lock table yurt_documents in access exclusive mode`
    locked.resolve()
    await released.promise
  })
  // It ends with the server, where that is the fault.
  transaction.catch(locked.reject)
  await locked.promise
  return async () => {
    released.resolve()
    await transaction.catch(() => {})
    await sql.end({ timeout: 1 })
  }
}

const DAY_MS = 24 * 3600 * 1000

/** Somebody waits for the lock. PGlite has one connection, which could not be asked. */
async function isLocked({ query }: TestPostgres): Promise<boolean> {
  const waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'yurt'"
  return (await query(waits)).length > 0
}

let unlock = async () => {}

const POSTGRES: readonly Fault[] = [
  ofPostgres(
    "stopped",
    { short: 1, long: 3 },
    {
      strike: ({ postgres }) => postgres.stop(),
      mend: ({ postgres }) => postgres.start(),
    },
  ),
  ofPostgres(
    "killed in the middle of a flush",
    { short: 1, long: 3 },
    {
      async strike({ postgres, server, editors }) {
        unlock = await lockTable(postgres)
        // Nothing is hung up: the order makes the Worker say that it goes there.
        await server.inject({ hang: { step: "^store", times: 1, ms: 1 } })
        for (const editor of editors) editor.write(5)
        await until(() => server.output.includes("store waits"), "a flush is under way")
        if (postgres.kind === "postgres")
          await until(() => isLocked(postgres), "the flush waits for the lock")
        await postgres.kill()
      },
      async mend({ postgres }) {
        await unlock()
        await postgres.start()
      },
    },
  ),
  ofPostgres(
    "frozen, so that connections are made and nothing answers",
    { short: 1, long: 3 },
    {
      strike: ({ postgres }) => postgres.freeze(),
      mend: ({ postgres }) => postgres.thaw(),
    },
  ),
  ofPostgres(
    "table locked",
    { short: 0, long: 3 },
    {
      async strike({ postgres }) {
        unlock = await lockTable(postgres)
      },
      mend: () => unlock(),
    },
  ),
  ofPostgres(
    "rights revoked",
    { short: 0, long: 3 },
    {
      // PGlite knows one user, who may do everything: there a column is hidden instead.
      strike: ({ postgres }) =>
        postgres.query(
          postgres.kind === "postgres"
            ? "alter table yurt_documents owner to postgres"
            : "alter table yurt_documents rename column update to hidden",
        ),
      mend: ({ postgres }) =>
        postgres.query(
          postgres.kind === "postgres"
            ? "alter table yurt_documents owner to yurt"
            : "alter table yurt_documents rename column hidden to update",
        ),
    },
  ),
  {
    name: "Postgres: table dropped",
    rule: "A2",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const database = await round.postgres()
      const server = await round.serve({
        vars: await round.postgresVars(),
      })
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(5)
      await checkArchived(server, id)
      await database.query("drop table yurt_documents")
      // What the room does not know to be gone comes back with the next edit, whole.
      for (const editor of editors) editor.write(5)
      await until(
        async () => (await server.listed(id)) !== null,
        "the table is there again, and the document in it",
      )
      await round.settle(server, id, { editors })
    },
  },
  {
    name: "Postgres: an older revision that arrives late",
    rule: "A3",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const database = await round.postgres()
      const server = await round.serve({
        vars: await round.postgresVars(),
      })
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(5)
      await checkArchived(server, id)
      const archive = postgresArchive(database.url)
      const forever = new AbortController().signal
      const older = await archive.load(id, forever)
      if (older.kind !== "found") throw new Error("The archive has nothing")
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await checkArchived(server, id)
      const late = { ...older.document, updatedAtMs: Date.now(), json: () => ({}), text: () => "" }
      const outcome = await archive.store(id, late, null, forever)
      if (outcome !== "conflict")
        throw new Broken("I3", "The archive took an older revision over a newer one")
      await round.settle(server, id, { editors })
    },
  },
]

/** D1 or R2 in a local workerd, below whose adapter calls fail or hang. */
function ofBinding(binding: "D1" | "R2", kind: "fail" | "hang", rounds: Fault["rounds"]): Fault {
  const step = binding === "D1" ? "^d1 batch" : "^r2 put"
  return {
    name: `${binding}: ${kind === "fail" ? "five calls fail" : "a call hangs"}`,
    rule: "A5",
    rounds,
    async strike(round) {
      // A call that hangs once: its error has to be there long enough to be seen.
      const server = await serveBinding(round, binding, kind === "hang" ? { retryMs: 800 } : {})
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(5)
      await checkArchived(server, id)
      await server.inject({ [kind]: { step, times: kind === "fail" ? 5 : 1 } })
      for (let i = 0; i < 3; i++) {
        for (const editor of editors) editor.write(5)
        await Promise.all(editors.map((editor) => editor.allSaved({ timeoutMs: 5_000 })))
      }
      await until(
        async () => (await server.status(id))?.archiveError !== null,
        "status shows the archive's error",
      )
      await checkArchived(server, id)
      await round.settle(server, id, { editors })
    },
  }
}

// wrangler would look for an example of request.cf on the internet.
process.env.CLOUDFLARE_CF_FETCH_ENABLED ??= "false"

async function serveBinding(
  round: Round,
  binding: "D1" | "R2",
  limits: Partial<Limits>,
): Promise<RoomServer> {
  const bindings =
    binding === "D1"
      ? { d1_databases: [{ binding: "DB", database_name: "yurt", database_id: "yurt" }] }
      : { r2_buckets: [{ binding: "BUCKET", bucket_name: "yurt" }] }
  const harness = createTestHarness({
    workers: [
      {
        config: {
          name: "faults",
          main: fileURLToPath(new URL("./worker.ts", import.meta.url)),
          compatibility_date: "2026-10-23",
          durable_objects: { bindings: [{ name: "Room", class_name: "Room" }] },
          migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
          vars: { ...authVars(round.auth), LIMITS: JSON.stringify({ ...QUICK, ...limits }) },
          ...bindings,
        },
      },
    ],
  })
  const { url } = await harness.listen()
  round.atEnd(() => harness.close())
  return new RoomServer(Number(new URL(url).port), round.auth)
}

export const DATABASES: readonly Fault[] = [
  {
    name: "an edit that arrives while a flush is under way",
    rule: "A4",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      // Longer than the edits wait for their commit, shorter than the room waits for the archive.
      await server.inject({ hang: { step: "^store", times: 1, ms: LIMITS.commitWindowMs + 400 } })
      for (const editor of editors) editor.write(5)
      await until(() => server.output.includes("store waits"), "a flush is under way")
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      // People stay, so nothing but the outbox's own mark brings the rest there.
      await checkArchived(server, id)
      await round.settle(server, id, { editors })
    },
  },
  ...POSTGRES,
  {
    name: "the wall clock a day back, while a flush is due",
    rule: "A1",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const vars = await round.postgresVars()
      const server = await round.serve({ vars, limits: { flushMs: 1_000 } })
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(10)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await server.inject({ clockMs: -DAY_MS })
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      // People stay, so nothing but the alarm flushes.
      await checkArchived(server, id)
      await round.settle(server, id, { editors })
    },
  },
  ofBinding("D1", "fail", { short: 1, long: 3 }),
  ofBinding("D1", "hang", { short: 0, long: 3 }),
  ofBinding("R2", "fail", { short: 0, long: 3 }),
  ofBinding("R2", "hang", { short: 1, long: 3 }),
]
