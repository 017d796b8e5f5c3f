/** The operator's page as it is shipped. */
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { buildAdminPage, PAGE_TEXT } from "../../kit/admin-page.ts"

it("is what stands in src/admin/page (npm run build:admin)", async () => {
  expect(readFileSync(PAGE_TEXT, "utf8")).toBe(await buildAdminPage())
})

it("[R4] has no way to make markup of a text, and asks nobody but its own server", async () => {
  const text = await buildAdminPage()
  expect(text).not.toMatch(
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|localStorage/,
  )
  // Where prices are from.
  expect(text.match(/https?:\/\/[^"'`\\\s]+/g)?.sort()).toEqual([
    "https://developers.cloudflare.com/durable-objects/platform/pricing/",
    "https://liveblocks.io/docs/pricing/overview.md",
  ])
})
