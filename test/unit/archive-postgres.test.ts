import { readFileSync } from "node:fs"
import { archiveContract } from "../archive-contract.ts"
import { openDesk } from "../archive-desk.ts"
import { startPostgres } from "../postgres.ts"

const migration = readFileSync(new URL("../../src/archive/postgres.sql", import.meta.url), "utf8")

archiveContract("postgres", async () => {
  const postgres = await startPostgres()
  await postgres.query(migration)
  const desk = await openDesk({ name: "postgres", vars: { POSTGRES_URL: postgres.url } })
  return {
    archive: desk.archive,
    async fault(kind) {
      if (kind === "refuses") await postgres.stop()
      if (kind === "hangs") postgres.freeze()
      if (kind === "none") {
        postgres.thaw()
        await postgres.start()
      }
    },
    async close() {
      await desk.close()
      await postgres.close()
    },
  }
})
