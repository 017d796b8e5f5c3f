/** What a grant is worth for the past: from when on, whose work, which roots, and in whose name. */
import { type Grant, OPEN_GRANT } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Who } from "../history/attribution.ts"

/** The server asks by its own hand. */
export const BY_SERVER: Grant = { ...OPEN_GRANT }

/** From when on the past may be seen, ms since 1970; null: all of it. */
export function sinceOf(grant: Grant | undefined): number | null {
  return grant?.historySinceMs ?? null
}

/** Whoever asks, over HTTP or as the server. */
export function whoAsks(grant: Grant): Who {
  const { subject, name, agent, onBehalfOf } = grant
  return {
    subject,
    ...(name !== undefined && { name }),
    via: agent !== undefined ? "agent" : grant === BY_SERVER ? "server" : "rest",
    ...(agent !== undefined && { agent }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  }
}

/** @throws SyncError forbidden without the right to change what is not one's own. In open mode everybody has it */
export function checkAny({ subject, rollback, admin }: Grant, what: string): void {
  if (subject === null || admin || rollback === "any") return
  throw new SyncError("forbidden", `The token lacks rollback: "any", which it takes ${what}.`)
}

/** The roots that a restore changes; null: all. @throws SyncError forbidden */
export function rootsFor(root: string | null, { roots }: Grant): readonly string[] | null {
  if (root === null) return roots ?? null
  if (roots !== undefined && !roots.includes(root))
    throw new SyncError("forbidden", `This token may change ${roots.join(", ")}, not ${JSON.stringify(root)}`)
  return [root]
}
