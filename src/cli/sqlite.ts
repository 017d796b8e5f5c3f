/** Node's own SQLite, which Node 22.13 and newer have. */
import type { DatabaseSync } from "node:sqlite"
import { CommandError } from "./terminal.ts"

/** @throws CommandError "not-installed" */
export async function openSqlite(path: string, { readOnly }: { readOnly: boolean }): Promise<DatabaseSync> {
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new CommandError(
      "not-installed",
      `Node ${process.versions.node} has no SQLite of its own.`,
      "Use Node 22.13 or newer.",
    )
  })
  return new DatabaseSync(path, { readOnly })
}
