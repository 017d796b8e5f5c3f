import { describe, expect, it } from "vitest"
import { closeReason, parseSyncError, SyncError } from "../../src/errors.ts"

describe("[R3] the reason of a close", () => {
  const bytes = (text: string) => new TextEncoder().encode(text).length

  it.each([
    ["of letters", "x".repeat(200), 123],
    ["of characters of three bytes", "\u65e5".repeat(60), 123],
    ["of characters of four bytes", "🌍".repeat(60), 120],
    ["of characters of two bytes", "é".repeat(100), 122],
  ])("[R3] %s is cut to what a frame holds, between two characters", (_, message, length) => {
    const reason = closeReason(message)
    expect(bytes(reason)).toBe(length)
    expect(message.startsWith(reason)).toBe(true)
    expect(reason.isWellFormed()).toBe(true)
  })

  it("[R3] that fits is left as it is, and half a character is mended", () => {
    expect(closeReason("The document was deleted.")).toBe("The document was deleted.")
    expect(closeReason("")).toBe("")
    expect(closeReason("a\ud83c")).toBe("a\ufffd")
  })
})

describe("[W3] an error", () => {
  it("[W3] is read out of the answer it was put into", () => {
    const error = new SyncError("room-full", "The room has 1000 sockets.")
    expect(parseSyncError(JSON.stringify(error))).toMatchObject({ code: "room-full", message: error.message })
  })

  it.each([
    "",
    "null",
    "[]",
    "<html>",
    '{"error":"nothing-known","message":"x"}',
    '{"error":"deleted"}',
    '{"error":"toString","message":""}',
  ])("[W3] is not read out of %j", (text) => expect(parseSyncError(text)).toBeNull())
})
