/** What every page of the demos owes its visitors. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"

const demo = join(import.meta.dirname, "../../../demo")
const pages = readdirSync(demo).filter((name) => name.endsWith(".html"))
const read = (name: string) => readFileSync(join(demo, name), "utf8")

it.each(pages.filter((name) => name !== "index.html"))("%s shows its own source", (name) => {
  const [, script] = /<script type="module" src="\/([\w-]+\.tsx?)">/.exec(read(name))!
  const [, source] = /^import source from "\.\/([\w.-]+)\?raw"$/m.exec(read(script!)) ?? []
  expect(source === undefined ? [] : readdirSync(demo)).toContain(source)
  expect(read(script!)).toMatch(/showSource\("[\w.-]+", source\)|snippet\(source/)
})

it.each(pages)("%s says what it is before any script runs, and fits a narrow screen", (name) => {
  const html = read(name)
  expect(html).toMatch(/<title>.+ Yurt<\/title>|<title>Yurt: .+<\/title>/)
  expect(html).toContain('<meta name="color-scheme" content="light dark" />')
  expect(html).toMatch(/<meta name="viewport" content="width=device-width, initial-scale=1/)
  expect(html).toMatch(/<meta name="description" content=".+" \/>/)
})
