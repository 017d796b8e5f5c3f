/**
 * The build of the demo pages: every .html in this folder is one, and a service worker that knows all files. Beside them the
 * documentation, which it does not keep.
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { defineConfig, type Plugin, transformWithOxc } from "vite"
import { buildSite } from "./docs-site/site.ts"

const root = import.meta.dirname
const pages = readdirSync(root).filter((name) => name.endsWith(".html"))

export default defineConfig({
  root,
  appType: "mpa",
  build: {
    outDir: join(root, "dist"),
    emptyOutDir: true,
    target: "es2023",
    // A browser counts a preload that the service worker answers as unused, and prints a warning for each on every page.
    modulePreload: false,
    // CodeMirror and Lexical, each on its own page: 211 KB and 174 KB compressed.
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      input: pages.map((name) => join(root, name)),
      // Whoever starts the demos is not asking where a build spends its seconds.
      checks: { pluginTimings: false },
    },
  },
  plugins: [scribe(), serviceWorker(), documentation()],
})

/** Write scribe.js, the agent of the examples without its types: one command plays it, wherever the pages are served from. */
function scribe(): Plugin {
  return {
    name: "scribe",
    async generateBundle() {
      const file = join(root, "../examples/agent/scribe.ts")
      const { code } = await transformWithOxc(readFileSync(file, "utf8"), file)
      this.emitFile({ type: "asset", fileName: "scribe.js", source: code })
    },
  }
}

/** Write sw.js: its source, and before it the list of what the build made. */
function serviceWorker(): Plugin {
  return {
    name: "service-worker",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const built = Object.keys(bundle).filter((name) => !name.endsWith(".map"))
        const files = [...built, ...readdirSync(join(root, "public"))].map((name) => `/${name}`).sort()
        const source = readFileSync(join(root, "sw.js"), "utf8")
        // A page's name does not change with what is in it, so the contents make the build's name.
        const hash = createHash("sha256").update(source)
        for (const file of Object.values(bundle)) hash.update(file.type === "chunk" ? file.code : file.source)
        const head = `const FILES = ${JSON.stringify(files)}\nconst BUILD = "${hash.digest("hex").slice(0, 12)}"\n`
        this.emitFile({ type: "asset", fileName: "sw.js", source: head + source })
      },
    },
  }
}

/** Write the documentation into docs-site/. */
function documentation(): Plugin {
  return {
    name: "documentation",
    generateBundle: {
      order: "post",
      handler() {
        for (const [name, source] of buildSite(join(root, "..")))
          this.emitFile({ type: "asset", fileName: `docs-site/${name}`, source })
      },
    },
  }
}
