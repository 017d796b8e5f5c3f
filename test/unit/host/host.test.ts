/** What a server of one's own logs and measures of what happens in its rooms. */
import { describe, expect, it } from "vitest"
import { logLine } from "../../../src/host/log.ts"
import { Metrics } from "../../../src/host/metrics.ts"
import type { RoomEvent } from "../../../src/room/events.ts"

const FAILED: RoomEvent = {
  type: "archive-failed",
  attempts: 2,
  lag: 7,
  nextInMs: 1000,
  message: "The archive postgres failed",
  cause: new Error("connection refused", { cause: new Error("ECONNREFUSED") }),
}

describe("[O1] metrics", () => {
  const sampleOf = (metrics: Metrics, name: string) =>
    metrics
      .write()
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1)

  it("[O1] count peers and rooms, also of rooms that sleep", () => {
    const metrics = new Metrics(0)
    metrics.note("a", { type: "joined", subject: null, peers: 1 })
    metrics.note("a", { type: "joined", subject: null, peers: 2 })
    metrics.note("b", { type: "joined", subject: null, peers: 1 })
    expect([sampleOf(metrics, "yurt_connections"), sampleOf(metrics, "yurt_rooms_open")]).toEqual(["3", "2"])
    metrics.note("b", { type: "left", subject: null, peers: 0 })
    expect([sampleOf(metrics, "yurt_connections"), sampleOf(metrics, "yurt_rooms_open")]).toEqual(["2", "1"])
  })

  it("[O1] show which rooms are in trouble, until they are not", () => {
    const metrics = new Metrics(0)
    metrics.note("a", FAILED)
    metrics.note("a", { type: "quarantined", values: 1 })
    metrics.note("b", { type: "refused", code: "bad-update", message: "", subject: null })
    expect(sampleOf(metrics, "yurt_rooms_lagging")).toBe("1")
    expect(sampleOf(metrics, "yurt_archive_lag_revisions")).toBe("7")
    expect(sampleOf(metrics, "yurt_rooms_damaged")).toBe("1")
    expect(sampleOf(metrics, 'yurt_refused_total{code="bad-update"}')).toBe("1")
    metrics.note("a", { type: "archived", revision: 9 })
    metrics.note("a", { type: "recovered" })
    expect(sampleOf(metrics, "yurt_rooms_lagging")).toBe("0")
    expect(sampleOf(metrics, "yurt_archive_lag_revisions")).toBe("0")
    expect(sampleOf(metrics, "yurt_rooms_damaged")).toBe("0")
  })

  it("[O1] are OpenMetrics: a type before each family, no name twice, and an end", () => {
    const metrics = new Metrics(1_500)
    metrics.note("a", { type: "committed", revision: 1, bytes: 30 })
    const lines = metrics.write().split("\n")
    const families = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]!)
    expect(new Set(families).size).toBe(families.length)
    for (const line of lines.filter((line) => line !== "" && !line.startsWith("#"))) {
      expect(line).toMatch(/^[a-z_]+({[a-z]+="[a-z-]+"})? \d+(\.\d+)?$/)
      expect(families).toContain(/^[a-z_]+/.exec(line)![0].replace(/_total$/, ""))
    }
    expect(lines.slice(-2)).toEqual(["# EOF", ""])
    expect(sampleOf(metrics, "process_start_time_seconds")).toBe("1.5")
  })
})

describe("[O1] a line of the log", () => {
  it("[O1] is JSON with the document's id and what caused it", () => {
    const line = JSON.parse(logLine('notes "a"\n', FAILED, "info")!)
    expect(line).toMatchObject({ level: "warn", event: "archive-failed", document: 'notes "a"\n', lag: 7 })
    expect(line.cause).toContain("connection refused")
    expect(line.cause).toContain("ECONNREFUSED")
    expect(Object.keys(line)[0]).toBe("time")
  })

  it("[O1] is left out below the level, but never where the fault is the server's", () => {
    const joined: RoomEvent = { type: "joined", subject: "ada", peers: 1 }
    const fault: RoomEvent = { type: "refused", code: "internal", message: "", subject: null }
    expect(logLine("a", joined, "info")).toBeNull()
    expect(logLine("a", joined, "debug")).not.toBeNull()
    expect(logLine("a", FAILED, "error")).toBeNull()
    expect(logLine("a", fault, "error")).not.toBeNull()
    expect(logLine("a", fault, "nonsense")).not.toBeNull()
  })
})
