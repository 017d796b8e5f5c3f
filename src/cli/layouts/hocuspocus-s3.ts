/** Hocuspocus with its S3 extension: an object, or a file, `{id}.bin` for each document. See sources/hocuspocus-s3.ts. */
import { openTarget } from "../place.ts"
import { prefixed } from "../sources/hocuspocus-s3.ts"
import type { OpenLayout } from "./layout.ts"

/** Open `s3://bucket` or `s3://bucket/prefix`, or a folder. */
export const writeHocuspocusS3: OpenLayout = async (where, settings) => {
  const target = openTarget(prefixed(where), settings)
  return {
    has: (id) => target.has(`${id}.bin`),
    write: (id, update) => target.write(`${id}.bin`, update),
    close: async () => {},
  }
}
