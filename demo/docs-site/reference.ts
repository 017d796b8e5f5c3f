/**
 * The reference: a page for each export of the package, of what its sources say. A declaration is shown as it is written,
 * without its body; a docstring becomes the words below it. Nothing is compiled, so types that are inferred are not shown.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { parseSync } from "vite"

/** A page of the reference. */
export interface Entry {
  /** As it is imported: `yurt/archive/d1`. */
  readonly name: string
  readonly markdown: string
}

type Statement = ReturnType<typeof parseSync>["program"]["body"][number]

interface Module {
  readonly path: string
  readonly source: string
  readonly body: readonly Statement[]
  /** Docstrings by where they end. */
  readonly comments: ReadonlyMap<number, string>
}

/** A name that a module exports, and where it is declared. */
interface Export {
  readonly name: string
  readonly module: Module
  readonly node: Declaration
}

type Declaration = Exclude<Extract<Statement, { type: "ExportNamedDeclaration" }>["declaration"], null>

/** The pages of all exports that have types, in the package's order. @param root the repository */
export function readReference(root: string): Entry[] {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  return Object.entries<string | { types?: string }>(exports).flatMap(([entry, target]) => {
    const types = typeof target === "object" ? target.types : undefined
    if (types === undefined) return []
    const source = types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts")
    const path = join(root, existsSync(join(root, source)) ? source : `${source}x`)
    return [{ name: entry.replace(".", name), markdown: pageOf(entry.replace(".", name), path) }]
  })
}

/** What stands in a class. */
type Member = Extract<Declaration, { superClass: unknown }>["body"]["body"][number]

function pageOf(name: string, path: string): string {
  const module = readModule(path)
  const first = [...module.comments].find(
    ([end]) => end < (module.body[0]?.start ?? Number.POSITIVE_INFINITY),
  )
  // A function that is declared several times is one part.
  const parts = Map.groupBy(exportsOf(module), (one) => one.name)
    .values()
    .toArray()
    .sort(([one], [other]) => Number(isType(one!)) - Number(isType(other!)))
    .map((same) => `## ${same[0]!.name}\n\n${same.map(describe).join("\n\n")}`)
  return [`# ${name}`, first === undefined ? "" : wordsOf(first[1]), ...parts].join("\n\n")
}

const isType = ({ node }: Export) =>
  node.type === "TSInterfaceDeclaration" || node.type === "TSTypeAliasDeclaration"

const modules = new Map<string, Module>()

function readModule(path: string): Module {
  const known = modules.get(path)
  if (known !== undefined) return known
  const source = readFileSync(path, "utf8")
  const { program, comments } = parseSync(path, source)
  const docstrings = comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"))
  const module: Module = {
    path,
    source,
    body: program.body,
    comments: new Map(docstrings.map(({ end, value }) => [end, value])),
  }
  modules.set(path, module)
  return module
}

/** What a module exports, other modules' included. Functions that are declared several times come several times. */
function exportsOf(module: Module): Export[] {
  return module.body.flatMap((node): Export[] => {
    if (node.type !== "ExportNamedDeclaration") return []
    if (node.declaration !== null)
      return namesOf(node.declaration).map((name) => ({ name, module, node: node.declaration! }))
    return node.specifiers.flatMap(({ local, exported }) => {
      const from = node.source === null ? module : readModule(join(dirname(module.path), node.source.value))
      const name = nameOf(local)
      const found = (node.source === null ? declaredIn(from) : exportsOf(from)).filter(
        (one) => one.name === name,
      )
      return found.map((one) => ({ ...one, name: nameOf(exported) }))
    })
  })
}

function declaredIn(module: Module): Export[] {
  return module.body.flatMap((node) =>
    "id" in node || node.type === "VariableDeclaration"
      ? namesOf(node as Declaration).map((name) => ({ name, module, node: node as Declaration }))
      : [],
  )
}

const nameOf = (node: { type: string; name?: string; value?: unknown }) => String(node.name ?? node.value)

function namesOf(node: Declaration): string[] {
  if (node.type === "VariableDeclaration")
    return node.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []))
  return "id" in node && node.id !== null && node.id !== undefined && "name" in node.id ? [node.id.name] : []
}

function describe({ name, module, node }: Export): string {
  const { source } = module
  const words = docstringOf(module, node.start)
  const shown = (end: number) => block(source.slice(node.start, end))
  if (node.type === "ClassDeclaration") {
    const members = node.body.body.flatMap((member) => describeMember(module, member))
    return [shown(node.body.start), words, ...members].join("\n\n")
  }
  if ((node.type === "FunctionDeclaration" || node.type === "TSDeclareFunction") && node.body != null)
    return [shown(node.body.start), words].join("\n\n")
  if (node.type === "VariableDeclaration") {
    const one = node.declarations.find(({ id }) => id.type === "Identifier" && id.name === name)!
    // A long value says less than its type, where it has one.
    const short =
      one.init === null || one.end - one.start < 120 || !("typeAnnotation" in one.id && one.id.typeAnnotation)
    const text = source.slice(one.start, short ? one.end : one.id.end)
    return [block(`${node.kind} ${text}`), words].join("\n\n")
  }
  return [shown(node.end), words].join("\n\n")
}

/** A member that is for others: one with a docstring, which is neither hidden nor the platform's. */
function describeMember(module: Module, member: Member): string[] {
  if (!("key" in member) || member.key.type === "PrivateIdentifier") return []
  const words = docstringOf(module, member.start)
  if (words === "" || ("override" in member && member.override)) return []
  if ("accessibility" in member && member.accessibility === "private") return []
  const end =
    "value" in member && member.value !== null && "body" in member.value && member.value.body != null
      ? (member.value.body as { start: number }).start
      : member.end
  const code = module.source.slice(member.start, end).replaceAll("\n  ", "\n")
  return [`${block(code)}\n\n${words}`]
}

/** The docstring that stands before a place, if one does. */
function docstringOf({ source, comments }: Module, place: number): string {
  const before = source
    .slice(0, place)
    .replace(/(?:export |declare |default |abstract )*$/, "")
    .trimEnd()
  const comment = comments.get(before.length)
  return comment === undefined ? "" : wordsOf(comment)
}

/** Code without the brace that opens its body. */
const block = (code: string) => `\`\`\`ts\n${code.trimEnd().replace(/\s*\{$/, "")}\n\`\`\``

/** A docstring as Markdown: its tags become a list, an example code. */
function wordsOf(comment: string): string {
  const text = comment.replaceAll(/^\s*\*+ ?/gm, "").trim()
  const [words = "", ...tags] = text.split(/^@(?=[a-z]+\b)|(?<=[.;]) @(?=(?:returns|throws)\b)/m)
  const examples: string[] = []
  const lines: string[] = []
  for (const tag of tags) {
    const [, name, rest] = /^([a-z]+)\s*([\s\S]*)$/.exec(tag.trim())!
    const flat = rest!.replaceAll(/\s*\n\s*/g, " ")
    if (name === "example") examples.push(`\`\`\`ts\n${rest!.trimEnd()}\n\`\`\``)
    else if (name === "param") lines.push(`- ${flat.replace(/^(\S+)\s*/, "`$1` ")}`)
    else if (name === "returns") lines.push(`- Returns ${flat}`)
    else if (name === "throws") lines.push(`- Throws ${flat}`)
    else lines.push(`- ${name} ${flat}`)
  }
  return [words.trim(), lines.join("\n"), ...examples].filter((part) => part !== "").join("\n\n")
}
