/** The documentation's site: every link of every page leads somewhere, and the reference says what the sources say. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { toHtml } from "../../../demo/docs-site/markdown.ts"
import { readReference } from "../../../demo/docs-site/reference.ts"
import { buildSite } from "../../../demo/docs-site/site.ts"

const ROOT = join(import.meta.dirname, "../../..")
const asIs = (url: string) => url

describe("a page", () => {
  it("is what the Markdown says, with GitHub's anchors", () => {
    const { html, headings } = toHtml(
      "# Who may come in\n\n## `/docs/{id}`, *live*\n\n## Errors\n\n## Errors\n",
      asIs,
    )
    expect(headings.map(({ id }) => id)).toEqual(["who-may-come-in", "docsid-live", "errors", "errors-1"])
    expect(html).toContain('<h2 id="docsid-live"><code>/docs/{id}</code>, <em>live</em>')
  })

  it("shows markup in a text as text", () => {
    const { html } = toHtml(
      "a <b onclick='x'> `<i>` [x](y.md)\n\n```ts\nlet a: Map<string, \"b\">\n```\n",
      asIs,
    )
    expect(html).toContain("a &lt;b onclick='x'&gt; <code>&lt;i&gt;</code>")
    expect(html).toContain("Map&lt;string, &quot;b&quot;&gt;")
  })

  it("lets the lines of code that are comments stand back, and nothing else", () => {
    const { html } = toHtml("```ts\n// page.ts\nopen('http://x') // y\n```\n", asIs)
    expect(html).toContain("<code><span class=\"note\">// page.ts</span>\nopen('http://x') // y</code>")
  })

  it("puts a table into a box that scrolls, and leaves out a head that says nothing", () => {
    expect(toHtml("| | |\n| --- | --- |\n| a | b |\n", asIs).html).toBe(
      '<div class="table few" tabindex="0"><table><tbody><tr><td>a</td><td>b</td></tr></tbody></table></div>',
    )
  })

  it("refuses what it cannot show", () => {
    expect(() => toHtml("[a]: b.md\n", asIs)).toThrow("definition")
  })
})

it("links to pages that are there, and to places in them", () => {
  const files = buildSite(ROOT)
  const dead: string[] = []
  for (const [name, page] of files) {
    if (typeof page !== "string" || !name.endsWith(".html")) continue
    for (const [, link] of page.matchAll(/(?:href|src)="([^"]*)"/g)) {
      // The icon and the demos are the demos' own.
      if (/^https?:/.test(link!) || link === "/" || link === "/icon.svg") continue
      const [file, anchor] = link!.split("#")
      const target = files.get(file === "" ? name : file!)
      const found = anchor === undefined || (typeof target === "string" && target.includes(`id="${anchor}"`))
      if (target === undefined || !found) dead.push(`${name}: ${link}`)
    }
  }
  expect(dead).toEqual([])
  const titles: { at: string; title: string; text: string }[] = JSON.parse(files.get("search.json") as string)
  expect(titles).toContainEqual({ at: "rest.html#errors", title: "REST", text: "Errors" })
})

it("has a place among the others for every page of docs/", () => {
  const files = buildSite(ROOT)
  const [, nav] = (files.get("index.html") as string).split('<nav id="contents"')
  const [named, more] = nav!.split("<h2>Reference</h2>")
  for (const name of readdirSync(join(ROOT, "docs"))) {
    expect(named).toContain(`href="${name.replace(".md", ".html")}"`)
    expect(more).not.toContain(`href="${name.replace(".md", ".html")}"`)
  }
})

describe("the reference", () => {
  const entries = readReference(ROOT)
  const pageOf = (name: string) => entries.find((entry) => entry.name === name)!.markdown

  it("has a page for every export, and words for all that it exports", () => {
    expect(entries.length).toBeGreaterThan(15)
    const silent = entries.flatMap(({ name, markdown }) =>
      markdown
        .split(/^## /m)
        .slice(1)
        .filter((part) => !part.includes("/**"))
        .filter((part) => /^\S+\s*$/.test(part.replaceAll(/^```ts\n.*?^```$/gms, "")))
        .map((part) => `${name}: ${part.split("\n")[0]}`),
    )
    expect(silent).toEqual([])
  })

  it("shows a declaration without its body, and what its docstring says", () => {
    const page = pageOf("yurt/server")
    expect(page).toContain("```ts\nasync edit<Result>(change: (doc: Y.Doc) => Result): Promise<Result>\n```")
    expect(page).toContain("- Returns what `change` returned, once the change is durable")
    expect(page).toContain('```ts\nawait this.edit((doc) => doc.getMap("counter").set("n", 1))\n```')
    // Neither what the platform calls, nor what is hidden.
    expect(page).not.toMatch(/webSocketMessage|#ready/)
  })

  it("follows what an export is from", () => {
    expect(pageOf("yurt/client")).toMatch(/## ProviderOptions[\s\S]*interface ProviderOptions/)
    expect(pageOf("yurt/token")).toContain("## mintToken")
  })
})
