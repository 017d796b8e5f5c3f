/**
 * Small projects that use the package as somebody else would: installed from the tarball into a folder outside this
 * repository, so that nothing of its node_modules is found by accident.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { serve } from "../../demo/start.ts"
import { freePort } from "../kit/port.ts"
import { killGroup } from "../kit/server.ts"
import { until } from "../kit/until.ts"

/** This repository. */
export const ROOT = join(import.meta.dirname, "../..")

/** The lockfile's packages by their place: `node_modules/yjs`. */
const locked: Readonly<Record<string, { readonly version?: string }>> = JSON.parse(
  readFileSync(join(ROOT, "package-lock.json"), "utf8"),
).packages

/** Who asks for a version of these says so itself: an override would hide that a peer range is wrong. */
const PEERS = ["yjs", "react", "react-dom", "y-indexeddb"]

/** A project's folder, and hands on it. */
export interface Project {
  readonly path: string
  /** Put these files into it, by path. */
  write(files: Readonly<Record<string, string>>): void
  /** Add these packages, in the versions that this repository is tested with. */
  install(...names: readonly string[]): Promise<void>
  /** Lend it large packages of this repository, as if they had been installed, with their commands. */
  lend(...names: readonly string[]): void
  /** Run a script in the project: one of its own, or `typescript/bin/tsc` of this repository. @returns what it printed */
  run(script: string, ...args: readonly string[]): Promise<string>
  /** `npx yurt` in the project. @returns what it printed, said or gave */
  yurt(...args: readonly string[]): Promise<string>
  /** The same, and leave it running. */
  startYurt(...args: readonly string[]): ChildProcess
  /** `npm run` in the project, for as long as it is used. It ends as by Ctrl-C. */
  withScript(args: readonly string[], use: () => Promise<void>): Promise<void>
}

/** What npm links as `yurt`. */
const COMMAND = "yurt/dist/cli/yurt.js"

/** A folder for tarball and projects; whoever asks removes it. */
export function makeWorkshop(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "yurt-package-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/** Build the package and pack it into this folder. @returns the tarball's path */
export async function pack(into: string): Promise<string> {
  const printed = await npm(ROOT, "pack", "--silent", "--pack-destination", into)
  return join(into, printed.trim().split("\n").at(-1)!)
}

/** @param tarball of the package, which every project installs */
export function makeProject(workshop: string, { name, tarball }: { name: string; tarball: string }): Project {
  const path = join(workshop, name)
  const dependencies: Record<string, string> = { yurt: `file:${tarball}` }
  const write = (files: Readonly<Record<string, string>>) => {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(path, file)), { recursive: true })
      writeFileSync(join(path, file), text)
    }
  }
  return {
    path,
    write,
    async install(...names) {
      for (const name of names) dependencies[name] = versionOf(name)
      // What they depend on comes as locked here: no release of somebody else's makes this test fail one morning.
      const overrides = Object.keys(locked)
        .map((place) => /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place)?.[1])
        .filter((name) => name !== undefined && !PEERS.includes(name) && !(name in dependencies))
        .map((name) => [name, versionOf(name!)])
      write({
        "package.json": JSON.stringify({
          name: `of-${name}`,
          private: true,
          type: "module",
          dependencies,
          overrides: Object.fromEntries(overrides),
        }),
      })
      await npm(
        path,
        "install",
        "--prefer-offline",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
      )
    },
    lend(...names) {
      mkdirSync(join(path, "node_modules/.bin"), { recursive: true })
      for (const name of names) {
        mkdirSync(dirname(join(path, "node_modules", name)), { recursive: true })
        symlinkSync(join(ROOT, "node_modules", name), join(path, "node_modules", name), "junction")
        const command = join("node_modules/.bin", name)
        if (existsSync(join(ROOT, command))) symlinkSync(join(ROOT, command), join(path, command))
      }
    },
    yurt: (...args) => run(process.execPath, [commandOf(path), ...args], { cwd: path, all: true }),
    startYurt: (...args) =>
      spawn(process.execPath, [commandOf(path), ...args], {
        cwd: path,
        stdio: "ignore",
        env: { ...process.env, AUTH_SECRET: "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u" },
      }),
    async withScript(args, use) {
      const child = spawn("npm", ["run", ...args], {
        cwd: path,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        env: { ...process.env, ...QUIET },
      })
      const gone = once(child, "close")
      let output = ""
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk: Buffer) => {
          output += chunk
        })
      }
      try {
        await use()
      } catch (error) {
        throw new Error(`npm run ${args.join(" ")} said:\n${output}`, { cause: error })
      } finally {
        if (child.exitCode === null) process.kill(-child.pid!, "SIGINT")
        await gone
      }
    },
    run: (script, ...args) => {
      const own = script.startsWith("./")
      return run(process.execPath, [join(own ? path : join(ROOT, "node_modules"), script), ...args], {
        cwd: path,
      })
    },
  }
}

/** What running an example leaves in its folder. */
const LEFT = ["node_modules", "dist", ".next", ".env.local", "documents", "package-lock.json"]

/** A folder of examples/, as it is in the repository. */
export function copyExample(name: string, to: string): void {
  const filter = (file: string) => !LEFT.includes(basename(file))
  cpSync(join(ROOT, "examples", name), to, { recursive: true, filter })
}

/** What `tsc` has against a project, but for the declarations of other packages: those of yjs want a browser's names. */
export async function typeErrors(project: Project): Promise<string[]> {
  const printed = await project.run("typescript/bin/tsc", "--pretty", "false").then(
    () => "",
    (error: Error) => error.message,
  )
  const errors = printed.split("\n").filter((line) => line.includes("error TS"))
  return errors.filter((line) => /^(?!node_modules\/)|^node_modules\/yurt\//.test(line))
}

/** A Worker under `wrangler dev`, in one of a workshop's folders, for as long as it is used. */
export async function withServer(folder: string, use: (port: number) => Promise<void>): Promise<void> {
  const port = await freePort()
  let output = ""
  const server = serve(
    [`--port=${port}`, "--ip=127.0.0.1", `--persist-to=${join(folder, `storage-${port}`)}`],
    { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true },
  )
  for (const stream of [server.stdout, server.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk
    })
  }
  try {
    await until(async () => {
      if (server.exitCode !== null) throw new Error(`The Worker ended:\n${output}`)
      return (await fetch(`http://127.0.0.1:${port}/health`)).ok
    }, "the Worker answers")
    await use(port)
  } finally {
    const gone = once(server, "exit")
    killGroup(server.pid!)
    await gone
  }
}

/** As npx looks for it: here, and in the folders above. */
function commandOf(path: string): string {
  return createRequire(join(path, "any.js"))
    .resolve.paths("yurt")!
    .map((folder) => join(folder, COMMAND))
    .find((command) => existsSync(command))!
}

/** The version that this repository is tested with. @throws Error where it has no such package */
export function versionOf(name: string): string {
  const version = locked[`node_modules/${name}`]?.version
  if (version === undefined) throw new Error(`The lockfile has no ${name}`)
  return version
}

/** Run npm in a folder. @returns what it printed. @throws Error with that, where it fails */
export function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  // On Windows npm is a script of the shell's.
  return run("npm", args, { cwd, shell: process.platform === "win32" })
}

/** @throws Error with all that was printed, where the command fails */
function run(
  command: string,
  args: readonly string[],
  { all: giveAll = false, ...options }: { cwd: string; shell?: boolean; all?: boolean },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, env: { ...process.env, ...QUIET } })
    let out = ""
    let all = ""
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk
      all += chunk
    })
    child.stderr.on("data", (chunk: Buffer) => {
      all += chunk
    })
    child.on("error", reject)
    child.on("close", (code) => {
      if (code === 0) resolve(giveAll ? all : out)
      else reject(new Error(`${[command, ...args].join(" ")} ended with ${code}:\n${all}`))
    })
  })
}

/** wrangler neither asks nor reports, and needs no network. */
export const QUIET = {
  CI: "1",
  WRANGLER_SEND_METRICS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  X_LOCAL_OBSERVABILITY: "false",
}
