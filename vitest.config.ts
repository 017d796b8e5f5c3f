import { availableParallelism } from "node:os"
import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

/**
 * One file at a time, after those that need no server. Of two files of rooms at once, now and then workerd did not end;
 * attacks measure how long others wait; and `npm start` makes the pages anew that journeys look at.
 */
const ALONE = { fileParallelism: false, sequence: { groupOrder: 1 } }

/** What needs a server, or a browser. */
const PATIENT = { testTimeout: 120_000, hookTimeout: 120_000 }

/** What `npm start` promises. */
const START = "test/journey/start.test.ts"

// Pure files run in plain Node, rooms in real workerd, attacks, faults and journeys against the real server, and journeys
// in a real browser too. Journeys and faults come last, two at a time: they wait for things more than they compute.
export default defineConfig({
  test: {
    // By default one core is left idle, which of two is half.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      { test: { name: "unit", include: ["test/{unit,archive}/**/*.test.{ts,tsx}"], testTimeout: 30_000 } },
      // Compilers and bundlers: it loads one core and waits for nothing, so it runs beside the pure files.
      {
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          ...PATIENT,
        },
      },
      {
        plugins: [
          cloudflareTest({
            main: "test/room/worker.ts",
            wrangler: { configPath: "test/room/wrangler.toml" },
          }),
        ],
        test: { name: "room", include: ["test/room/**/*.test.ts"], testTimeout: 30_000, ...ALONE },
      },
      {
        test: {
          name: "alone",
          include: [START, "test/hostile/**/*.test.ts"],
          globalSetup: "test/kit/pages.ts",
          ...PATIENT,
          ...ALONE,
        },
      },
      {
        test: {
          name: "journey",
          include: ["test/{journey,faults}/**/*.test.ts"],
          exclude: [START],
          globalSetup: "test/kit/pages.ts",
          sequence: { groupOrder: 2 },
          ...PATIENT,
        },
      },
    ],
  },
})
