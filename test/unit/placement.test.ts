import { expect, it } from "vitest"
import { findRegistries } from "../../src/access/revocations.ts"
import { findLookout } from "../../src/admin/reports.ts"
import type { Placement } from "../../src/placement.ts"
import { findOwnBinding, findRooms } from "../../src/rpc.ts"

/** A binding that tells where it was asked for an object: the platform's own cannot be had outside Cloudflare. */
function namespace(place = "anywhere") {
  return {
    idFromName: (name: string) => `${place} ${name}`,
    getByName: (name: string, options?: { locationHint?: string }) =>
      `${place} ${name} ${options?.locationHint ?? "near whoever asks"}`,
    jurisdiction: (jurisdiction: string) => namespace(jurisdiction),
  }
}

it.each<[Placement, string]>([
  [{}, "anywhere notes near whoever asks"],
  [{ JURISDICTION: "eu" }, "eu notes near whoever asks"],
  [{ LOCATION_HINT: "weur" }, "anywhere notes weur"],
  [{ JURISDICTION: "eu", LOCATION_HINT: "weur" }, "eu notes weur"],
])(
  "[R6] makes rooms, registries and the lookout where the variables want them: %o",
  (placement, expected) => {
    const env = { Room: namespace(), Registry: namespace(), Lookout: namespace() as never, ...placement }
    expect(findRooms(env, "Room")?.getByName("notes")).toBe(expected)
    expect(findRegistries(env)?.getByName("notes")).toBe(expected)
    expect(findLookout(env)).toBe(expected.replace("notes", "all"))
  },
)

it("a room in a jurisdiction finds the binding it is reached by", () => {
  const env = { Room: namespace(), JURISDICTION: "eu", LOCATION_HINT: "weur" }
  expect(findOwnBinding(env, { id: namespace("eu").idFromName("notes") as never, name: "notes" })).toBe(
    "Room",
  )
  expect(() => findOwnBinding(env, { id: namespace().idFromName("notes") as never, name: "notes" })).toThrow(
    TypeError,
  )
})

it("says what is missing where the platform knows no jurisdictions", () => {
  const { jurisdiction: _, ...plain } = namespace()
  expect(() => findRooms({ Room: plain, JURISDICTION: "eu" }, "Room")).toThrow("jurisdiction")
})
