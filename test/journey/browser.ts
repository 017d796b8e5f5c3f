/**
 * The browser of every browser test: `$CHROMIUM`, else the system's /usr/bin/chromium, else the one
 * that npm brought (@sparticuz/chromium), unpacked once into the temporary folder.
 */
import { existsSync } from "node:fs"
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Browser } from "playwright-core"
import { chromium } from "playwright-core"

const SYSTEM_CHROMIUM = "/usr/bin/chromium"

/** No sandbox: tests run as root in containers. The rest keeps the browser from calling home. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-software-rasterizer",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-domain-reliability",
  "--disable-sync",
  "--no-pings",
  "--font-render-hinting=none",
]

/**
 * Start a headless Chromium. The caller closes it.
 * The first start on a machine without one unpacks 67 MB (about 3 s).
 */
export async function launchBrowser(options: { headless?: boolean } = {}): Promise<Browser> {
  const headless = options.headless ?? true
  const installed = process.env.CHROMIUM ?? (existsSync(SYSTEM_CHROMIUM) ? SYSTEM_CHROMIUM : undefined)
  if (installed !== undefined) return chromium.launch({ executablePath: installed, args: FLAGS, headless })
  const folder = await unpackChromium()
  const env = {
    ...process.env,
    // The machine may have none of the libraries Chromium links (libnspr4 and its kin): it brings them.
    LD_LIBRARY_PATH: [join(folder, "al2023", "lib"), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    // Without a single font Chromium lays out nothing, and crashes on balanced lines.
    FONTCONFIG_FILE: join(folder, "fonts.conf"),
  }
  return chromium.launch({ executablePath: join(folder, "chromium"), args: FLAGS, headless, env })
}

/**
 * Unpack the npm Chromium and answer its folder. Test processes may do this at the same time, so each
 * unpacks into a folder of its own and the first to finish gives it the common name.
 */
async function unpackChromium(): Promise<string> {
  // Imported here: the package looks at the machine when it loads, and most runs never need it.
  const { inflate } = await import("@sparticuz/chromium")
  const packed = join(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")), "..", "bin")
  const folder = join(tmpdir(), "yurt-chromium-153.0.0")
  if (existsSync(folder)) return folder

  const own = await mkdtemp(`${folder}-`)
  const previous = process.env.TMPDIR
  // `inflate` writes to os.tmpdir() and takes no other place.
  process.env.TMPDIR = own
  try {
    await Promise.all(
      ["chromium.br", "al2023.tar.br", "fonts.tar.br"].map((name) => inflate(join(packed, name))),
    )
  } finally {
    if (previous === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = previous
  }
  // The package's own fonts.conf looks elsewhere, and at nothing of the system's.
  const fonts =
    `<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>` +
    `<dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`
  await writeFile(join(own, "fonts.conf"), fonts)
  try {
    await rename(own, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    await rm(own, { recursive: true, force: true })
  }
  return folder
}
