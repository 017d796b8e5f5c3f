/** Which archive a Worker has: what its bindings and variables say. */

import type { D1Database, R2Bucket } from "@cloudflare/workers-types"
import { SyncError } from "../errors.ts"
import { type Limits, readLimits } from "../limits.ts"
import type { Archive } from "./archive.ts"
import { d1Archive } from "./d1.ts"
import { lazyArchive, legacyUrl } from "./lazy.ts"
import { mirrorArchive } from "./mirror.ts"
import { postgresArchive } from "./postgres.ts"
import { r2Archive } from "./r2.ts"
import { webhookArchive } from "./webhook.ts"

/** The bindings and variables that choose an archive. One of them is enough. */
export interface ArchiveEnv {
  /** Names joined by "+": "postgres", "postgres+r2" (the first loads, the others only receive), or "none". */
  ARCHIVE?: string
  /** `[[hyperdrive]]` */
  POSTGRES?: { readonly connectionString: string }
  /** A connection string instead of Hyperdrive. With TLS to another machine, unless it says `sslmode=disable`. */
  POSTGRES_URL?: string
  /** "true": make the table when it is missing. */
  POSTGRES_MIGRATE?: string
  /** `[[r2_buckets]]` */
  BUCKET?: R2Bucket
  WEBHOOK_URL?: string
  WEBHOOK_SECRET?: string
  /** "json": the document as JSON instead of its update. Such a document cannot be loaded from the hook. */
  WEBHOOK_FORMAT?: string
  /** "any": also take answers of the hook that carry no signature. */
  WEBHOOK_ANSWERS?: string
  /** `[[d1_databases]]` */
  DB?: D1Database
  /** The backend that documents come from: asked with GET for one that the archive never had. `{id}` stands for its id. */
  LEGACY_URL?: string
  /** What goes with it in the header `authorization`. */
  LEGACY_AUTHORIZATION?: string
  /** "v2": it answers in Yjs' second encoding. */
  LEGACY_ENCODING?: string
}

/** How each archive is made, or what is missing for it. In the order of choice. */
const ARCHIVES = {
  postgres: {
    needs: "a Hyperdrive binding POSTGRES or a variable POSTGRES_URL",
    open: ({ POSTGRES, POSTGRES_URL, POSTGRES_MIGRATE }: ArchiveEnv, limits: Limits) => {
      const connection = POSTGRES ?? POSTGRES_URL
      return connection ? postgresArchive(connection, { migrate: POSTGRES_MIGRATE === "true", limits }) : null
    },
  },
  r2: {
    needs: "an R2 binding BUCKET",
    open: ({ BUCKET }: ArchiveEnv, limits: Limits) => (BUCKET ? r2Archive(BUCKET, { limits }) : null),
  },
  webhook: {
    needs: "a variable WEBHOOK_URL",
    open: ({ WEBHOOK_URL, WEBHOOK_SECRET, WEBHOOK_FORMAT, WEBHOOK_ANSWERS }: ArchiveEnv) => {
      if (!WEBHOOK_URL) return null
      if (!WEBHOOK_SECRET)
        throw new SyncError("internal", "WEBHOOK_URL is set, and WEBHOOK_SECRET to sign with is not")
      return webhookArchive({
        url: WEBHOOK_URL,
        secret: WEBHOOK_SECRET,
        format: WEBHOOK_FORMAT === "json" ? "json" : "update",
        ...(WEBHOOK_ANSWERS === "any" && { answers: "any" }),
      })
    },
  },
  d1: {
    needs: "a D1 binding DB",
    open: ({ DB }: ArchiveEnv, limits: Limits) => (DB ? d1Archive(DB, { limits }) : null),
  },
}

const NAMES = Object.keys(ARCHIVES) as (keyof typeof ARCHIVES)[]

/**
 * The archive that a Worker's bindings and variables choose: one line in wrangler.toml.
 * Without `ARCHIVE`, the first that is there of Postgres, R2, webhook and D1. With `LEGACY_URL` it asks the old backend for
 * what it never had, see lazy.ts.
 *
 * @returns null when there is none, or `ARCHIVE = "none"`
 * @throws SyncError "internal" when `ARCHIVE` names one that does not exist or is not bound, or what comes from
 * `LEGACY_URL` could be kept nowhere
 */
export function chooseArchive(env: ArchiveEnv): Archive | null {
  const limits = readLimits(env)
  const archive = pickArchive(env, limits)
  const { LEGACY_URL: url, LEGACY_AUTHORIZATION: authorization, LEGACY_ENCODING: encoding } = env
  if (!url) return archive
  if (archive === null) {
    throw new SyncError("internal", "LEGACY_URL is set, and there is no archive to keep what comes from it")
  }
  const ask = legacyUrl({
    url,
    ...(authorization && { headers: { authorization } }),
    ...(encoding === "v2" && { encoding }),
    limits,
  })
  return lazyArchive(archive, ask, limits)
}

function pickArchive(env: ArchiveEnv, limits: Limits): Archive | null {
  if (env.ARCHIVE === "none") return null
  if (!env.ARCHIVE) {
    for (const name of NAMES) {
      const archive = ARCHIVES[name].open(env, limits)
      if (archive !== null) return archive
    }
    return null
  }
  const archives = env.ARCHIVE.split("+").map((wanted) => {
    const name = NAMES.find((name) => name === wanted.trim())
    if (name === undefined) {
      throw new SyncError(
        "internal",
        `ARCHIVE = "${env.ARCHIVE}" names "${wanted.trim()}": allowed are ${NAMES.join(", ")}, several joined by "+", and none`,
      )
    }
    const archive = ARCHIVES[name].open(env, limits)
    if (archive === null) {
      throw new SyncError("internal", `ARCHIVE = "${env.ARCHIVE}" needs ${ARCHIVES[name].needs}`)
    }
    return archive
  })
  const [primary, ...others] = archives
  return others.length === 0 ? primary! : mirrorArchive(primary!, ...others)
}
