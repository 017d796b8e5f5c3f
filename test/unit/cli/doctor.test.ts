/** `yurt doctor`: what it finds in a configuration. */
import { describe, expect, it } from "vitest"
import { judgeConfig } from "../../../src/cli/doctor.ts"
import type { WorkerConfig } from "../../../src/cli/wrangler.ts"

const GOOD: WorkerConfig = {
  compatibility_date: "2026-05-01",
  compatibility_flags: ["nodejs_compat"],
  durable_objects: {
    bindings: [
      { name: "Room", class_name: "Room" },
      { name: "Registry", class_name: "Registry" },
    ],
  },
  migrations: [{ new_sqlite_classes: ["Room", "Registry"] }],
  d1_databases: [{ binding: "DB" }],
}

const LOOKOUT = { name: "Lookout", class_name: "Lookout" }
/** The same, with an operator's page. */
const OPERATED: WorkerConfig = {
  ...GOOD,
  durable_objects: { bindings: [...GOOD.durable_objects!.bindings, LOOKOUT] },
  migrations: [...GOOD.migrations!, { new_sqlite_classes: ["Lookout"] }],
}

/** Assets that answer every address. */
const PAGES = { directory: "public", not_found_handling: "single-page-application" }

const wrongIn = (change: Partial<WorkerConfig>, settings: Record<string, string> = {}) =>
  judgeConfig({ ...GOOD, ...change }, settings)
    .filter(({ ok }) => !ok)
    .map(({ says, way }) => `${says} ${way}`)

describe("yurt doctor", () => {
  it("finds nothing wrong with a configuration as in the README", () => {
    expect(wrongIn({}, { AUTH_SECRET: "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u", LIMIT_SOCKETS: "50" })).toEqual([])
  })

  it.each<[string, Partial<WorkerConfig>, Record<string, string>, RegExp]>([
    ["no room", { durable_objects: { bindings: [] } }, {}, /No Durable Object is bound as Room/],
    [
      "rooms without SQLite",
      { migrations: [{ new_classes: ["Room", "Registry"] }] },
      {},
      /Room, Registry .*new_sqlite/,
    ],
    ["an old date without node:zlib", { compatibility_flags: [] }, {}, /node:zlib .*nodejs_compat/],
    ["a limit that is none", { vars: { LIMIT_SOKETS: "5" } }, {}, /LIMIT_SOKETS/],
    ["an archive that nothing is bound for", { vars: { ARCHIVE: "d1+r2" } }, {}, /r2/],
    [
      "an old backend without encryption",
      { vars: { LEGACY_URL: "http://old.example.com/{id}" } },
      {},
      /needs https/,
    ],
    ["one that no document is asked of", {}, { LEGACY_URL: "https://old.example.com/" }, /has no \{id\}/],
    ["a secret that is too short", {}, { AUTH_SECRET: "hunter2" }, /AUTH_SECRET is shorter than 32 bytes/],
  ])("names %s, and a way on", (_, change, settings, says) => {
    const wrong = wrongIn(change, settings)
    expect(wrong.join("\n")).toMatch(says)
    expect(wrong.join("\n")).not.toContain("hunter2")
  })

  it("says how the operator's page is turned on, which is no fault", () => {
    const found = judgeConfig(GOOD, {}).find(({ says }) => says.includes("No Lookout is bound"))
    expect(found).toMatchObject({ ok: true, way: expect.stringContaining("docs/operate.md") })
    for (const run_worker_first of [true, ["/docs/*", "/admin*", "/metrics"]])
      expect(wrongIn({ ...OPERATED, assets: { ...PAGES, run_worker_first } })).toEqual([])
    expect(wrongIn({ ...OPERATED, assets: { directory: "public" } })).toEqual([])
  })

  it.each<[string, Partial<WorkerConfig>, RegExp]>([
    ["a Lookout that keeps nothing", { migrations: GOOD.migrations! }, /Lookout would have no SQLite/],
    [
      "one by another name",
      {
        durable_objects: {
          bindings: [...GOOD.durable_objects!.bindings, { ...LOOKOUT, name: "WATCH" }],
        },
      },
      /bound as WATCH.*name = "Lookout"/,
    ],
    [
      "assets before the page",
      { assets: { ...PAGES, run_worker_first: ["/docs/*", "/admin/*"] } },
      /before the Worker at \/admin, \/metrics.*"\/admin\/\*","\/admin","\/metrics"/,
    ],
    [
      "assets before all that begins with it",
      { assets: { ...PAGES, run_worker_first: ["/*", "!/admin/*"] } },
      /at \/admin\/\*/,
    ],
    ["assets before everything", { assets: PAGES }, /at \/admin, \/admin\/\*, \/metrics/],
    ["data points that go nowhere", { analytics_engine_datasets: [{ binding: "POINTS" }] }, /ANALYTICS/],
  ])("names %s, where there is to be an operator's page", (_, change, says) => {
    expect(wrongIn({ ...OPERATED, ...change })).toEqual([expect.stringMatching(says)])
  })

  it("knows that the addresses of databases are secrets", () => {
    expect(wrongIn({ vars: { ARCHIVE: "postgres+d1" } })).toEqual([])
  })
})
