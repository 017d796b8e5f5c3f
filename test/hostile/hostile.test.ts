/**
 * The hostile table against the real server, beside ten honest people in one room who keep editing. After every row
 * they are still there, on the same sockets, have the same document, see exactly each other, and a newcomer loads
 * exactly what they have.
 */
import { randomBytes } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { documentPath, statusPath } from "../kit/addresses.ts"
import {
  type Client,
  cursorsOf,
  isSame,
  openWebsocketProvider,
  openYProvider,
  RawClient,
} from "../kit/clients.ts"
import { startServer, type TestServer } from "../kit/server.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import type { Target, TokenOptions } from "./attacker.ts"
import { GROWTH_MB, LATENCY_MS } from "./rows.ts"
import { TABLE } from "./table.ts"

const SECRET = randomBytes(32).toString("hex")
const HONEST = 10
/** A flood may hold them up; they must have come through it by then. */
const SOON = { timeoutMs: 20_000, everyMs: 5 }

let locked: HonestRoom
let open: HonestRoom

beforeAll(async () => {
  // One after the other: a free port is free only until another server takes it.
  locked = await HonestRoom.begin([`--var=AUTH_SECRET:${SECRET}`], true)
  open = await HonestRoom.begin([], false)
})
afterAll(() => Promise.all([locked?.end(), open?.end()]))

for (const [about, rows] of Object.entries(TABLE)) {
  describe(about, () => {
    for (const row of rows) {
      it(`survives ${row.what}`, async () => {
        const room = row.open ? open : locked
        const target = await room.target()
        await room.watch()
        const outcome = await row.attack(target).catch((thrown: Error) => thrown.message)
        const { growthMb, latencyMs } = await room.watched()
        room.checkWhatWasSaid()
        await room.checkWell()
        if (row.spoils) room.disperse()
        expect([row.gets].flat()).toContain(outcome)
        expect(growthMb, "growth of the server, MB").toBeLessThanOrEqual(row.growthMb ?? GROWTH_MB)
        expect(latencyMs, "an honest letter took, ms").toBeLessThanOrEqual(row.latencyMs ?? LATENCY_MS)
      })
    }
  })
}

/** A server, and ten honest people in one of its rooms. */
class HonestRoom {
  readonly #server: TestServer
  readonly #hasKey: boolean
  readonly #heard: string[] = []
  #rooms = 0
  #people: Client[] = []
  #words = 0
  #stopWatching = async () => ({ growthMb: 0, latencyMs: 0 })
  #attackers = 0
  #typing: NodeJS.Timeout | undefined
  #moving: NodeJS.Timeout | undefined

  private constructor(server: TestServer, hasKey: boolean) {
    this.#server = server
    this.#hasKey = hasKey
  }

  static async begin(flags: string[], hasKey: boolean): Promise<HonestRoom> {
    return new HonestRoom(await startServer(flags), hasKey)
  }

  async end(): Promise<void> {
    this.disperse()
    await this.#server.stop()
  }

  /** Who is to be attacked. Where the last row has done harm, they meet in another room. */
  async target(): Promise<Target> {
    if (this.#people.length === 0) await this.#gather()
    // Somebody else each time, so that one row does not use up what the next one may.
    const attacker = `attacker-${++this.#attackers}`
    return {
      ...{ url: this.#server.url, id: this.#id, honest: this.#people, heard: this.#heard },
      mint: this.#hasKey ? (claims, options) => this.#mint(attacker, claims, options) : null,
    }
  }

  /** From now on measure what the server grows by, and how long a letter takes from one of the honest to another. */
  async watch(): Promise<void> {
    const [writer, reader] = [this.#people.at(-1)!, this.#people.at(-2)!]
    const before = (await this.#server.memory())?.nowBytes
    let watching = true
    let latencyMs = 0
    const done = (async () => {
      for (let n = 1; watching; n++) {
        const sentAt = performance.now()
        writer.doc.getMap("letters").set("newest", n)
        await until(() => reader.doc.getMap("letters").get("newest") === n, "a letter arrives", SOON)
        latencyMs = Math.max(latencyMs, performance.now() - sentAt)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })()
    done.catch(() => {}) // told when it is asked
    this.#stopWatching = async () => {
      watching = false
      await done
      const peak = (await this.#server.memory())?.peakBytes
      // Where memory cannot be read, nothing is said of it.
      const growthMb = before === undefined || peak === undefined ? 0 : (peak - before) / 1024 / 1024
      return { growthMb, latencyMs }
    }
  }

  /** What was measured since `watch`. */
  watched(): Promise<{ growthMb: number; latencyMs: number }> {
    return this.#stopWatching()
  }

  /** Nothing that was said shows the inside of the server. */
  checkWhatWasSaid(): void {
    for (const said of this.#heard.splice(0)) {
      expect(said.slice(0, 2_000)).not.toMatch(
        /^\s*at .+[:(]|\.[jt]s:\d+|node_modules|file:\/\/|\/(?:home|usr|tmp|work)\//m,
      )
    }
  }

  /** The honest people are as well as before. */
  async checkWell(): Promise<void> {
    clearInterval(this.#typing)
    try {
      expect(this.#people.map(({ losses }) => losses)).toEqual(this.#people.map(() => []))
      for (const person of this.#people) this.#edit(person)
      await until(
        () => this.#people.every((person) => isSame(person, this.#people[0]!)),
        "everyone has the same document",
        SOON,
      )
      const names = this.#people.map((_, i) => `honest ${i}`)
      await this.#seeEachOther(names)
      await Promise.all([this.#checkNewcomer(names), this.#checkExports()])
      expect(this.#people.map(({ losses }) => losses)).toEqual(this.#people.map(() => []))
      expect(this.#people.flatMap((person) => (person instanceof RawClient ? person.faults : []))).toEqual([])
      this.#keepEditing()
    } catch (thrown) {
      this.disperse()
      throw thrown
    }
  }

  async #seeEachOther(names: string[]): Promise<void> {
    const seen = () => this.#people.map((person) => namesOf(cursorsOf(person)))
    const wanted = this.#people.map((_, i) => names.toSpliced(i, 1))
    // What they see instead, when they never do, says more than that they don't.
    await until(() => isDeepStrictEqual(seen(), wanted), "everyone sees the others", SOON).catch(() => {})
    expect(seen()).toEqual(wanted)
  }

  async #checkNewcomer(names: string[]): Promise<void> {
    // Somebody else each time: nobody comes a few times a second.
    const newcomer = new RawClient(await this.#address(`newcomer-${this.#attackers}`))
    try {
      await until(() => newcomer.synced, "the newcomer is synced", SOON)
      expect(isSame(newcomer, this.#people[0]!)).toBe(true)
      expect(newcomer.doc.getText("text").toString()).toBe(this.#people[0]!.doc.getText("text").toString())
      await until(
        () => isDeepStrictEqual(namesOf(cursorsOf(newcomer)), names),
        "the newcomer sees everyone",
        SOON,
      )
      expect([newcomer.faults, newcomer.texts, newcomer.losses]).toEqual([[], [], []])
    } finally {
      newcomer.leave()
    }
  }

  /** Whatever was let in, the document can be taken out, and nothing of it is in quarantine. */
  async #checkExports(): Promise<void> {
    const headers: HeadersInit = this.#hasKey ? { authorization: `Bearer ${await this.#mint("reader")}` } : {}
    const get = (path: string) => fetch(`${this.#server.url}${path}`, { headers })
    const document = documentPath(this.#id)
    const [json, text, status] = await Promise.all([
      get(`${document}?format=json`),
      get(`${document}?format=text`),
      get(statusPath(this.#id)),
    ])
    expect([json.status, text.status, status.status]).toEqual([200, 200, 200])
    expect(await json.json()).toMatchObject({ text: expect.anything() })
    expect(await status.json()).toMatchObject({ quarantined: 0, archiveError: null })
  }

  get #id(): string {
    return `room-${this.#rooms}`
  }

  async #gather(): Promise<void> {
    this.#rooms++
    const { docs, url } = this.#server
    for (let i = 0; i < HONEST; i++) {
      const params = this.#hasKey
        ? { token: await this.#mint(`honest-${i}`) }
        : ({} as Record<string, string>)
      if (i === 0) this.#people.push(openYProvider(url, this.#id, { params, connectionId: "honest" }))
      else if (i < 6) this.#people.push(openWebsocketProvider(docs, this.#id, { params }))
      else this.#people.push(new RawClient(await this.#address(`honest-${i}`)))
    }
    await until(() => this.#people.every(({ synced }) => synced), "everyone is synced")
    this.#move()
    for (const person of this.#people) this.#edit(person)
    this.#keepEditing()
    // y-websocket renews by itself, and forgets those who have not for 30 s.
    this.#moving = setInterval(() => this.#move(), 5_000)
  }

  /** Everyone leaves; the next row finds them in another room. */
  disperse(): void {
    clearInterval(this.#typing)
    clearInterval(this.#moving)
    for (const person of this.#people.splice(0)) person.leave()
  }

  #keepEditing(): void {
    this.#typing = setInterval(() => this.#edit(this.#people[this.#words % HONEST]!), 10)
  }

  /** Everyone's cursor moves on; YProvider would keep a state that is as before to itself. */
  #move(): void {
    for (const [i, { awareness }] of this.#people.entries()) {
      awareness.setLocalState({ name: `honest ${i}`, at: this.#words })
    }
  }

  /** A word somewhere in the text, and now and then one less. */
  #edit({ doc }: Client): void {
    const text = doc.getText("text")
    const word = this.#words++
    if (text.length > 400) text.delete((word * 7) % (text.length - 20), 10)
    else text.insert((word * 13) % (text.length + 1), `w${word} `)
  }

  async #address(subject: string): Promise<string> {
    const query = this.#hasKey ? `?token=${await this.#mint(subject)}` : ""
    return `${this.#server.docs}/${this.#id}${query}`
  }

  /** A token to write the room's document, changed by these claims; an undefined one is left out. */
  async #mint(
    subject: string,
    claims: Record<string, unknown> = {},
    { secret = SECRET, alg }: TokenOptions = {},
  ): Promise<string> {
    const all = { ...claimsOf(subject, [{ id: this.#id, rights: "write" }]), ...claims }
    return signToken(secret, all, alg === undefined ? {} : { alg })
  }
}

/** The names in awareness states, in order; of a state that is something else, its JSON. */
function namesOf(states: Record<string, unknown>[]): string[] {
  return states.map((state) => (typeof state.name === "string" ? state.name : JSON.stringify(state))).sort()
}
