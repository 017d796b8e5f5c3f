/**
 * The documentation as a small site: README.md, docs/, what they link to, and the reference, each a page of HTML that needs
 * no script. vite.config.ts puts it beside the demos, at /docs-site.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, dirname, extname, join, normalize } from "node:path"
import { escapeHtml, type Heading, toHtml } from "./markdown.ts"
import { readReference } from "./reference.ts"

/** The navigation; what of docs/ it does not name stands under the last one. */
const GROUPS: readonly (readonly [title: string, names: readonly string[]])[] = [
  [
    "Begin",
    ["README", "docs/start", "docs/deploy", "docs/self-host", "docs/moving", "docs/faq", "docs/compare"],
  ],
  ["Connect", ["docs/auth", "docs/clients", "docs/editors", "docs/networks", "docs/agents"]],
  ["Build", ["docs/rest", "docs/hooks", "docs/history", "docs/archives"]],
  ["Run", ["docs/operate", "docs/settings", "docs/reliability", "SECURITY"]],
]

/** A page before it is put into its frame. */
interface Page {
  /** The file it is made of, from the root; of the reference the name of the export. */
  readonly source: string
  readonly file: string
  readonly title: string
  readonly html: string
  readonly headings: readonly Heading[]
}

/** Every file of the site, by its name. @param root the repository */
export function buildSite(root: string): Map<string, string | Uint8Array> {
  const files = new Map<string, string | Uint8Array>()
  const pages = new Map<string, Page>()
  const wanted = [
    ...GROUPS.flatMap(([, names]) => names.map((name) => `${name}.md`)),
    ...readdirSync(join(root, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ]
  const add = (source: string, markdown: string) => {
    const { html, headings } = toHtml(markdown, (url) => {
      if (/^[a-z]+:|^#/.test(url)) return url
      const [path, anchor] = url.split("#")
      const target = normalize(join(dirname(source), path!))
      if (/\.(png|svg)$/.test(target)) {
        files.set(basename(target), new Uint8Array(readFileSync(join(root, target))))
        return basename(target)
      }
      wanted.push(target)
      return `${fileOf(target)}${anchor === undefined ? "" : `#${anchor}`}`
    })
    pages.set(source, { source, file: fileOf(source), title: headings[0]?.text ?? source, html, headings })
  }
  for (const source of wanted) if (!pages.has(source)) add(source, textOf(root, source))
  const reference = readReference(root)
  for (const { name, markdown } of reference) add(name, markdown)

  const groups = groupsOf(pages, new Set(reference.map(({ name }) => name)))
  for (const page of pages.values()) files.set(page.file, frame(page, groups))
  const titles = [...pages.values()].flatMap(({ file, title, headings }) =>
    headings.map(({ id, depth, text }) => ({ at: depth === 1 ? file : `${file}#${id}`, title, text })),
  )
  files.set("search.json", JSON.stringify(titles))
  // The demos' colours: what stands before the first rule of their own.
  const look = readFileSync(join(root, "demo/style.css"), "utf8").split("\nhtml {")[0]
  files.set("docs.css", `${look}\n${readFileSync(join(import.meta.dirname, "docs.css"), "utf8")}`)
  files.set("docs.js", readFileSync(join(import.meta.dirname, "docs.js"), "utf8"))
  return files
}

/** A document, or a file of another kind as a document that shows it. */
function textOf(root: string, source: string): string {
  const path = join(root, source)
  if (!existsSync(path)) throw new Error(`A page links to ${source}, which is not there`)
  const text = readFileSync(path, "utf8")
  return source.endsWith(".md") ? text : `# ${source}\n\n~~~~${extname(source).slice(1)}\n${text}\n~~~~\n`
}

function fileOf(source: string): string {
  if (source === "README.md") return "index.html"
  const name = source.replace(/^docs\//, "").replace(/\/README\.md$|\.md$/, "")
  return `${name.toLowerCase().replaceAll("/", "-")}.html`
}

type Group = readonly [title: string, pages: readonly Page[]]

function groupsOf(pages: ReadonlyMap<string, Page>, reference: ReadonlySet<string>): Group[] {
  const named = GROUPS.map(([title, names]): Group => [title, names.map((name) => pages.get(`${name}.md`)!)])
  const known = new Set(named.flatMap(([, of]) => of))
  const rest = [...pages.values()].filter((page) => !known.has(page))
  const more = rest.filter(({ source }) => source.endsWith(".md"))
  return [...named, ["Reference", rest.filter(({ source }) => reference.has(source))], ["More", more]]
}

function frame(page: Page, groups: readonly Group[]): string {
  const item = (other: Page) => {
    const here = other === page
    const parts = here ? page.headings.filter(({ depth }) => depth === 2) : []
    const within =
      parts.length === 0 || parts.length > 24
        ? ""
        : `<ul>${parts.map(({ id, text }) => `<li><a href="#${id}">${escapeHtml(text)}</a></li>`).join("")}</ul>`
    return `<li><a href="${other.file}"${here ? ' aria-current="page"' : ""}>${escapeHtml(labelOf(other))}</a>${within}</li>`
  }
  const contents = groups
    .filter(([, pages]) => pages.length > 0)
    .map(([title, pages]) => `<h2>${title}</h2>\n<ul>${pages.map(item).join("\n")}</ul>`)
    .join("\n")
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>${escapeHtml(page.title === "Yurt" ? "Yurt" : `${page.title} · Yurt`)}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml" />
<link rel="stylesheet" href="docs.css" />
<script src="docs.js" defer></script>
</head>
<body>
<header>
<a class="brand" href="index.html"><img src="/icon.svg" alt="" width="24" height="24" /> Yurt</a>
<div class="search" role="search" hidden><input type="search" aria-label="Search titles" placeholder="Search titles" /><ol hidden></ol></div>
<a class="demos" href="/">Demos</a>
<a class="menu" href="#contents">Contents</a>
</header>
<div class="columns">
<main>
${page.html}
</main>
<nav id="contents" aria-label="Documentation">
${contents}
</nav>
</div>
</body>
</html>
`
}

/** A page's name in the navigation, where it stands among others. */
function labelOf({ source, title }: Page): string {
  if (source === "README.md") return "What it is"
  if (source === "src/README.md") return "The house"
  return title
}
