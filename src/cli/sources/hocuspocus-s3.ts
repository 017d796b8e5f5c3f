/**
 * Hocuspocus with its S3 extension: an object `{prefix}{name}.bin` for each document, its whole state as a Yjs V1 update. A
 * bucket that keeps versions has what each document was whenever it was stored.
 *
 * @source @hocuspocus/extension-s3 4.7, README and S3.ts: the prefix is `hocuspocus-documents/` unless it was set
 */

import { openPlace } from "../place.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument } from "./source.ts"

const PREFIX = "hocuspocus-documents/"

/** A bucket that is named alone is meant with the extension's own prefix. */
export function prefixed(where: string): string {
  return /^s3:\/\/[^/]+\/?$/.test(where) ? `${where.replace(/\/$/, "")}/${PREFIX}` : where
}

/** Open `s3://bucket` or `s3://bucket/prefix`, or a folder that a bucket was copied into. */
export const openHocuspocusS3: OpenSource = async (where, { settings }) => {
  const place = await openPlace(prefixed(where), settings)
  const paths: string[] = []
  for await (const path of place.list()) if (path.endsWith(".bin")) paths.push(path)
  if (paths.length === 0)
    throw new CommandError("bad-source", `${where} has no ….bin: it is no store of Hocuspocus' S3 extension.`)
  return {
    documents: () =>
      paths.map(
        (path): SourceDocument => ({
          id: path.slice(0, -".bin".length),
          read: () => place.read(path),
          versions: async () =>
            (await place.versions(path)).map(({ id, at }) => ({
              key: id,
              name: null,
              at,
              read: () => place.read(path, id),
            })),
        }),
      ),
    close: async () => {},
  }
}
