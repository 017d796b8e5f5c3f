import { availableParallelism } from "node:os"
import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

// Pure files run in plain Node, rooms in real workerd, journeys against the real server and in a real browser.
export default defineConfig({
  test: {
    // By default one core is left idle, which of two is half.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.{ts,tsx}"], testTimeout: 30_000 } },
      {
        plugins: [
          cloudflareTest({
            main: "test/room/worker.ts",
            wrangler: { configPath: "test/room/wrangler.toml" },
          }),
        ],
        test: { name: "room", include: ["test/room/**/*.test.ts"], testTimeout: 30_000 },
      },
      {
        test: {
          name: "journey",
          include: ["test/{journey,hostile,faults}/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // One at a time and after the others: they load the machine, and some wait for things in real time.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
