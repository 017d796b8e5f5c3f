/**
 * The operator's page as text: its scripts bundled into one, its style made small. `npm run build:admin` writes it to
 * src/admin/page-text.ts, and a test holds that file to what stands in src/admin/page.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"

const PAGE = join(import.meta.dirname, "../../src/admin/page")
/** The module that holds it. */
export const PAGE_TEXT = join(PAGE, "../page-text.ts")

/** The module's source. */
export async function buildAdminPage(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: PAGE,
    entryPoints: ["main.ts", "page.css"],
    outdir: "out",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    charset: "utf8",
    write: false,
  })
  const textOf = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))!.text.trim()
  const html = readFileSync(join(PAGE, "index.html"), "utf8").replaceAll(/\n\s*/g, "")
  return [
    "/** The operator's page, made of src/admin/page by `npm run build:admin`. */",
    `export const PAGE_HTML = ${JSON.stringify(html)}`,
    `export const PAGE_CSS = ${JSON.stringify(textOf(".css"))}`,
    `export const PAGE_JS = ${JSON.stringify(textOf(".js"))}`,
    "",
  ].join("\n")
}

if (import.meta.main) writeFileSync(PAGE_TEXT, await buildAdminPage())
