/** What a server of one's own logs and measures of what happens in its rooms. */
import { describe, expect, it } from "vitest"
import { countEvent, countTime, writeMetrics } from "../../../src/admin/counts.ts"
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
    writeMetrics(metrics.samples())
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1)

  const passing = (
    type: "joined" | "left",
    peers: number,
    rights: "read" | "write" = "write",
  ): RoomEvent => ({
    type,
    peers,
    rights,
    subject: null,
    dialect: "yurt",
  })

  it("[O1] count peers and rooms, also of rooms that sleep", () => {
    const metrics = new Metrics()
    const counted = () =>
      ['{rights="write",dialect="yurt"}', '{rights="read",dialect="yurt"}']
        .map((labels) => sampleOf(metrics, `yurt_connections${labels}`))
        .concat(sampleOf(metrics, "yurt_rooms_open"))
    metrics.note("a", passing("joined", 1))
    metrics.note("a", passing("joined", 2, "read"))
    metrics.note("b", passing("joined", 1))
    expect(counted()).toEqual(["2", "1", "2"])
    metrics.note("b", passing("left", 0))
    expect(counted()).toEqual(["1", "1", "1"])
  })

  it("[O1] show which rooms are in trouble, until they are not", () => {
    const metrics = new Metrics()
    metrics.note("a", FAILED)
    metrics.note("a", { type: "quarantined", values: 1 })
    const refused: RoomEvent = { type: "refused", code: "bad-update", message: "", subject: null }
    countEvent(refused, (sample, by) => metrics.count("b", sample, by))
    expect(sampleOf(metrics, "yurt_rooms_awake")).toBe("1")
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
    const metrics = new Metrics()
    metrics.started(1_500)
    metrics.started(9_000)
    metrics.note("a", passing("joined", 1))
    const count = (sample: string, by: number) => metrics.count("a", sample, by)
    countEvent({ type: "committed", revision: 1, bytes: 30 }, count)
    countTime("yurt_commit_seconds", 30, count)
    const lines = writeMetrics(metrics.samples([["yurt_cost_dollars_total", 1.5e-9]])).split("\n")
    const families = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]!)
    expect(new Set(families).size).toBe(families.length)
    for (const line of lines.filter((line) => line !== "" && !line.startsWith("#"))) {
      expect(line).toMatch(/^[a-z_]+({[a-z]+="[\w.+-]+"(,[a-z]+="[a-z-]+")?})? \d+(\.\d+)?$/)
      expect(families).toContain(/^[a-z_]+/.exec(line)![0].replace(/_(total|bucket|sum|count)$/, ""))
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
    const joined: RoomEvent = {
      type: "joined",
      subject: "ada",
      peers: 1,
      rights: "read",
      dialect: "yurt",
    }
    const fault: RoomEvent = { type: "refused", code: "internal", message: "", subject: null }
    expect(logLine("a", joined, "info")).toBeNull()
    expect(logLine("a", joined, "debug")).not.toBeNull()
    expect(logLine("a", FAILED, "error")).toBeNull()
    expect(logLine("a", fault, "error")).not.toBeNull()
    expect(logLine("a", fault, "nonsense")).not.toBeNull()
  })
})
