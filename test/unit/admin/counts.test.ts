/** Figures of an operator: prices, samples, points. */
import { describe, expect, it } from "vitest"
import { analyticsPoint } from "../../../src/admin/analytics.ts"
import { countTime, writeMetrics } from "../../../src/admin/counts.ts"
import { UNUSED } from "../../../src/admin/meter.ts"
import { dollars, dollarsToStore } from "../../../src/admin/prices.ts"

describe("[O1] figures", () => {
  it("[O1] cost what the price list says", () => {
    expect(dollars(UNUSED)).toBe(0)
    const million = 1e6
    expect(dollars({ ...UNUSED, messages: 20 * million })).toBeCloseTo(0.15)
    expect(dollars({ ...UNUSED, requests: million / 2, alarms: million / 2 })).toBeCloseTo(0.15)
    expect(dollars({ ...UNUSED, rowsWritten: million, rowsRead: 1_000 * million })).toBeCloseTo(2)
    expect(dollars({ ...UNUSED, awakeMs: 1_000 * (million / 0.128) })).toBeCloseTo(12.5)
    expect(dollarsToStore(1e9) * 30).toBeCloseTo(0.2)
  })

  it("[O1] of times are a histogram whose buckets add up", () => {
    const counts: Record<string, number> = {}
    for (const ms of [1, 30, 30, 9_000])
      countTime("yurt_commit_seconds", ms, (sample, by) => {
        counts[sample] = (counts[sample] ?? 0) + by
      })
    const text = writeMetrics(Object.entries(counts))
    expect(text).toContain('yurt_commit_seconds_bucket{le="0.005"} 1')
    expect(text).toContain('yurt_commit_seconds_bucket{le="0.1"} 3')
    expect(text).toContain('yurt_commit_seconds_bucket{le="+Inf"} 4')
    expect(text).toContain("yurt_commit_seconds_count 4")
    expect(text).toContain("yurt_commit_seconds_sum 9.061")
  })

  it("[O1] of a family that nobody has described are not written, and small ones have no exponent", () => {
    const text = writeMetrics([
      ["made_up_total", 1],
      ["yurt_cost_dollars_total", 1.5e-7],
    ])
    expect(text).not.toContain("made_up")
    expect(text).toContain("yurt_cost_dollars_total 0.00000015\n")
  })

  it("[O1] stay within what Analytics Engine takes, whatever a document is called", () => {
    const document = `${"ä".repeat(47)}x😀`
    const { indexes, doubles } = analyticsPoint({ document, line: null, used: UNUSED, counts: {} })
    expect(indexes).toEqual([`${"ä".repeat(47)}x`])
    expect(doubles).toHaveLength(18)
  })
})
