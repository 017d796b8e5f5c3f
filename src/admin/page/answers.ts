/** What the server answers, as far as the page shows it. */
import type { Used as Billed } from "../prices.ts"

/** How a room was when it last reported. */
export interface Line {
  readonly at: number
  readonly peers: number
  readonly people: readonly { subject: string | null; name: string | null; rights: string; dialect: string }[]
  readonly revision: number
  readonly archivedRevision: number | null
  readonly archiveError: string | null
  readonly bytes: number
  readonly waiting: number
  readonly quarantined: number
  readonly damaged: boolean
  readonly readOnly: boolean
}

/** A document in the list. */
export interface Listed {
  readonly id: string
  readonly revision: number
  readonly bytes: number
  readonly updatedAt: string
  readonly line: Line | null
}

/** A room, looked at now. */
export interface Look {
  readonly document: string
  readonly revision: number
  readonly archivedRevision: number | null
  readonly archiveError: string | null
  readonly archiveAttempts: number
  readonly archiveDueAt: string | null
  readonly bytes: number
  readonly weight: number
  readonly clients: number
  readonly logRows: number
  readonly hydrated: boolean
  readonly damaged: boolean
  readonly readOnly: boolean
  readonly past: { bytes: number; versions: number; from: string | null; damaged: number }
  readonly knocking: number
  readonly following: number
  readonly people: readonly {
    id: string
    subject: string | null
    name: string | null
    agent: string | null
    rights: string
    roots: readonly string[] | null
    admin: boolean
    tokenId: string | null
    dialect: string
    standing: string
    client: number | null
    heardAt: string | null
    endsAt: string | null
    unreadBytes: number
    owes: boolean
  }[]
  readonly waiting: readonly {
    id: number
    subject: string | null
    bytes: number
    missing: readonly number[]
  }[]
  readonly waitingCount: number
  readonly quarantine: readonly {
    id: number
    source: string
    revision: number
    at: string | null
    reason: string
    bytes: number
  }[]
  readonly quarantined: number
}

/** An entry of the audit. */
export interface Entry {
  readonly at: string
  readonly document: string | null
  readonly subject: string | null
  readonly deed: string
  readonly agent?: string
  readonly detail?: string
}

/** What was used. */
export interface Costs {
  readonly prices: { source: string; asOf: string }
  readonly from: string
  readonly total: Used
  readonly days: readonly ({ day: string } & Used)[]
  readonly documents: readonly ({ document: string; bytes: number; dollarsToStoreADay: number } & Used)[]
}

type Used = Billed & { readonly dollars: number }
