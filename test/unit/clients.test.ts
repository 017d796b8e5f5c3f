/**
 * The table of clients in README.md: which test stands behind each cell. A client's own word is missing where there is no
 * test: y-websocket's and YProvider's providers never say that anything is saved.
 */
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"

const COLUMNS = [
  "connects",
  "presence",
  "read-only",
  "token",
  "saved is on disk",
  "offline",
  "many documents",
]

/** A test: its file below test/, and what its title holds. */
type Cell = readonly [file: string, title: string] | null

const PAIR: Cell = ["journey/stock.test.ts", "both ways and shows each the other's cursor"]
const RIGHTS: Cell = ["journey/rights.ts", "by its token alone, and takes nothing of a reader, who reads on"]
const KILLED: Cell = [
  "journey/dialects.test.ts",
  "has everything of which it said that it is saved after a SIGKILL",
]
const DEAD: Cell = [
  "journey/durable.test.ts",
  "gets from its clients what they typed into a server that was dead",
]
const AWAY: Cell = ["journey/stock.test.ts", "and one made while offline"]
const YJS_14: Cell = ["journey/yjs14.ts", "is in one room with Yjs 13"]
const YJS_14_READER: Cell = ["journey/yjs14.ts", "takes nothing of a reader with Yjs 14, by its token"]

const TABLE: Readonly<Record<string, readonly Cell[]>> = {
  "`Provider` of `yurt/client`": [
    PAIR,
    PAIR,
    RIGHTS,
    RIGHTS,
    KILLED,
    DEAD,
    ["journey/bundles.ts", "carries a hundred documents on one connection"],
  ],
  "y-websocket 3": [PAIR, PAIR, RIGHTS, RIGHTS, null, AWAY, null],
  "y-partyserver 2": [PAIR, PAIR, RIGHTS, RIGHTS, null, AWAY, null],
  "@hocuspocus/provider 4": [
    ["journey/hocuspocus.ts", "syncs two at"],
    ["journey/hocuspocus.ts", "shows each the other's cursor"],
    ["journey/hocuspocus.ts", "takes nothing of a reader, who is told by its scope"],
    ["journey/hocuspocus.ts", "lets nobody in without a token that opens this document"],
    KILLED,
    ["journey/hocuspocus.ts", "counts what was typed offline"],
    ["journey/bundles.ts", "carries several documents, each saved on disk"],
  ],
  "@y-sweet/client 0.9": [
    ["journey/y-sweet.ts", "syncs with every other client"],
    ["journey/y-sweet.ts", "shows cursors, and has no local changes once all is on disk"],
    ["journey/y-sweet.ts", "takes nothing of a reader, who stays connected"],
    ["journey/y-sweet.ts", "is let in with a fresh token when its own has ended"],
    KILLED,
    KILLED,
    null,
  ],
  "@y/websocket 4 (Yjs 14)": [YJS_14, YJS_14, YJS_14_READER, YJS_14_READER, null, YJS_14, null],
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

it("has the table of README.md, and a test of that title behind every yes in it", () => {
  const rows = Object.entries(TABLE).map(
    ([client, cells]) => `| ${client} | ${cells.map((cell) => (cell === null ? "no" : "yes")).join(" | ")} |`,
  )
  const table = [`| client | ${COLUMNS.join(" | ")} |`, `|${" --- |".repeat(COLUMNS.length + 1)}`, ...rows]
  expect(read("README.md")).toContain(table.join("\n"))
  for (const cells of Object.values(TABLE)) {
    expect(cells).toHaveLength(COLUMNS.length)
    for (const cell of cells) {
      if (cell === null) continue
      const [file, title] = cell
      expect(
        read(`test/${file}`)
          .match(/\bit\(\s*[`"'].*/g)
          ?.some((line) => line.includes(title)),
        `${file}: ${title}`,
      ).toBe(true)
    }
  }
})
