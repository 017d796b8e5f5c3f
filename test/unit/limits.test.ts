import { describe, expect, it } from "vitest"
import { LIMITS, readLimits } from "../../src/limits.ts"

describe("[O2] the limits of a deployment", () => {
  it("[O2] are the defaults where nobody has set any", () => {
    expect(readLimits({})).toEqual(LIMITS)
    expect(readLimits({ AUTH_SECRET: "x", Room: {}, LIMITLESS: "1" })).toEqual(LIMITS)
  })

  it("[O2] can be changed by variable, in any environment, and by code below that", () => {
    const env = { LIMIT_SOCKETS: "50", LIMIT_SOCKETS_PER_SUBJECT: " 7 ", LIMIT_STEP1_FRAMES: 3 }
    const limits = readLimits(env, { sockets: 9, tickCeilingMs: 11 })
    expect(limits).toEqual({
      ...LIMITS,
      sockets: 50,
      socketsPerSubject: 7,
      step1Frames: 3,
      tickCeilingMs: 11,
    })
  })

  it("[O2] every one of them has a variable", () => {
    for (const [name, value] of Object.entries(LIMITS)) {
      const variable = `LIMIT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
      expect(readLimits({ [variable]: String(value) }), variable).toEqual(LIMITS)
    }
  })

  it.each<[string, Record<string, string>, string]>([
    ["a limit that is none", { LIMIT_SOKETS: "50" }, "There is no limit LIMIT_SOKETS."],
    ["a limit of Object's", { LIMIT_CONSTRUCTOR: "50" }, "There is no limit LIMIT_CONSTRUCTOR."],
    ["words", { LIMIT_SOCKETS: "many" }, 'LIMIT_SOCKETS is "many"'],
    ["nothing", { LIMIT_SOCKETS: "" }, 'LIMIT_SOCKETS is ""'],
    ["a unit", { LIMIT_FRAME_BYTES: "25MB" }, 'LIMIT_FRAME_BYTES is "25MB"'],
    ["a fraction", { LIMIT_SOCKETS: "1.5" }, 'LIMIT_SOCKETS is "1.5"'],
    ["a negative number", { LIMIT_SOCKETS: "-1" }, 'LIMIT_SOCKETS is "-1"'],
    ["none at all", { LIMIT_SOCKETS: "0" }, "The limit sockets is 0; at least 1 makes sense."],
    ["a number beyond all", { LIMIT_SOCKETS: "9".repeat(30) }, "The limit sockets is"],
    [
      "a row that the platform does not take",
      { LIMIT_VALUE_BYTES: "9999999" },
      "the platform allows 2097152",
    ],
    [
      "an update larger than its frame",
      { LIMIT_FRAME_BYTES: "1000" },
      "updateBytes is 26214400, above frameBytes",
    ],
    [
      "a frame larger than the burst",
      { LIMIT_BYTE_BURST: "1000" },
      "frameBytes is 27262976, above byteBurst",
    ],
  ])("[O2] %s is refused at the start, and named", (_, env, says) => {
    expect(() => readLimits(env)).toThrow(
      expect.objectContaining({ code: "internal", message: expect.stringContaining(says) }),
    )
  })

  it("[O2] a number of the code that makes no sense is refused as well", () => {
    expect(() => readLimits({}, { sockets: Number.NaN })).toThrow("The limit sockets is NaN")
    expect(readLimits({}, { retentionMs: 0 })).toEqual(LIMITS)
  })
})
