/** What goes between the desk and its other end, as one body: 4 bytes length of the JSON, the JSON, update, sidecar. */

import type { ArchiveLookup, ArchiveMark, ArchiveWrite, Version } from "../../src/archive/archive.ts"

/** A write, to be unpacked in the Worker. */
export function packWrite(document: ArchiveWrite, expected: Version | null): Uint8Array {
  const { update, sidecar, writer, revision, updatedAtMs } = document
  const head = { writer, revision, updatedAtMs, expected, json: document.json(), text: document.text() }
  return pack(head, { update, sidecar })
}

/** What `packWrite` packed. */
export function unpackWrite(parcel: Uint8Array): { document: ArchiveWrite; expected: Version | null } {
  const { head, update, sidecar } = unpack(parcel)
  const { writer, revision, updatedAtMs, expected, json, text } = head
  const document = { writer, revision, updatedAtMs, update, sidecar, json: () => json, text: () => text }
  return { document, expected }
}

/** A mark, to be unpacked in the Worker. */
export function packMark({ sidecar, ...version }: ArchiveMark, expected: Version | null): Uint8Array {
  return pack({ ...version, expected }, { update: new Uint8Array(), sidecar })
}

/** What `packMark` packed. */
export function unpackMark(parcel: Uint8Array): { mark: ArchiveMark; expected: Version | null } {
  const { head, sidecar } = unpack(parcel)
  const { writer, revision, expected } = head
  return { mark: { writer, revision, sidecar }, expected }
}

/** What was found, to be unpacked in the test. */
export function packLookup(lookup: ArchiveLookup): Uint8Array {
  const none = new Uint8Array()
  switch (lookup.kind) {
    case "absent":
      return pack({ kind: "absent" }, { update: none, sidecar: null })
    case "deleted":
      return pack({ kind: "deleted", version: lookup.version }, { update: none, sidecar: lookup.sidecar })
    case "found": {
      const { update, sidecar, writer, revision } = lookup.document
      return pack({ kind: "found", writer, revision }, { update, sidecar })
    }
  }
}

/** What `packLookup` packed. */
export function unpackLookup(parcel: Uint8Array): ArchiveLookup {
  const { head, update, sidecar } = unpack(parcel)
  const { kind, writer, revision, version } = head
  if (kind === "absent") return { kind }
  if (kind === "deleted") return { kind, version, sidecar }
  return { kind, document: { update, sidecar, writer, revision } }
}

function pack(
  head: Record<string, unknown>,
  { update, sidecar }: { update: Uint8Array; sidecar: Uint8Array | null },
): Uint8Array {
  const json = new TextEncoder().encode(
    JSON.stringify({ ...head, updateBytes: update.length, hasSidecar: sidecar !== null }),
  )
  const parcel = new Uint8Array(4 + json.length + update.length + (sidecar?.length ?? 0))
  new DataView(parcel.buffer).setUint32(0, json.length)
  parcel.set(json, 4)
  parcel.set(update, 4 + json.length)
  if (sidecar !== null) parcel.set(sidecar, 4 + json.length + update.length)
  return parcel
}

function unpack(parcel: Uint8Array) {
  const start = 4 + new DataView(parcel.buffer, parcel.byteOffset).getUint32(0)
  const head = JSON.parse(new TextDecoder().decode(parcel.subarray(4, start)))
  const end = start + head.updateBytes
  const sidecar = head.hasSidecar ? parcel.subarray(end) : null
  return { head, update: parcel.subarray(start, end), sidecar }
}
