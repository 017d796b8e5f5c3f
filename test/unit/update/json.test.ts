import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import { checkJson } from "../../../src/update/json.ts"
import { Refusal } from "../../../src/update/refusal.ts"

const SEED = 20_263

/** Why a text is refused; null where it is not. */
function fault(text: string, depth = 4): string | null {
  const bytes = new TextEncoder().encode(`<${text}>`)
  try {
    checkJson(bytes, { from: 1, to: bytes.length - 1, at: 7, depth })
    return null
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.reason
    throw thrown
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const TEXTS = [
  ...["", " ", "null", " true\n", "false\t", "nul", "nulll", "undefined", "NaN", "Infinity", "\ufeff1"],
  ...[
    "0",
    "-0",
    "-",
    "01",
    "1.",
    ".5",
    "1.5e+3",
    "1E9",
    "1e",
    "1e-",
    "+1",
    "0x1",
    "1 2",
    "-a",
    "00",
    "1.2.3",
  ],
  ...[
    '""',
    '"',
    '"a',
    '"\\"',
    '"\\x"',
    '"\\u12g4"',
    '"\\uD83E"',
    '"\\u00"',
    '"\n"',
    '"\u007f漢🧶\\/\\b\\f"',
    "'a'",
  ],
  ...["[]", "[ ]", "[1,]", "[,1]", "[1 2]", "[", "]", "[1", '[1,"a",null,[{}]]', "[}", "{]"],
  ...[
    "{}",
    '{"a":1}',
    '{"a"}',
    '{"a":}',
    "{a:1}",
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{ "a" : [ ] , "a":2}',
    "{1:2}",
  ],
]

it.each(TEXTS)("[W3] reads JSON as JSON.parse does: %j", (text) => {
  expect(fault(text)).toBe(parses(text) ? null : "invalid JSON at byte 7")
})

it("[W3] reads JSON as JSON.parse does, whatever the text", () => {
  const random = prng.create(SEED)
  const alphabet = [...'[]{},:"\\u01e.-+ atrue\n']
  let valid = 0
  for (let i = 0; i < 40_000; i++) {
    const begun = TEXTS[prng.int32(random, 0, TEXTS.length - 1)]!
    const at = prng.int32(random, 0, begun.length)
    const letters = Array.from({ length: prng.int32(random, 0, 3) }, () => prng.oneOf(random, alphabet))
    const text = begun.slice(0, at) + letters.join("") + begun.slice(at + prng.int32(random, 0, 2))
    if (parses(text)) valid++
    if ((fault(text, 99) === null) !== parses(text)) expect(text).toBe("read as JSON.parse reads it")
  }
  expect(valid).toBeGreaterThan(2000)
})

it("[W3] counts the levels of JSON, and builds nothing to do so", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
  expect(fault(nested(4))).toBeNull()
  expect(fault(nested(5))).toBe("JSON nested deeper than 4 at byte 7")
  expect(fault('[[],[{"a":{"b":1}}]]')).toBeNull()
  expect(fault('[[],[{"a":{"b":[]}}]]')).toMatch("nested deeper")
  // Two bytes a level: JSON.parse would have built 4 million lists before anyone counts.
  expect(fault(nested(4_000_000))).toMatch("nested deeper")
})

it("[W3] finds the key __proto__ however it is written, and lets others be", () => {
  const escaped = [..."__proto__"].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
  for (const key of ["__proto__", "\\u005f_proto__", escaped]) {
    expect(fault(`{"a":[{"${key}":1}]}`)).toBe("JSON key __proto__ at byte 7")
  }
  for (const key of ["__proto_", "__proto___", "_\\n_proto__", "__Proto__", `${escaped}x`, "constructor"]) {
    expect(fault(`{"${key}":"__proto__"}`)).toBeNull()
  }
})
