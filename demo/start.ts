/**
 * `npm start`: build the pages, then serve them with the API through wrangler, offline and without a question.
 * wrangler's own flags pass through: `npm start -- --port 8799 --persist-to DIR`.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Build the pages into demo/dist. */
export async function buildPages(): Promise<void> {
  // Vite builds for production only where NODE_ENV says so, and a test runner has set it to "test".
  const { NODE_ENV = "production" } = process.env
  process.env.NODE_ENV = "production"
  const { build } = await import("vite")
  await build({ root: join(root, "demo"), configFile: join(root, "demo/vite.config.ts"), logLevel: "warn" })
  process.env.NODE_ENV = NODE_ENV
}

/** Serve pages and API through `wrangler dev` with these flags. */
export function serve(flags: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawn(
    process.execPath,
    [
      join(root, "node_modules/wrangler/bin/wrangler.js"),
      "dev",
      "--show-interactive-dev-session=false",
      "--inspector-port=0",
      ...(flags.some((flag) => flag.startsWith("--port")) ? [] : ["--port=8787"]),
      ...flags,
    ],
    {
      cwd: root,
      stdio: "inherit",
      ...options,
      env: {
        ...process.env,
        // Offline, wrangler would print a stack for each thing it cannot fetch; and its traces of every event
        // into a local store make a room six times slower.
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        WRANGLER_SEND_METRICS: "false",
        X_LOCAL_OBSERVABILITY: "false",
        CI: "1",
      },
    },
  )
}

if (import.meta.main) {
  await buildPages()
  const server = serve(process.argv.slice(2))
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => server.kill(signal))
  server.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 0
  })
}
