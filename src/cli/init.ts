/**
 * `yurt init my-app`: a project that runs. A Worker with rooms, D1, revocations and the operator's page, and a page with an
 * editor; what is in it is what README and docs/operate.md say, and versions are those that this package is tested with.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { type Command, CommandError, give, readArgs, say } from "./terminal.ts"

const usage = `yurt init FOLDER [--package SPEC] [--no-admin]
  FOLDER      a new or empty one; its name is the Worker's
  --package   where yurt comes from, for package.json: file:../yurt-0.1.0.tgz
  --no-admin  without the operator's page, /admin, and what rooms tell it`

/** What this package is tested with. */
const manifest: {
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
} = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"))

/** What the Worker answers before the page's files do. */
const WORKER_PATHS = [
  ...["/docs", "/docs/*", "/parties/*", "/hocuspocus", "/hocuspocus/*", "/doc/*", "/d/*", "/check_store"],
  ...["/health", "/ready", "/admin/*"],
]

/** `yurt init` */
export const init: Command = {
  summary: "make a project: a server of rooms, and a page with an editor",
  usage,
  async run(args) {
    const { values, positionals } = readArgs(usage, {
      args,
      allowPositionals: true,
      options: { package: { type: "string" }, "no-admin": { type: "boolean", default: false } },
    })
    const [folder] = positionals
    if (folder === undefined) throw new CommandError("usage", "Which folder?", usage)
    const path = resolve(folder)
    if (existsSync(path) && readdirSync(path).length > 0)
      throw new CommandError("bad-config", `${folder} is not empty.`, "Name a new folder.")
    const name = nameOf(path)
    const spec = values.package ?? `^${manifest.version}`
    const hasAdmin = !values["no-admin"]
    for (const [file, text] of Object.entries(projectFiles(name, { spec, hasAdmin }))) {
      mkdirSync(dirname(join(path, file)), { recursive: true })
      writeFileSync(join(path, file), text)
    }
    give(path)
    const page = hasAdmin ? "; an operator's page at /admin" : ""
    say(
      `Now:\n  cd ${folder}\n  npm install\n  npm run dev      http://localhost:8787, in two windows${page}`,
    )
  },
}

/** A Worker's name: small letters, digits and dashes. */
function nameOf(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
  if (name === "")
    throw new CommandError("usage", `${path} gives the Worker no name: it has no letter or digit.`)
  return name.slice(0, 54)
}

/** The files of a project, by path. */
function projectFiles(
  name: string,
  { spec, hasAdmin }: { spec: string; hasAdmin: boolean },
): Record<string, string> {
  const { devDependencies } = manifest
  const ifAdmin = (text: string) => (hasAdmin ? text : "")
  const ours = [...WORKER_PATHS, ...(hasAdmin ? ["/admin", "/metrics"] : [])]
  const classes = ["Room", "Registry", ...(hasAdmin ? ["Lookout"] : [])]
  const versions = (...names: string[]) =>
    Object.fromEntries(names.map((one) => [one, `^${devDependencies[one]}`]))
  return {
    "package.json": `${JSON.stringify(
      {
        name,
        private: true,
        type: "module",
        scripts: {
          dev: "yurt dev",
          deploy: "yurt deploy",
          token: "yurt token",
          types: "wrangler types && tsc",
        },
        dependencies: {
          ...versions("yjs", "y-codemirror.next"),
          // The tag "latest" of codemirror is on an older line.
          codemirror: devDependencies.codemirror,
          yurt: spec,
        },
        devDependencies: {
          ...versions("esbuild", "typescript"),
          // Of a range npm takes the newest that runs on the Node at hand: on Node 20 this one, elsewhere today's.
          wrangler: "^4.86.0",
        },
        allowScripts: { esbuild: true, workerd: true },
      },
      null,
      2,
    )}\n`,
    "wrangler.toml": `name = "${name}"
main = "src/index.ts"
compatibility_date = "2026-05-01"
minify = true
compatibility_flags = ["nodejs_compat"]

[build]
command = "npx esbuild page/editor.ts --bundle --minify --format=esm --outfile=public/editor.js --log-level=warning"
watch_dir = "page"

[assets]
directory = "public"
run_worker_first = [${ours.map((path) => `"${path}"`).join(", ")}]

${classes.map((one) => `[[durable_objects.bindings]]\nname = "${one}"\nclass_name = "${one}"\n`).join("\n")}
[[migrations]]
tag = "v1"
new_sqlite_classes = [${classes.map((one) => `"${one}"`).join(", ")}]

[[d1_databases]]
binding = "DB"
database_name = "${name}"
${ifAdmin(`
# What rooms tell /admin, also as data points; Analytics Engine has to be on in the account.
# [[analytics_engine_datasets]]
# binding = "ANALYTICS"
`)}
[vars]
OPEN_ON_LOCALHOST = "true" # lets you in without a token on your own machine; opens nothing once deployed
`,
    "src/index.ts": `/** The server: a room for every document${ifAdmin(", and a page for whoever operates it")}. */
${ifAdmin('import { admin, makeDesk } from "yurt/admin"\n')}import { d1Archive } from "yurt/archive/d1"
import { Room as YurtRoom, routeDocuments } from "yurt/server"

${ifAdmin('export { Lookout } from "yurt/admin"\n')}export { Registry } from "yurt/server"

export class Room extends YurtRoom<Env> {
  archive = d1Archive(this.env.DB)
${ifAdmin("  desk = makeDesk() // what /admin sees of a room, and does to it\n")}}

export default {
  fetch: (request, env) => routeDocuments(request, env${ifAdmin(", { admin }")}),
} satisfies ExportedHandler<Env>
`,
    "page/editor.ts": `/** The page: an editor of the document that the address names, /?doc=notes. */
import { basicSetup, EditorView } from "codemirror"
import { yCollab } from "y-codemirror.next"
import * as Y from "yjs"
import { Provider } from "yurt/client"

const id = new URLSearchParams(location.search).get("doc") ?? "notes"
// Where the server has a key, your backend hands out tokens (yurt/token). To try one: npm run token, then /#token=…
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? undefined

const doc = new Y.Doc()
const text = doc.getText("text")
const provider = new Provider(\`\${location.origin.replace("http", "ws")}/docs\`, id, doc, {
  ...(token !== undefined && { token }),
})
// At the caret that others see. Your application knows who this is.
const hue = doc.clientID % 360
provider.awareness.setLocalStateField("user", {
  name: \`Guest \${hue}\`,
  color: \`hsl(\${hue} 70% 40%)\`,
  colorLight: \`hsl(\${hue} 70% 40% / 20%)\`,
})

const view = new EditorView({
  parent: document.querySelector("main")!,
  doc: text.toString(),
  extensions: [
    basicSetup,
    // The editor takes the colours that the page is in when it opens.
    EditorView.theme({}, { dark: matchMedia("(prefers-color-scheme: dark)").matches }),
    yCollab(text, provider.awareness),
  ],
})
view.focus()

const state = document.querySelector("output")!
const show = () => {
  state.textContent = provider.closed?.reason ?? (provider.hasUnsavedChanges ? "Saving" : provider.status)
}
for (const event of ["status", "saved", "unsaved", "closed"] as const) provider.on(event, show)
show()
`,
    "public/index.html": `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>${name}</title>
    <style>
      :root { color-scheme: light dark; }
      body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
      header { padding: 0.75rem 1rem; display: flex; gap: 1rem; border-bottom: 1px solid light-dark(#ddd, #444); }
      output { color: light-dark(#666, #aaa); }
    </style>
  </head>
  <body>
    <header><strong>${name}</strong><output></output></header>
    <main></main>
    <script type="module" src="/editor.js"></script>
  </body>
</html>
`,
    "tsconfig.json": `${JSON.stringify(
      {
        compilerOptions: {
          target: "esnext",
          module: "esnext",
          moduleResolution: "bundler",
          lib: ["esnext", "dom"],
          types: [],
          strict: true,
          skipLibCheck: true,
          noEmit: true,
        },
        include: ["src", "page", "worker-configuration.d.ts"],
      },
      null,
      2,
    )}\n`,
    ".gitignore":
      "node_modules\n.wrangler\n.dev.vars\n.auth-secret\npublic/editor.js\nworker-configuration.d.ts\n",
    "README.md": `# ${name}

    npm run dev       the server and the page, on http://localhost:8787
    npm run deploy    onto Cloudflare; makes the database and the secret, and says the address
    npx yurt doctor   says what is wrong with the configuration

\`src/index.ts\` is the server, \`page/editor.ts\` the page. Documents are at \`/docs/{id}\`.
${ifAdmin(`
An operator's page is at \`/admin\`. Once deployed it asks for a token:

    AUTH_SECRET=$(cat .auth-secret) npx yurt token --sub ops --admin --doc '*' --rights read
`)}`,
  }
}
