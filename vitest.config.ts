import { availableParallelism } from "node:os"
import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

/**
 * One file at a time, after those that need no server. Journeys load the machine and wait for things in real time; of
 * two files of rooms at once, now and then workerd did not end.
 */
const ALONE = { fileParallelism: false, sequence: { groupOrder: 1 } }

// Pure files run in plain Node, rooms in real workerd, journeys against the real server and in a real browser.
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
          testTimeout: 120_000,
          hookTimeout: 120_000,
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
          name: "journey",
          include: ["test/{journey,hostile,faults}/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          ...ALONE,
        },
      },
    ],
  },
})
