/** What README.md and docs/ promise of themselves: links that lead somewhere, samples that are run, nothing said twice. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join, normalize } from "node:path"
import { describe, expect, it } from "vitest"
import { headingsOf } from "../../demo/docs-site/markdown.ts"
import { admin } from "../../src/admin/routes.ts"
import { COMMANDS } from "../../src/cli/commands.ts"
import { RESOURCES } from "../../src/http/routes.ts"
import { blocksOf, commandsOf, DOCUMENTS, nameOf, read, readSamples, sourceOf } from "../kit/samples.ts"

const ROOT = join(import.meta.dirname, "../..")

/** Everything that is written for people, examples and folders included. */
const TEXTS = [
  ...DOCUMENTS,
  ...["SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "src/README.md", "src/archive/README.md"],
  ...["test/README.md", "test/bench/README.md", "test/faults/README.md", "demo/README.md"],
  ...readdirSync(join(ROOT, "examples")).map((name) => `examples/${name}/README.md`),
].filter((path) => existsSync(join(ROOT, path)))

/** Without code: a bracket in it is no link, and a line of it no sentence. */
const proseOf = (path: string) => read(path).replaceAll(/^```.*?^```$/gms, "")

const trimmedLines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")

describe("README.md and docs/", () => {
  it("link to what is there, headings included", () => {
    const dead: string[] = []
    for (const path of TEXTS)
      for (const [, link] of proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link!)) continue
        const [file, anchor] = link!.split("#")
        const target = file === "" ? path : normalize(join(dirname(path), file!))
        const there = existsSync(join(ROOT, target))
        const found =
          anchor === undefined || (there && headingsOf(read(target)).some(({ id }) => id === anchor))
        if (!there || !found) dead.push(`${path}: ${link}`)
      }
    expect(dead).toEqual([])
  })

  it("name the file that a block of code is, and a test runs it", () => {
    const files = DOCUMENTS.flatMap(blocksOf).filter(({ language }) =>
      ["ts", "tsx", "js", "python", "toml"].includes(language),
    )
    const unnamed = files.filter((block) => (nameOf(block) ?? sourceOf(block)) === undefined)
    expect(unnamed).toEqual([])
    const test = readFileSync(join(ROOT, "test/package/package.test.ts"), "utf8")
    const idle = Object.keys(readSamples()).filter((name) => !test.includes(`SAMPLES["${name}"]`))
    expect(idle).toEqual([])
  })

  it("show of a file of this repository only lines that it has, in their order", () => {
    const strange: string[] = []
    for (const block of DOCUMENTS.flatMap(blocksOf)) {
      const source = sourceOf(block)
      if (source === undefined) continue
      const lines = trimmedLines(read(source))
      for (const line of trimmedLines(block.text).slice(1)) {
        const at = lines.indexOf(line)
        if (at < 0) strange.push(`${block.document}, ${source}: ${line}`)
        lines.splice(0, at + 1)
      }
    }
    expect(strange).toEqual([])
  })

  it("show commands and options that there are", async () => {
    const unknown: string[] = []
    for (const line of DOCUMENTS.flatMap(commandsOf).flatMap((text) => text.split("\n"))) {
      const [, word, options] = /\bnpx (?:--package \S+ )?yurt ([a-z]+)\b([^#|)]*)/.exec(line) ?? []
      if (word === undefined) continue
      const command = await COMMANDS[word]?.()
      if (command === undefined) unknown.push(line)
      for (const [option] of options!.matchAll(/--[a-z-]+/g))
        if (command?.usage.includes(option) === false) unknown.push(`${option}: ${line}`)
    }
    expect(unknown).toEqual([])
  })

  it("list every address with every method that it has", () => {
    const rows = ["docs/rest.md", "docs/history.md", "docs/operate.md"]
      .flatMap((path) => read(path).split("\n"))
      .filter((line) => line.startsWith("| "))
      .map((line) => line.split(" | ")[0]!.split(/[\s`,?]+/))
      .map((words) => words.map((word) => word.replace(/^-\//, "/docs/{id}/-/")))
    const unlisted: string[] = []
    for (const { path, methods } of [...RESOURCES, ...admin.resources]) {
      const address = path.replace(/(\/tools)\/.*/, "$1/{name}").replace(/^\/admin\/page\..*/, "/admin")
      const its = rows.filter((words) => words.includes(address))
      if (its.length === 0) unlisted.push(path)
      for (const method of Object.keys(methods))
        if (!its.some((words) => words.includes(method))) unlisted.push(`${method} ${path}`)
    }
    expect(unlisted).toEqual([])
  })

  it("list every variable and binding that a server reads", () => {
    // In an interface of the environment, or asked of it.
    const mention = /\b([A-Z]{2,}(?:_[A-Z]+)*)\?: |\benv\??\.([A-Z]{2,}(?:_[A-Z]+)*)\b/g
    const names = new Set<string>()
    for (const path of readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }))
      if (path.endsWith(".ts") && !/^(cli|client)\//.test(path))
        for (const [, member, asked] of read(`src/${path}`).matchAll(mention)) names.add((member ?? asked)!)
    expect(names).toContain("LEGACY_URL")
    const settings = read("docs/settings.md")
    expect([...names].filter((name) => !settings.includes(`\`${name}\``))).toEqual([])
    // What commands read is told where the command is; the divisor is for tests.
    const docs = DOCUMENTS.map(read).join("\n")
    const unknown: string[] = []
    for (const path of readdirSync(join(ROOT, "src/cli"), { recursive: true, encoding: "utf8" }))
      if (path.endsWith(".ts"))
        for (const [, name] of read(`src/cli/${path}`).matchAll(/\bsettings\??\.([A-Z_]{3,})\b/g))
          if (name !== "CLUSTER_TIME_DIVISOR" && !docs.includes(name!)) unknown.push(name!)
    expect(unknown).toEqual([])
  })

  it("list every error, and what a request is answered", () => {
    const rows = read("docs/rest.md").split("## Errors")[1]!.split("\n")
    const unlisted = [
      ...read("src/errors.ts").matchAll(/^ {2}"?([a-z-]+)"?: \{ status: (\d+), close: (\d+)/gm),
    ]
      .map(([, code, status, close]) => ({ code, status, close }))
      .filter(({ code, status, close }) => {
        const [, , statuses, closes] = rows.find((row) => row.includes(`\`${code}\``))?.split("|") ?? []
        return !statuses?.includes(status!) || !(closes?.includes(close!) || closes?.includes("stays open"))
      })
    expect(unlisted).toEqual([])
  })

  it("have every file of src/ on the map of the house, and every one of test/kit/ in the list", () => {
    const named = (text: string) => new Set(text.match(/[\w-]+/g))
    const map = named(read("src/README.md").split("```")[1]!)
    // A file a command, a store and a part of the page: these stand for themselves.
    const listed = /^(cli\/(layouts|sources)\/|admin\/page\/|client\/)|^cli\/(init|dev|deploy|doctor)\.ts$/
    const missing = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !listed.test(path))
      .filter((path) => !map.has(basename(path, ".ts")))
    const client = named(read("src/client/provider.ts").split("*/")[0]!)
    for (const name of readdirSync(join(ROOT, "src/client")))
      if (name.endsWith(".ts") && name !== "provider.ts" && !client.has(basename(name, ".ts")))
        missing.push(name)
    const kit = read("test/README.md")
    missing.push(...readdirSync(join(ROOT, "test/kit")).filter((name) => !kit.includes(`\`${name}\``)))
    expect(missing).toEqual([])
  })

  it("say nothing twice", () => {
    const said = new Map<string, string>()
    const twice: string[] = []
    for (const path of DOCUMENTS)
      for (const sentence of proseOf(path)
        .replaceAll(/\s+/g, " ")
        .split(/(?<=[.:!?]) |\|/)) {
        const words = sentence.trim()
        if (words.length < 40 || words.startsWith("#")) continue
        const before = said.get(words)
        if (before !== undefined) twice.push(`${before}, ${path}: ${words}`)
        said.set(words, path)
      }
    expect(twice).toEqual([])
  })

  it("say what was measured: prices, and how many targets were missed", () => {
    const { scenarios, verdicts } = JSON.parse(read("test/bench/results.json"))
    const cost = (system: string, figure: string, factor = 1, digits = 3) =>
      `${((factor * scenarios.cost.systems[system].figures[figure]) / 10_000).toFixed(digits)} ¢`
    for (const system of ["yurt", "y-partyserver"]) {
      expect(read("README.md")).toContain(cost(system, "microdollarsPer1000"))
      expect(read("README.md")).toContain(cost(system, "microdollarsPerIdleHour"))
      expect(read("docs/compare.md")).toContain(cost(system, "microdollarsPer1000", 18, 2))
    }
    const missed = verdicts.filter(({ met }: { met: boolean }) => !met).length
    expect(read("README.md").replaceAll("\n", " ")).toContain(
      `Of ${verdicts.length} targets of the last whole run ${missed} were missed`,
    )
  })

  it("keep the front door small", () => {
    expect(statSync(join(ROOT, "README.md")).size).toBeLessThanOrEqual(16 * 1024)
  })
})
