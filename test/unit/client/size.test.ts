/**
 * What the provider costs a page: bundled, minified and compressed, with all it needs but yjs, and without what is
 * loaded when it is needed.
 */
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { expect, it } from "vitest"

const LIMIT_BYTES = 13 * 1024

/**
 * What a page loads at a conflict, where it brings more than a frame holds, at a frame that it cannot handle, or where no
 * WebSocket opens.
 */
const LATER = ["./remake.ts", "./structs.ts", "./readable.ts", "./fallback.ts"]

/** Minified ESM of this source with the file itself first, and the modules it imports at once or later. */
async function bundle(source: string) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "js" },
    bundle: true,
    minify: true,
    format: "esm",
    external: ["yjs", "react", "y-indexeddb", ...LATER],
    metafile: true,
    write: false,
  })
  const [output] = Object.values(metafile.outputs)
  return {
    bytes: gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length,
    imports: output?.imports ?? [],
  }
}

it("keeps the provider within 13 KB without yjs, and needs no y-indexeddb", async () => {
  const { bytes, imports } = await bundle(`export { Provider } from "../../../src/client/provider.ts"`)
  console.info(`The provider is ${bytes} bytes gz.`)
  expect(bytes).toBeGreaterThan(5_000)
  expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES)
  expect(new Set(imports.map(({ path, kind }) => `${kind} ${path}`))).toEqual(
    new Set(["import-statement yjs", ...LATER.map((path) => `dynamic-import ${path}`)]),
  )
})

it("leaves nothing of its own behind where it is imported and not used", async () => {
  const { bytes } = await bundle(`import { Provider } from "../../../src/client/provider.ts"`)
  expect(bytes).toBeLessThan(150)
})

it("adds the React hook for less than 1 KB", async () => {
  const alone = await bundle(`export { Provider } from "../../../src/client/provider.ts"`)
  const hook = await bundle(
    `export * from "../../../src/client/provider.ts"; export * from "../../../src/client/react.ts"`,
  )
  expect(hook.bytes - alone.bytes).toBeLessThan(1024)
})
