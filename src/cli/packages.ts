/** Packages that a command runs and that few need: found where the command was called, else beside this package. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** An installed package. */
export interface Package {
  /** Its folder. */
  readonly folder: string
  readonly version: string
}

/**
 * Find a package.
 * @param near packages that may bring it in a folder of their own
 * @returns null where it is not installed
 */
export function findPackage(name: string, near: readonly string[] = []): Package | null {
  const here = process.cwd()
  const places = [here, ...near.map((one) => join(here, "node_modules", one)), import.meta.dirname]
  for (const place of places) {
    for (const folder of createRequire(join(place, "any.js")).resolve.paths(name) ?? []) {
      try {
        const manifest = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"))
        return { folder: join(folder, name), version: String(manifest.version) }
      } catch (thrown) {
        if (!(thrown instanceof Error && "code" in thrown && /ENOENT|ENOTDIR/.test(String(thrown.code))))
          throw thrown
      }
    }
  }
  return null
}

/** What a package's entry is to `import`, whatever its kind: the path of its main file. */
export function entryOf({ folder }: Package): string {
  return createRequire(join(dirname(folder), "any.js")).resolve(folder)
}
