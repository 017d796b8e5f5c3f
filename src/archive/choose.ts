/** Which archive a Worker has: what its bindings and variables say. */
import type { D1Database, Hyperdrive, R2Bucket } from "@cloudflare/workers-types"
import type { Archive } from "./archive.ts"
import { d1Archive } from "./d1.ts"

export interface ArchiveEnv {
  DB?: D1Database
  BUCKET?: R2Bucket
  POSTGRES?: Hyperdrive
}
export function chooseArchive(env: ArchiveEnv): Archive | null {
  return env.DB ? d1Archive(env.DB) : null
}
