/** A place that holds files: a folder, or a bucket of S3 that was never copied into one. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { Bucket, type ObjectVersion } from "./s3.ts"
import type { Settings } from "./settings.ts"
import { CommandError } from "./terminal.ts"

/** Files by their paths, with forward slashes. */
export interface Place {
  /** Every path, in an order that is the same each time. */
  list(): AsyncIterable<string>
  /** @throws CommandError "bad-source" where it cannot be read */
  read(path: string, version?: string): Promise<Uint8Array>
  /** What a file was before, oldest first; a folder keeps none. */
  versions(path: string): Promise<readonly ObjectVersion[]>
}

/**
 * Open a folder, or `s3://bucket/prefix`.
 * @throws CommandError "bad-source" where there is no such folder, and as `Bucket.at`
 */
export async function openPlace(where: string, settings: Settings): Promise<Place> {
  if (!where.startsWith("s3://")) return openFolder(where)
  let bucket = Bucket.at(where, settings)
  // `s3://bucket/documents` is the folder documents/, where there is one, and else the beginning of names.
  if (bucket.prefix !== "" && !bucket.prefix.endsWith("/")) {
    const folder = bucket.within(`${bucket.prefix}/`)
    for await (const _first of folder.list(1)) bucket = folder
  }
  return {
    list: () => bucket.list(),
    read: (path, version) => bucket.read(path, version),
    versions: (path) => bucket.versions(path),
  }
}

function openFolder(where: string): Place {
  let paths: string[]
  try {
    paths = readdirSync(where, { recursive: true, encoding: "utf8" })
      .map((name) => name.replaceAll("\\", "/"))
      .filter((name) => statSync(join(where, name)).isFile())
      .sort()
  } catch (thrown) {
    throw new CommandError(
      "bad-source",
      `${where} is no folder that can be read: ${(thrown as Error).message}.`,
    )
  }
  return {
    async *list() {
      yield* paths
    },
    async read(path) {
      try {
        return readFileSync(join(where, path))
      } catch (thrown) {
        throw new CommandError("bad-source", `${path} cannot be read: ${(thrown as Error).message}.`)
      }
    },
    versions: async () => [],
  }
}

/** Where files are written to. */
export interface Target {
  has(path: string): Promise<boolean>
  /** The file is there whole or not at all, whatever happens meanwhile. */
  write(path: string, body: Uint8Array): Promise<void>
}

/** Open a folder, which may not be there yet, or `s3://bucket/prefix`. @throws CommandError as `Bucket.at` */
export function openTarget(where: string, settings: Settings): Target {
  if (!where.startsWith("s3://"))
    return {
      has: async (path) => existsSync(join(where, path)),
      write: async (path, body) => writeWhole(join(where, path), body),
    }
  const bucket = Bucket.at(where, settings)
  return {
    async has(path) {
      for await (const rest of bucket.within(bucket.prefix + path).list(1)) return rest === ""
      return false
    },
    write: (path, body) => bucket.write(path, body),
  }
}

/** Write a file, so that it is there whole or not at all. */
export function writeWhole(path: string, body: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.part`, body)
  renameSync(`${path}.part`, path)
}
