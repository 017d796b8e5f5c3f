/** What somebody else has after `npm install yurt`: the samples of README.md and docs/, built and run in projects of their own. */
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { afterAll, beforeAll, expect, it } from "vitest"
import webpack from "webpack"
import * as Y from "yjs"
import { signEvent } from "../../src/room/postbox.ts"
import { verifyToken } from "../../src/token.ts"
import { freePort } from "../kit/port.ts"
import { commandsOf, readSamples } from "../kit/samples.ts"
import { until } from "../kit/until.ts"
import { layNextjs, signInNextjs, tryTiptap } from "./lent.ts"
import { makeProject, makeWorkshop, type Project, pack, ROOT, typeErrors, withServer } from "./projects.ts"

const SAMPLES = readSamples()
const ENTRIES = Object.keys(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).exports)
  .filter((entry) => !/\.(json|sql)$/.test(entry))
  .map((entry) => entry.replace(".", "yurt"))

/** As strict as it gets; also the declarations of the packages are looked at. */
const STRICT = {
  target: "esnext",
  module: "esnext",
  moduleResolution: "bundler",
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noImplicitOverride: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  noEmit: true,
}

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"

const workshop = makeWorkshop()
let tarball: string
let worker: Project
let page: Project

beforeAll(async () => {
  tarball = await pack(workshop.path)
  worker = makeProject(workshop.path, { name: "worker", tarball })
  worker.write({
    "src/index.ts": SAMPLES["src/index.ts"]!,
    "src/counter.ts": SAMPLES["counter.ts"]!,
    "src/token.ts": SAMPLES["token.ts"]!,
    "src/beside.ts": SAMPLES["beside.ts"]!,
    "src/server.ts": SAMPLES["server.ts"]!,
    "src/notes-room.ts": SAMPLES["notes-room.ts"]!,
    "src/moving-room.ts": SAMPLES["moving-room.ts"]!,
    "src/operated.ts": SAMPLES["operated.ts"]!,
    "src/minutes-room.ts": SAMPLES["minutes-room.ts"]!,
    "src/slate-room.ts": SAMPLES["slate-room.ts"]!,
    "src/printed-room.ts": SAMPLES["printed-room.ts"]!,
    "src/entries.ts": ENTRIES.filter((entry) => !/client|react|offline/.test(entry))
      .map((entry, index) => `export * as entry${index} from "${entry}"\n`)
      .join(""),
    "wrangler.toml": SAMPLES["wrangler.toml"]!,
    "tsconfig.json": JSON.stringify({
      compilerOptions: { ...STRICT, lib: ["esnext"], types: ["./worker-configuration.d.ts"] },
      include: ["src", "example/src"],
    }),
  })
  cpSync(join(ROOT, "examples/worker"), join(worker.path, "example"), { recursive: true })
  page = makeProject(workshop.path, { name: "page", tarball })
  page.write({
    "editor.ts": SAMPLES["editor.ts"]!,
    "codemirror.ts": SAMPLES["codemirror.ts"]!,
    "notes.tsx": SAMPLES["notes.tsx"]!,
    "next-editor.tsx": readFileSync(join(ROOT, "examples/nextjs/app/notes/[id]/editor.tsx"), "utf8"),
    "page.ts": SAMPLES["page.ts"]!,
    "past.ts": SAMPLES["past.ts"]!,
    "stock.ts": SAMPLES["stock.ts"]!,
    "hocuspocus.ts": SAMPLES["hocuspocus.ts"]!,
    "socket.ts": SAMPLES["socket.ts"]!,
    "main.tsx": `import { createRoot } from "react-dom/client"\nimport { Notes } from "./notes"\n\ncreateRoot(document.body).render(<Notes id="notes" />)\n`,
    "plain.js": `export { Provider } from "yurt/client"\nexport { useProvider } from "yurt/react"\n`,
    "index.html": `<!doctype html><title>Notes</title><script type="module" src="/main.tsx"></script>`,
    "tsconfig.json": JSON.stringify({
      compilerOptions: { ...STRICT, lib: ["esnext", "dom"], types: [], jsx: "react-jsx" },
      include: ["*.ts", "*.tsx", "example/src"],
    }),
  })
  await worker.install("yjs", "slate", "@slate-yjs/core")
  await page.install(
    "yjs",
    "react",
    "react-dom",
    "@types/react",
    "@types/react-dom",
    "codemirror",
    "@codemirror/view",
    "y-codemirror.next",
    "y-websocket",
    "y-partyserver",
    "@hocuspocus/provider",
  )
})
afterAll(() => workshop.remove())

/** The code that esbuild makes of a file of the page, with its warnings. */
function bundle(entry: string, options: { jsx?: "automatic" } = {}) {
  return build({
    absWorkingDir: page.path,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "silent",
    ...options,
  })
}

it("gives a Worker of one's own strict types, with the types that wrangler makes", async () => {
  await worker.run("wrangler/bin/wrangler.js", "types")
  expect(await typeErrors(worker)).toEqual([])
})

it("bundles a Worker with an operator's page, bound as docs/operate.md says", async () => {
  const config = SAMPLES["wrangler.toml"]!.replace("src/index.ts", "src/operated.ts")
  worker.write({ "operated.toml": `${config}\n${SAMPLES["lookout.toml"]!}` })
  const printed = await worker.run(
    "wrangler/bin/wrangler.js",
    "deploy",
    "--dry-run",
    "--config=operated.toml",
  )
  for (const name of ["Room", "Registry", "Lookout", "ANALYTICS"]) expect(printed).toContain(`env.${name}`)
})

it.concurrent("runs that Worker, and saves in it what a page's provider wrote", async () => {
  await withServer(worker.path, async (port) => {
    page.write({
      "edit.mjs": `
        import * as Y from "yjs"
        import { Provider } from "yurt/client"
        const doc = new Y.Doc()
        const provider = new Provider("ws://127.0.0.1:${port}/docs", "notes", doc)
        doc.getText("text").insert(0, "hello")
        await provider.whenSaved()
        provider.destroy()`,
    })
    await page.run("./edit.mjs")
    const exported = await fetch(`http://127.0.0.1:${port}/docs/notes?format=json`)
    expect(await exported.json()).toEqual({ text: "hello" })
    await tryCommands(port)
    // As in Node 20: what the provider loads then is in the package as well.
    page.write({
      "plain.mjs": `
        delete globalThis.WebSocket
        import * as Y from "yjs"
        import { Provider } from "yurt/client"
        const doc = new Y.Doc()
        const provider = new Provider("ws://127.0.0.1:${port}/docs", "plain", doc)
        doc.getText("text").insert(0, "hello")
        await provider.whenSaved()
        console.log(provider.transport)
        provider.destroy()`,
    })
    expect((await page.run("./plain.mjs")).trim()).toBe("stream")
    const found = await page.yurt("doctor", `http://127.0.0.1:${port}`)
    expect(found).toContain("ok    There is no operator's page, /admin.")
    expect(found).not.toContain("wrong")
  })
})

/** Type the requests of docs/, in their order, and follow the document as docs/rest.md does. */
async function tryCommands(port: number): Promise<void> {
  page.write({ "plan.md": "# Plan\n", "follow.js": here(SAMPLES["follow.js"]!, port) })
  for (const commands of ["docs/rest.md", "docs/start.md"].flatMap(commandsOf)) {
    const script = here(commands, port).replaceAll(/^curl /gm, "curl --silent --show-error --fail-with-body ")
    const { status, stdout, stderr } = spawnSync("sh", ["-ec", script], { cwd: page.path, encoding: "utf8" })
    expect({ script, status, stdout, stderr }).toMatchObject({ status: 0 })
  }
  const exported = await fetch(`http://127.0.0.1:${port}/docs/notes?format=json`)
  expect(await exported.json()).toMatchObject({
    settings: { title: "A paper" },
    tasks: [{ what: "proofread", done: false }],
    text: "Dear all, hello",
  })

  page.write({
    "follow-once.mjs": `
      const print = console.log
      console.log = (value) => (print(JSON.stringify(value)), process.exit(0))
      await import("./follow.js")`,
  })
  const { stdout } = spawnSync(process.execPath, ["--experimental-eventsource", "follow-once.mjs"], {
    cwd: page.path,
    encoding: "utf8",
  })
  expect(JSON.parse(stdout)).toEqual({ title: "A paper" })
}

const here = (text: string, port: number) => text.replaceAll("localhost:8787", `127.0.0.1:${port}`)

it.concurrent("runs examples/worker: votes that are counted on the server, and a format of its own", async () => {
  await withServer(join(worker.path, "example"), async (port) => {
    const url = `http://127.0.0.1:${port}`
    const vote = () => fetch(`${url}/parties/poll/friday`, { method: "POST", body: '{"vote":"tea"}' })
    await Promise.all([vote(), vote(), vote()])
    expect(await (await vote()).json()).toEqual({ tea: 4 })
    expect((await fetch(`${url}/parties/poll/friday`, { method: "POST", body: "{}" })).status).toBe(400)
    const doc = new Y.Doc()
    doc.getText("text").insert(0, "# Plan\nwords\n## Then\n")
    const update = Y.encodeStateAsUpdate(doc) as BodyInit
    expect((await fetch(`${url}/docs/notes`, { method: "PATCH", body: update })).status).toBe(200)
    expect(await (await fetch(`${url}/docs/notes?format=outline`)).text()).toBe("# Plan\n## Then")
  })
})

it.concurrent("makes a project by its command, which type checks, would be deployed, and has nothing wrong with it", async () => {
  // Inside the page's project, which has installed what it needs.
  const app = makeProject(page.path, { name: "app", tarball })
  await page.yurt("init", "app", "--package", `file:${tarball}`)
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(app.path, "package.json"), "utf8"))
  for (const name of Object.keys(dependencies))
    expect(existsSync(join(page.path, "node_modules", name))).toBe(true)
  app.lend(...Object.keys(devDependencies))
  // It binds what the README's Worker binds.
  cpSync(join(worker.path, "worker-configuration.d.ts"), join(app.path, "worker-configuration.d.ts"))
  expect(await typeErrors(app)).toEqual([])
  const plan = await app.yurt("deploy", "--dry-run")
  expect(plan).toContain("env.Registry")
  expect(plan).toContain("make the D1 database of DB")
  expect(readFileSync(join(app.path, "public/editor.js"), "utf8").length).toBeGreaterThan(100_000)
  expect(await app.yurt("doctor")).not.toContain("wrong")

  const askDoctor = async (port: number) => app.yurt("doctor", `http://127.0.0.1:${port}`)
  await withServer(app.path, async (port) => {
    const found = await askDoctor(port)
    expect(found).not.toContain("wrong")
    expect(found).toContain("The operator's page is at /admin.")
    expect(found).toContain("Rooms have a desk")
    const page = await fetch(`http://127.0.0.1:${port}/admin/page.js`)
    expect(page.headers.get("content-type")).toContain("javascript")
  })
  // As somebody leaves it who has done half of what docs/operate.md says.
  const without = (file: string, text: string | RegExp) => {
    const path = join(app.path, file)
    const left = readFileSync(path, "utf8").replace(text, "")
    app.write({ [file]: left })
  }
  without("src/index.ts", /^ {2}desk = .*\n/m)
  without("wrangler.toml", /\[\[durable_objects\.bindings\]\]\nname = "Lookout"\nclass_name = "Lookout"\n/)
  await withServer(app.path, async (port) => {
    const found = await askDoctor(port).catch(String)
    expect(found).toMatch(/wrong Nobody keeps watch over the rooms here/)
    expect(found).toMatch(/wrong This room has no desk/)
  })

  await page.yurt("init", "plain", "--no-admin")
  const plain = readFileSync(join(page.path, "plain/src/index.ts"), "utf8")
  const config = readFileSync(join(page.path, "plain/wrangler.toml"), "utf8")
  expect(plain + config).not.toMatch(/yurt\/admin|Lookout|desk|metrics/)
})

it.concurrent("runs examples/tiptap: two pages as built, and what is called saved is on the server", async () => {
  await tryTiptap(workshop.path, { tarball, yurt: worker, compilerOptions: STRICT })
})

it("gives a page strict types, and builds it with esbuild, Vite and webpack where y-indexeddb is missing", async () => {
  expect(existsSync(join(page.path, "node_modules/y-indexeddb"))).toBe(false)
  expect(await typeErrors(page)).toEqual([])

  for (const entry of ["editor.ts", "codemirror.ts", "main.tsx", "page.ts"]) {
    const { warnings } = await bundle(entry, { jsx: "automatic" })
    expect(warnings).toEqual([])
  }
  await page.run("vite/bin/vite.js", "build", "--logLevel=warn")
  expect(existsSync(join(page.path, "dist/index.html"))).toBe(true)

  const stats = await new Promise<webpack.Stats>((resolve, reject) => {
    webpack(
      {
        context: page.path,
        entry: "./plain.js",
        mode: "production",
        optimization: { minimize: false },
        performance: false,
        output: { path: join(page.path, "packed"), library: { type: "module" } },
        experiments: { outputModule: true },
      },
      (error, stats) => (stats ? resolve(stats) : reject(error)),
    )
  })
  expect(stats.toString({ all: false, errors: true, warnings: true })).toBe("")
})

/** A token for ada, as every backend's sample signs it. */
async function expectToken(token: string): Promise<void> {
  const claims = await verifyToken(token, { secret: SECRET })
  expect(claims).toMatchObject({ subject: "ada", name: "ADA", docs: [{ id: "notes", rights: "write" }] })
}

/** The backend's sample takes what a room signs, and nothing else. */
async function expectReceiver({ path }: Project): Promise<void> {
  const { outputFiles } = await build({
    absWorkingDir: path,
    entryPoints: ["receive.ts"],
    bundle: true,
    format: "esm",
    platform: "node",
    write: false,
  })
  const { isEvent } = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0]!.text).toString("base64")}`
  )
  const secret = `whsec_${Buffer.from(SECRET).toString("base64")}`
  const sign = async (at: number, body: string) => {
    const seconds = String(at)
    const signature = await signEvent(secret, { id: "msg_1", seconds, body })
    return new Headers({
      "webhook-id": "msg_1",
      "webhook-timestamp": seconds,
      "webhook-signature": signature,
    })
  }
  const now = Math.floor(Date.now() / 1000)
  expect(isEvent(await sign(now, "{}"), "{}", secret)).toBe(true)
  expect(isEvent(await sign(now, "{}"), "[]", secret)).toBe(false)
  expect(isEvent(await sign(now - 600, "{}"), "{}", secret)).toBe(false)
  expect(isEvent(new Headers(), "{}", secret)).toBe(false)
}

it("[R1] mints in a backend's route what the server takes, and needs nothing of Node or of a Worker for it", async () => {
  const backend = makeProject(worker.path, { name: "backend", tarball })
  backend.write({
    "token.ts": SAMPLES["token.ts"]!,
    "route.ts": SAMPLES["route.ts"]!,
    "hono.ts": SAMPLES["hono.ts"]!,
    "express.ts": SAMPLES["express.ts"]!,
    "receive.ts": SAMPLES["receive.ts"]!,
    "auth.ts": `export async function userOf(id: string | null) {
      return id === null ? null : { id, name: id.toUpperCase(), mayEdit: (document: string) => document === "notes" }
    }`,
    "tsconfig.json": JSON.stringify({
      compilerOptions: { ...STRICT, lib: ["esnext", "dom"], types: ["node"] },
      include: ["*.ts", "nextjs/**/*.ts"],
    }),
  })
  layNextjs(backend)
  backend.lend("hono", "@types/node")
  expect(await typeErrors(backend)).toEqual([])
  const { metafile, outputFiles } = await build({
    absWorkingDir: backend.path,
    entryPoints: ["hono.ts"],
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    metafile: true,
    write: false,
  })
  expect(Object.values(metafile.outputs)[0]?.imports).toEqual([])
  backend.write({
    "bundle.mjs": outputFiles[0]!.text,
    "ask.mjs": `
      import { app } from "./bundle.mjs"
      process.env.AUTH_SECRET = "${SECRET}"
      const ask = (id, headers) => app.request("/api/document-token?id=" + id, { headers })
      const answers = await Promise.all([ask("notes", { cookie: "ada" }), ask("other", { cookie: "ada" }), ask("notes")])
      console.log(JSON.stringify({ statuses: answers.map(({ status }) => status), token: await answers[0].text() }))`,
  })
  const { statuses, token } = JSON.parse(await backend.run("./ask.mjs"))
  expect(statuses).toEqual([200, 403, 403])
  await expectToken(token)

  // The same in plain Node, which is Express' as well.
  await build({
    absWorkingDir: backend.path,
    entryPoints: ["express.ts"],
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: "express.mjs",
  })
  backend.write({
    "ask-node.mjs": `
      import { createServer } from "node:http"
      import { documentToken } from "./express.mjs"
      process.env.AUTH_SECRET = "${SECRET}"
      const server = createServer(documentToken).listen(0, "127.0.0.1", async () => {
        const ask = (id, headers) => fetch("http://127.0.0.1:" + server.address().port + "/?id=" + id, { headers })
        const answers = [await ask("notes", { cookie: "ada" }), await ask("other", { cookie: "ada" }), await ask("notes")]
        console.log(JSON.stringify({ statuses: answers.map(({ status }) => status), token: await answers[0].text() }))
        process.exit(0)
      })`,
  })
  const inNode = JSON.parse(await backend.run("./ask-node.mjs"))
  expect(inNode.statuses).toEqual([200, 403, 403])
  await expectToken(inNode.token)

  await expectReceiver(backend)
  expect(await verifyToken(await signInNextjs(backend, SECRET), { secret: SECRET })).toMatchObject({
    subject: "grace",
    docs: [{ id: "minutes", rights: "read" }],
  })

  backend.write({ "token_for.py": SAMPLES["token_for.py"]! })
  const python = spawnSync(
    "python3",
    ["-c", `from token_for import *; print(token_for("ada", "ADA", "notes", "${SECRET}"))`],
    { cwd: backend.path, encoding: "utf8" },
  )
  await expectToken(python.stdout.trim())
})

it("serves from its own bundle, under the workerd that is installed beside it", async () => {
  worker.lend("workerd")
  const port = await freePort()
  const server = worker.startYurt("serve", `--port=${port}`, `--data=${join(workshop.path, "data")}`)
  const gone = once(server, "exit")
  await until(async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok, "the server answers")
  server.kill("SIGTERM")
  expect((await gone)[0]).toBe(0)
})

it("opens only the doors that the package names, and all of those", async () => {
  page.write({
    "doors.mjs": `
      const closed = []
      for (const name of ${JSON.stringify(["yurt", "yurt/room/log", "yurt/archive/abortable", "yurt/dist/server.js"])})
        await import(name).catch(({ code }) => closed.push(code))
      const open = []
      for (const name of ${JSON.stringify(ENTRIES)}) open.push(import.meta.resolve(name))
      console.log(JSON.stringify({ closed, open }))`,
  })
  const { closed, open } = JSON.parse(await page.run("./doors.mjs"))
  expect(closed).toEqual(Array(4).fill("ERR_PACKAGE_PATH_NOT_EXPORTED"))
  expect(open).toHaveLength(ENTRIES.length)
})

it("keeps a copy offline once y-indexeddb is installed, as examples/react does", async () => {
  page.write({ "offline.ts": SAMPLES["offline.ts"]! })
  cpSync(join(ROOT, "examples/react"), join(page.path, "example"), { recursive: true })
  await page.install("y-indexeddb")
  expect((await bundle("offline.ts")).warnings).toEqual([])
  expect(await typeErrors(page)).toEqual([])
  page.write({
    "render.tsx": `
      import { renderToString } from "react-dom/server"
      import { App } from "./example/src/app"
      console.log(renderToString(<App />))
      process.exit(0)`,
  })
  const rendered = await build({
    absWorkingDir: page.path,
    entryPoints: ["render.tsx"],
    bundle: true,
    format: "esm",
    platform: "node",
    jsx: "automatic",
    external: ["react", "react-dom"],
    write: false,
  })
  page.write({ "render.mjs": rendered.outputFiles[0]!.text })
  expect(await page.run("./render.mjs")).toContain("Only you")
})
