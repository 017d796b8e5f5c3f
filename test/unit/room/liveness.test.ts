import { expect, it } from "vitest"
import { LIMITS } from "../../../src/limits.ts"
import { judgeSilence } from "../../../src/room/liveness.ts"

const { silentMs, silentAnswerMs } = LIMITS

it("[P3] asks a peer that was silent for long, and closes it where no answer comes", () => {
  const heardAtMs = 1_000
  const judge = (askedAtMs: number | null, nowMs: number) =>
    judgeSilence({ heardAtMs, askedAtMs }, nowMs, LIMITS)
  const askAtMs = heardAtMs + silentMs
  expect(judge(null, askAtMs - 1)).toEqual({ kind: "leave", nextAtMs: askAtMs })
  expect(judge(null, askAtMs)).toEqual({ kind: "ask", nextAtMs: askAtMs + silentAnswerMs })
  const closeAtMs = askAtMs + silentAnswerMs
  expect(judge(askAtMs, closeAtMs - 1)).toEqual({ kind: "leave", nextAtMs: closeAtMs })
  expect(judge(askAtMs, closeAtMs)).toEqual({ kind: "close" })
})

it("[P3] leaves a peer alone that has answered, and asks it again after the next silence", () => {
  const askedAtMs = 50_000
  const heardAtMs = askedAtMs + 200
  expect(judgeSilence({ heardAtMs, askedAtMs }, heardAtMs + silentAnswerMs, LIMITS)).toEqual({
    kind: "leave",
    nextAtMs: heardAtMs + silentMs,
  })
  expect(judgeSilence({ heardAtMs, askedAtMs }, heardAtMs + silentMs, LIMITS).kind).toBe("ask")
})

it("[P3] closes nobody who was never asked, however late the room looks", () => {
  expect(judgeSilence({ heardAtMs: 0, askedAtMs: null }, 86_400_000, LIMITS).kind).toBe("ask")
})

it("[P3] has gone a minute after the last sign", () => {
  expect(silentMs + silentAnswerMs).toBeLessThanOrEqual(60_000)
})
