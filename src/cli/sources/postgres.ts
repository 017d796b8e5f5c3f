/** A database of Postgres that is read and never written, by the driver that the Postgres archive has. */
import type { Sql } from "postgres"
import { CommandError } from "../terminal.ts"

/** Rows that are fetched at once: enough that the network does not count, few enough for memory. A guess. */
export const ROWS_AT_ONCE = 500

/**
 * Connect.
 * @throws CommandError "unreachable" that does not hold the password
 */
export async function openPostgres(url: string): Promise<Sql> {
  const { default: postgres } = await import("postgres")
  const sql = postgres(url, { max: 4, connect_timeout: 15, onnotice: () => {} })
  try {
    await sql`SET default_transaction_read_only = on`
    return sql
  } catch (thrown) {
    await sql.end({ timeout: 1 })
    throw new CommandError(
      "unreachable",
      `${new URL(url).host} does not answer: ${(thrown as Error).message}.`,
    )
  }
}

/** Which of these tables there are. */
export async function findTables(sql: Sql, names: readonly string[]): Promise<Set<string>> {
  const rows = await sql<{ name: string }[]>`
    SELECT name FROM unnest(${[...names]}::text[]) AS name WHERE to_regclass(name) IS NOT NULL`
  return new Set(rows.map(({ name }) => name))
}
