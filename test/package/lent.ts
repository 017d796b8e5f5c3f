/**
 * Examples in `npm test`, with what they ask for lent by this repository instead of installed. examples.ts runs them as people
 * do.
 */
import { mkdirSync, readFileSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { build } from "esbuild"
import { expect } from "vitest"
import { freePort } from "../kit/port.ts"
import { until } from "../kit/until.ts"
import { copyExample, makeProject, type Project, ROOT, typeErrors, versionOf } from "./projects.ts"

/**
 * A project that is a folder of examples/, with what its package.json asks for lent by this repository.
 * @param yurt the project whose installed package it uses
 * @throws Error where it asks for another version than the one that is tested here
 */
function makeExample(
  workshop: string,
  { name, tarball, yurt }: { name: string; tarball: string; yurt: Project },
): Project {
  const example = makeProject(workshop, { name, tarball })
  copyExample(name, example.path)
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(example.path, "package.json"), "utf8"),
  )
  for (const [name, version] of Object.entries<string>({ ...dependencies, ...devDependencies })) {
    const isOurs = name === "yurt"
    if (name === "concurrently") continue
    const tested = isOurs ? `file:../../${basename(tarball)}` : versionOf(name)
    if (version !== tested) throw new Error(`${name} is ${tested}, not ${version}`)
    if (!isOurs) example.lend(name)
  }
  mkdirSync(join(example.path, "node_modules/.bin"), { recursive: true })
  for (const place of ["yurt", ".bin/yurt"])
    symlinkSync(join(yurt.path, "node_modules", place), join(example.path, "node_modules", place))
  return example
}

/** examples/tiptap: its types, its build, its rooms, and two people with a page each. */
export async function tryTiptap(
  workshop: string,
  { compilerOptions, ...from }: { tarball: string; yurt: Project; compilerOptions: object },
): Promise<void> {
  const example = makeExample(workshop, { name: "tiptap", ...from })
  const port = await freePort()
  const source = readFileSync(join(example.path, "src/main.ts"), "utf8")
  expect(source).toContain("localhost:8787")
  example.write({
    "src/main.ts": source.replace("localhost:8787", `127.0.0.1:${port}`),
    "tsconfig.json": JSON.stringify({
      compilerOptions: { ...compilerOptions, lib: ["esnext", "dom", "dom.iterable"], types: [] },
      include: ["src"],
    }),
    "open-page.mjs": readFileSync(join(import.meta.dirname, "open-page.mjs"), "utf8"),
  })
  example.lend("happy-dom", "ws")
  expect(await typeErrors(example)).toEqual([])
  await example.run("vite/bin/vite.js", "build", "--logLevel=warn")
  await example.withScript(["rooms", "--", `--port=${port}`], async () => {
    await until(async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok, "the rooms answer")
    const pages = ["write", "read"].map((does) => example.run("./open-page.mjs", does))
    const [writer, reader] = (await Promise.all(pages)).map((printed) => JSON.parse(printed))
    expect(writer.said).toEqual(["Saving", "Saved"])
    expect(reader.text).toBe("<h2>Plan</h2><p>tea</p>")
    const exported = await fetch(`http://127.0.0.1:${port}/docs/notes?format=markdown`)
    expect((await exported.text()).trim()).toBe("## Plan\n\ntea")
  })
}

/** What of examples/nextjs runs without Next.js: its sign-in and its route for tokens. */
const OF_NEXTJS = [
  "lib/people.ts",
  "lib/session.ts",
  "app/sign-in/route.ts",
  "app/sign-out/route.ts",
  "app/api/document-token/route.ts",
]

/** Put that into a backend's project. */
export function layNextjs(backend: Project): void {
  for (const file of OF_NEXTJS)
    backend.write({ [`nextjs/${file}`]: readFileSync(join(ROOT, "examples/nextjs", file), "utf8") })
}

/** Sign in there, by the right and by wrong ways. @returns Grace's token for the minutes, which she may read */
export async function signInNextjs(backend: Project, secret: string): Promise<string> {
  backend.write({
    "nextjs/doors.ts": `
      export { POST as signIn } from "./app/sign-in/route"
      export { POST as signOut } from "./app/sign-out/route"
      export { GET as token } from "./app/api/document-token/route"`,
    "ask-nextjs.mjs": `
      import { signIn, signOut, token } from "./nextjs.mjs"
      Object.assign(process.env, { AUTH_SECRET: "${secret}", SESSION_SECRET: "of-the-cookies" })
      const url = "http://localhost:3000"
      const enter = async (name, password) => {
        const body = new URLSearchParams({ name, password })
        const { headers } = await signIn(new Request(url, { method: "POST", body }))
        return headers.get("set-cookie")?.split(";")[0] ?? null
      }
      const ask = (id, cookie) => token(new Request(url + "/?id=" + id, { headers: cookie === null ? {} : { cookie } }))
      const grace = await enter("grace", "nanosecond")
      const left = (await signOut()).headers.get("set-cookie").split(";")[0]
      const claims = (of) => Buffer.from(JSON.stringify(of)).toString("base64url")
      const [, signature] = grace.split(".")
      const cookies = [null, left, "session=" + claims({ id: "ada", until: 9e9 }) + "." + signature, grace.slice(0, -1)]
      console.log(JSON.stringify({
        wrong: [await enter("grace", "engine"), await enter("nobody", "engine"), await enter("__proto__", "")],
        strangers: await Promise.all(cookies.map(async (cookie) => (await ask("minutes", cookie)).status)),
        others: await Promise.all(["diary", "", "constructor"].map(async (id) => (await ask(id, grace)).status)),
        token: await (await ask("minutes", grace)).text(),
      }))`,
  })
  await build({
    absWorkingDir: backend.path,
    entryPoints: ["nextjs/doors.ts"],
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: "nextjs.mjs",
  })
  const { wrong, strangers, others, token } = JSON.parse(await backend.run("./ask-nextjs.mjs"))
  expect(wrong).toEqual([null, null, null])
  expect(strangers).toEqual([401, 401, 401, 401])
  expect(others).toEqual([403, 403, 403])
  return token
}
