/**
 * What README.md and docs/ show: their blocks of code, by the name of the file that the first line gives (`// page.ts`, or
 * `# wrangler.toml`), those that are lines of a file of this repository (`// from …`), and what is meant to be typed.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const ROOT = join(import.meta.dirname, "../..")

/** What users read, from the repository's root. */
export const DOCUMENTS: readonly string[] = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .sort(),
]

/** A block of code, in its language. */
export interface Block {
  readonly document: string
  readonly language: string
  readonly text: string
}

/** A document's text. */
export const read = (path: string): string => readFileSync(join(ROOT, path), "utf8")

/** All blocks of code of a document. */
export function blocksOf(document: string): Block[] {
  return [...read(document).matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    document,
    language: language!,
    text: text!,
  }))
}

/** The file that a block is, if its first line names one. */
export const nameOf = ({ text }: Block): string | undefined => /^(?:\/\/|#) ([\w./-]+\.\w+)\b/.exec(text)?.[1]

/** The file whose lines a block shows, where it cannot stand alone: `// from test/journey/editors/quill.ts`. */
export const sourceOf = ({ text }: Block): string | undefined =>
  /^\/\/ from ([\w./-]+\.\w+)\n/.exec(text)?.[1]

/** Every block that is a file, by its name. @throws Error where two have one name */
export function readSamples(): Readonly<Record<string, string>> {
  const samples: Record<string, string> = {}
  for (const block of DOCUMENTS.flatMap(blocksOf)) {
    const name = nameOf(block)
    if (name === undefined) continue
    if (name in samples) throw new Error(`${block.document} has a second ${name}`)
    samples[name] = block.text
  }
  return samples
}

/** What a document has to be typed into a shell. */
export const commandsOf = (document: string): string[] =>
  blocksOf(document)
    .filter(({ language }) => language === "sh")
    .map(({ text }) => text)
