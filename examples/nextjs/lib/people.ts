/** Who may sign in, and what is theirs. Your database has this; two people and three notes stand here for it. */
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto"

export interface Person {
  readonly id: string
  readonly name: string
  /** The notes that this person may open. */
  readonly notes: ReadonlyMap<string, "read" | "write">
}

interface Account extends Person {
  readonly salt: Buffer
  readonly hash: Buffer
}

const ACCOUNTS: readonly Account[] = [
  makeAccount("ada", "Ada", "engine", { plans: "write", minutes: "write", diary: "write" }),
  makeAccount("grace", "Grace", "nanosecond", { plans: "write", minutes: "read" }),
]

function makeAccount(
  id: string,
  name: string,
  password: string,
  notes: Record<string, "read" | "write">,
): Account {
  const salt = randomBytes(16)
  return { id, name, salt, hash: scryptSync(password, salt, 32), notes: new Map(Object.entries(notes)) }
}

export function findPerson(id: string): Person | null {
  return ACCOUNTS.find((account) => account.id === id) ?? null
}

/** The person whose name and password these are. */
export function checkPassword(id: string, password: string): Person | null {
  const account = ACCOUNTS.find((account) => account.id === id)
  if (account === undefined) return null
  return timingSafeEqual(scryptSync(password, account.salt, 32), account.hash) ? account : null
}
