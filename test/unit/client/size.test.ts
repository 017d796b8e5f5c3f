/** What the provider costs a page: bundled, minified and compressed, with all it needs but yjs. */
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { expect, it } from "vitest"

const LIMIT_BYTES = 12 * 1024

/** Minified ESM of this source with the file itself first, and the modules it imports at once or later. */
async function bundle(source: string) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "js" },
    bundle: true,
    minify: true,
    format: "esm",
    external: ["yjs", "react", "y-indexeddb"],
    metafile: true,
    write: false,
  })
  const [output] = Object.values(metafile.outputs)
  return {
    bytes: gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length,
    imports: output?.imports ?? [],
  }
}

it("keeps the provider within 12 KB without yjs, and loads the offline copy only where it is asked for", async () => {
  const { bytes, imports } = await bundle(`export { Provider } from "../../../src/client/provider.ts"`)
  console.info(`The provider is ${bytes} bytes gz.`)
  expect(bytes).toBeGreaterThan(5_000)
  expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES)
  expect(new Set(imports.map(({ path, kind }) => `${kind} ${path}`))).toEqual(
    new Set(["import-statement yjs", "dynamic-import y-indexeddb"]),
  )
})

it("leaves nothing of its own behind where it is imported and not used", async () => {
  const { bytes } = await bundle(`import { Provider } from "../../../src/client/provider.ts"`)
  // partysocket looks for EventTarget when it is loaded, and says what to do without.
  expect(bytes).toBeLessThan(600)
})

it("adds the React hook for less than 1 KB", async () => {
  const alone = await bundle(`export { Provider } from "../../../src/client/provider.ts"`)
  const hook = await bundle(
    `export * from "../../../src/client/provider.ts"; export * from "../../../src/client/react.ts"`,
  )
  expect(hook.bytes - alone.bytes).toBeLessThan(1024)
})
