import * as prng from "lib0/prng"
import { describe, expect, it } from "vitest"
import { TokenBucket } from "../../../src/room/rate.ts"
import { below } from "../../kit/random.ts"

describe("[R3] a socket that sends too much in too short a time", () => {
  it("[R3] may burst up to the capacity, and no further", () => {
    const bucket = new TokenBucket(3, 1)
    expect([1, 2, 3, 4].map(() => bucket.take(1, 1000))).toEqual([true, true, true, false])
  })

  it("[R3] may go on at the pace at which the bucket fills", () => {
    const bucket = new TokenBucket(2, 10)
    expect(bucket.take(2, 0)).toBe(true)
    expect(bucket.take(1, 99)).toBe(false)
    expect(bucket.take(1, 100)).toBe(true)
    expect(bucket.take(1, 199)).toBe(false)
  })

  it("[R3] does not save up beyond the capacity while it is silent", () => {
    const bucket = new TokenBucket(5, 100)
    expect(bucket.take(5, 0)).toBe(true)
    expect(bucket.take(6, 86_400_000)).toBe(false)
    expect(bucket.take(5, 86_400_000)).toBe(true)
  })

  it("[R3] pays nothing for what was refused", () => {
    const bucket = new TokenBucket(10, 1)
    expect(bucket.take(11, 0)).toBe(false)
    expect(bucket.take(10, 0)).toBe(true)
  })

  it("[R3] is neither freed nor locked out when the wall clock jumps a day back", () => {
    const bucket = new TokenBucket(1, 1)
    const dayMs = 86_400_000
    expect(bucket.take(1, dayMs)).toBe(true)
    expect(bucket.take(1, 0)).toBe(false)
    expect(bucket.take(1, 1000)).toBe(true)
  })

  it("[R3] never gets more than the capacity plus what has flowed in, whatever it asks", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = prng.create(seed)
      const capacity = 1 + below(random, 50)
      const perSecond = 1 + below(random, 50)
      const bucket = new TokenBucket(capacity, perSecond)
      let nowMs = 0
      let granted = 0
      for (let ask = 0; ask < 100; ask++) {
        nowMs += below(random, 3000)
        const n = below(random, 40)
        if (bucket.take(n, nowMs)) granted += n
      }
      expect(granted, `seed ${seed}`).toBeLessThanOrEqual(capacity + (nowMs / 1000) * perSecond + 1e-6)
    }
  })
})
