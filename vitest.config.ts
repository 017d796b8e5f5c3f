import { cloudflareTest } from "@cloudflare/vitest-plugin"
import { defineConfig } from "vitest/config"

// Pure files run in plain Node, rooms in real workerd, journeys against the real server and in a real browser.
export default defineConfig({
  test: {
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
          fileParallelism: false,
        },
      },
    ],
  },
})
