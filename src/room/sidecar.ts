/**
 * The sidecar travels with an archived document and is no part of it: whom its client ids belong to, and the clocks of
 * deleted content. It is opaque to the archive.
 *
 *     sidecar = varUint(1) varBytes(dead clocks, a state vector)
 *               varUint(subjects) { varString(subject) varUint(clients) varUint(client)* }*
 *               varUint(carried) { varUint(client) varString(owner) varUint(clock) }*
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"

const VERSION = 1

/** Whom client ids belong to, and which content must not come back. */
export interface Sidecar {
  /** State vector of what was deleted under this id, as Yjs encodes one; empty: nothing. */
  readonly dead: Uint8Array
  readonly owners: readonly { readonly client: number; readonly subject: string }[]
  /** For each client id: the clock from which on its content is not known to be its owner's. */
  readonly carried: readonly { readonly client: number; readonly owner: string; readonly clock: number }[]
}

const NOTHING: Sidecar = { dead: new Uint8Array(), owners: [], carried: [] }

/** Encode a sidecar. @returns null where it would be empty */
export function writeSidecar({ dead, owners, carried }: Sidecar): Uint8Array | null {
  if (dead.length <= 1 && owners.length === 0 && carried.length === 0) return null
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, VERSION)
    encoding.writeVarUint8Array(encoder, dead)
    const bySubject = Map.groupBy(owners, ({ subject }) => subject)
    encoding.writeVarUint(encoder, bySubject.size)
    for (const [subject, clients] of bySubject) {
      encoding.writeVarString(encoder, subject)
      encoding.writeVarUint(encoder, clients.length)
      for (const { client } of clients) encoding.writeVarUint(encoder, client)
    }
    encoding.writeVarUint(encoder, carried.length)
    for (const { client, owner, clock } of carried) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarString(encoder, owner)
      encoding.writeVarUint(encoder, clock)
    }
  })
}

/**
 * Read a sidecar. null and a version that this server does not know count as empty.
 * @throws Error where the bytes end inside a field
 */
export function readSidecar(bytes: Uint8Array | null): Sidecar {
  if (bytes === null || bytes.length === 0) return NOTHING
  const decoder = decoding.createDecoder(bytes)
  if (decoding.readVarUint(decoder) !== VERSION) return NOTHING
  const dead = decoding.readVarUint8Array(decoder)
  const owners: { client: number; subject: string }[] = []
  for (let subjects = decoding.readVarUint(decoder); subjects > 0; subjects--) {
    const subject = decoding.readVarString(decoder)
    for (let clients = decoding.readVarUint(decoder); clients > 0; clients--)
      owners.push({ client: decoding.readVarUint(decoder), subject })
  }
  const carried: { client: number; owner: string; clock: number }[] = []
  for (let rows = decoding.readVarUint(decoder); rows > 0; rows--) {
    carried.push({
      client: decoding.readVarUint(decoder),
      owner: decoding.readVarString(decoder),
      clock: decoding.readVarUint(decoder),
    })
  }
  return { dead, owners, carried }
}
