/** Before the first journey: the pages are there, made once, since several files are served from the same folder. */
import { existsSync } from "node:fs"
import { buildPages } from "../../demo/start.ts"

export default async function setup(): Promise<void> {
  if (!existsSync("demo/dist/index.html")) await buildPages()
}
