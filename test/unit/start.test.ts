/** The quiet start: a Worker makes no Error while it is loaded, which workerd would look the place of up for. */
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"
import { afterAll, afterEach, expect, it } from "vitest"
import "../../src/start/quietly.ts"

const SRC = fileURLToPath(new URL("../../src/", import.meta.url))
/** What the platform gives, as far as a Worker touches it while it is loaded. */
const PLATFORM = "export class DurableObject {}; export class WorkerEntrypoint {}; export const env = {}"
const LOUD = globalThis.Error

const made: string[] = []

afterEach(() => {
  globalThis.Error = LOUD
})

afterAll(() => Promise.all(made.map((path) => rm(path))))

/** Bundle a Worker, load it, and count the Errors that are made meanwhile. */
async function errorsOf(source: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: SRC },
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*"],
    plugins: [
      {
        name: "platform",
        setup: ({ onResolve, onLoad }) => {
          onResolve({ filter: /^cloudflare:/ }, ({ path }) => ({ path, namespace: "platform" }))
          onLoad({ filter: /.*/, namespace: "platform" }, () => ({ contents: PLATFORM }))
        },
      },
    ],
  })
  const path = join(SRC, `../node_modules/.start-${process.pid}-${made.length}.mjs`)
  made.push(path)
  await writeFile(path, outputFiles[0]!.text)
  // Yjs warns of another copy of itself.
  Reflect.deleteProperty(globalThis, "__ $YJS$ __")
  let errors = 0
  globalThis.Error = new Proxy(LOUD, {
    construct(target, args, newTarget) {
      errors++
      return Reflect.construct(target, args, newTarget)
    },
  })
  await import(/* @vite-ignore */ pathToFileURL(path).href)
  return errors
}

it.each(["index", "server", "admin", "agent", "archive/lazy", "export/formats", "host/worker"])(
  "loads %s without one, whichever entry comes first",
  async (entry) => {
    expect(await errorsOf(`export * from "./${entry}.ts"; export * as rest from "./server.ts"`)).toBe(0)
  },
)

it("would count those that lib0 makes", async () => {
  const early = 'import * as Y from "yjs"; export * from "./server.ts"; console.assert(Y.Doc)'
  expect(await errorsOf(early)).toBe(2)
})

it("leaves errors as they are everywhere else", () => {
  expect(new Error("whole").stack).toContain("start.test.ts")
})
