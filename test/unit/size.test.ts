/** What the Worker weighs: bundled as wrangler bundles it, minified and compressed. A room that starts has to load it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { expect, it } from "vitest"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))

/**
 * A little above what it is, so that it does not grow unseen. Cloudflare takes 3 MB of a free account. Of it 21 KB read
 * Markdown, 12 KB change a document by JSON and write for the editors, and 4 KB tell it live; 20 KB keep its past, 3 of them
 * what is moved out of it into the archive, 9 KB are the tools of agents, 1.5 KB a socket over HTTP,
 * and 1 KB begins new documents.
 */
const LIMIT_BYTES = 212 * 1024

it("keeps the Worker within 212 KB, every archive, export and import included", async () => {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["src/index.ts"],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*", "cloudflare:*"],
    alias: aliasesOf(readFileSync(join(ROOT, "wrangler.toml"), "utf8")),
    metafile: true,
    write: false,
  })
  const bytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
  const [output] = Object.values(metafile.outputs)
  const parts = new Map<string, number>()
  for (const [input, { bytesInOutput }] of Object.entries(output!.inputs)) {
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? /src\/[^/]+/.exec(input)?.[0] ?? input
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
  }
  const largest = [...parts].sort(([, left], [, right]) => right - left).slice(0, 12)
  expect(parts.has("character-entities")).toBe(false)
  console.info(
    `The Worker is ${bytes} bytes gz. Before compression: ${largest.map(([part, bytes]) => `${part} ${bytes}`).join(", ")}`,
  )
  expect(bytes).toBeGreaterThan(50_000)
  expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES)
})

/** What wrangler.toml has other files stand in for, as esbuild wants it. */
function aliasesOf(toml: string): Record<string, string> {
  const section = /^\[alias\]\n(.*?)^\s*$/ms.exec(toml)?.[1] ?? ""
  return Object.fromEntries(
    [...section.matchAll(/^(\S+) = "(.+)"$/gm)].map(([, name, file]) => [name!, join(ROOT, file!)]),
  )
}
