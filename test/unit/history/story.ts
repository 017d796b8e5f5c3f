/**
 * A story: several people write in one document, online and off, and every update is kept with who brought it. From it come
 * the document at any revision, as a server would rebuild it, and who wrote and who deleted what.
 */
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { Attribution } from "../../../src/history/attribution.ts"
import { Authors } from "../../../src/history/authors.ts"
import { Copies, type Copy } from "../../../src/history/copies.ts"
import type { Origin } from "../../../src/history/origin.ts"
import { below, type Random } from "../../kit/random.ts"

export interface Entry {
  readonly update: Uint8Array
  readonly origin: Origin
}

export class Story {
  /** The server's: garbage-collected, as a live document is. */
  readonly live = new Y.Doc()
  readonly entries: Entry[] = []
  readonly people = new Map<string, Y.Doc>()
  readonly #offline = new Set<string>()
  #atMs = Date.UTC(2026, 0, 1)

  constructor(...names: string[]) {
    this.live.clientID = 1
    this.live.on("update", (update: Uint8Array, teller: unknown) => {
      const subject = typeof teller === "string" ? teller : "server"
      this.entries.push({ update, origin: { at: this.#atMs, subject, via: "socket" } })
      for (const [name, doc] of this.people)
        if (name !== teller && !this.#offline.has(name)) Y.applyUpdate(doc, update, "live")
    })
    for (const [index, name] of names.entries()) {
      const doc = new Y.Doc()
      doc.clientID = 100 * (index + 1)
      this.people.set(name, doc)
      doc.on("update", (update: Uint8Array, origin: unknown) => {
        if (origin !== "live" && !this.#offline.has(name)) Y.applyUpdate(this.live, update, name)
      })
    }
  }

  get revision(): number {
    return this.entries.length
  }

  /** Somebody's edit, a second after what was before it. */
  edit(name: string, edit: (doc: Y.Doc) => void): number {
    this.#atMs += 1000
    const doc = this.people.get(name)!
    doc.transact(() => edit(doc))
    return this.revision
  }

  /** Let time pass. */
  wait(ms: number): void {
    this.#atMs += ms
  }

  offline(name: string): void {
    this.#offline.add(name)
  }

  /** Back with all that was written meanwhile. */
  online(name: string): void {
    const doc = this.people.get(name)!
    this.#offline.delete(name)
    const mine = Y.encodeStateAsUpdate(doc, Y.encodeStateVector(this.live))
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.live), "live")
    Y.applyUpdate(this.live, mine, name)
  }

  /** The document as it was after so many updates, with all that was deleted before. */
  at(revision = this.revision): Y.Doc {
    const doc = new Y.Doc({ gc: false })
    for (const { update } of this.entries.slice(0, revision)) Y.applyUpdate(doc, update)
    return doc
  }

  /** Who did what, up to a revision. */
  attribution(revision = this.revision): Attribution {
    const attribution = new Attribution()
    for (const [index, entry] of this.entries.slice(0, revision).entries())
      attribution.add({ revision: index + 1, at: entry.origin.at, updates: [entry] })
    return attribution
  }

  /** The same as an answer has it. */
  authors(copies: readonly Copy[] = []): Authors {
    const register = { nameOf: () => undefined, isOwn: () => true, server: 1 }
    return new Authors(this.attribution(), { copies: new Copies(copies), register, notBeforeMs: 0 })
  }
}

/** What people see of a document: every root read as what it is in these tests. */
export function look(doc: Y.Doc) {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return {
    prose: runs(copy.getText("prose")),
    items: show(copy.getArray("items")),
    settings: show(copy.getMap("settings")),
    page: show(copy.getXmlFragment("page")),
  }
}

function runs(text: Y.Text): unknown[] {
  const found: { insert: unknown; attributes: string }[] = []
  for (const { insert, attributes = {} } of text.toDelta()) {
    const sorted = JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
    const last = found.at(-1)
    if (typeof insert === "string" && typeof last?.insert === "string" && last.attributes === sorted)
      last.insert += insert
    else found.push({ insert: show(insert), attributes: sorted })
  }
  return found
}

function show(value: unknown): unknown {
  if (value instanceof Y.XmlElement)
    return { node: value.nodeName, attributes: value.getAttributes(), children: value.toArray().map(show) }
  if (value instanceof Y.XmlText) return { runs: runs(value), attributes: value.getAttributes() }
  if (value instanceof Y.Text) return runs(value)
  if (value instanceof Y.XmlFragment) return value.toArray().map(show)
  if (value instanceof Y.Array) return value.toArray().map(show)
  if (value instanceof Y.Map)
    return Object.fromEntries(
      [...value.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, show(v)]),
    )
  if (value instanceof Y.Doc) return { guid: value.guid }
  if (value instanceof Uint8Array) return [...value]
  return value
}

const WORDS = ["one ", "two ", "drei ", "größe ", "\n", "<b>&", "x"]

/** Where an editor puts its caret: not inside a character. */
function placesOf(text: Y.Text): number[] {
  const places = [0]
  for (const { insert } of text.toDelta()) {
    const lengths = typeof insert === "string" ? [...insert].map((character) => character.length) : [1]
    for (const length of lengths) places.push(places.at(-1)! + length)
  }
  return places
}

/** One small change somewhere in a document, of any shared type. */
export function change(random: Random, doc: Y.Doc, { formats = true } = {}): void {
  const pick = <Value>(values: readonly Value[]): Value => values[below(random, values.length)]!
  const value = (): unknown =>
    pick([
      () => below(random, 100),
      () => pick(WORDS),
      () => null,
      () => ({ a: [below(random, 5), true] }),
      () => new Uint8Array([below(random, 256)]),
      () => new Y.Doc({ guid: `sub-${below(random, 3)}` }),
      () => new Y.Map([["made", below(random, 10)]]),
      () => Y.Array.from([below(random, 10), "s"]),
      () => new Y.Text(pick(WORDS)),
    ])()
  const editText = (text: Y.Text) => {
    const places = placesOf(text)
    const length = places.length - 1
    const range = (most: number): [at: number, count: number] => {
      const at = below(random, length)
      const count = 1 + below(random, Math.min(most, length - at))
      return [places[at]!, places[at + count]! - places[at]!]
    }
    switch (below(random, formats ? 6 : 3)) {
      case 0:
      case 1:
        text.insert(
          below(random, length + 1),
          pick(WORDS),
          formats ? pick([undefined, { bold: true }]) : undefined,
        )
        break
      case 2:
        if (length > 0) text.delete(...range(6))
        break
      case 3:
      case 4:
        if (length > 0) {
          const format = pick([
            { bold: true },
            { bold: null },
            { italic: true },
            { link: { href: "https://a.b" } },
          ])
          text.format(...range(6), format)
        }
        break
      default:
        text.insertEmbed(pick(places), { image: pick(["a", "b"]) })
    }
  }
  const editMap = (map: Y.Map<unknown>) => {
    const key = pick(["a", "b", "c"])
    const held = map.get(key)
    if (held instanceof Y.Map && prng.bool(random)) editMap(held)
    else if (held instanceof Y.Text && prng.bool(random)) editText(held)
    else if (held instanceof Y.Array && prng.bool(random)) editArray(held)
    else if (below(random, 4) === 0) map.delete(key)
    else map.set(key, value())
  }
  const editArray = (array: Y.Array<unknown>) => {
    if (array.length > 0 && below(random, 3) === 0) {
      const at = below(random, array.length)
      array.delete(at, 1 + below(random, Math.min(3, array.length - at)))
      return
    }
    const held = array.length === 0 ? null : array.get(below(random, array.length))
    if (held instanceof Y.Map) editMap(held)
    else if (held instanceof Y.Text) editText(held)
    else array.insert(below(random, array.length + 1), [value(), value()].slice(below(random, 2)))
  }
  const editXml = (node: Y.XmlFragment | Y.XmlElement) => {
    if (node.length > 0 && below(random, 5) === 0) {
      node.delete(below(random, node.length), 1)
      return
    }
    if (node instanceof Y.XmlElement && below(random, 4) === 0) {
      if (prng.bool(random)) node.setAttribute(pick(["level", "align"]), pick(["1", "2", "left"]))
      else node.removeAttribute("level")
      return
    }
    const held = node.length === 0 ? null : node.get(below(random, node.length))
    if (held instanceof Y.XmlText && below(random, 4) > 0) editText(held)
    else if (held instanceof Y.XmlElement && below(random, 4) > 0) editXml(held)
    else {
      const element = new Y.XmlElement(pick(["paragraph", "heading"]))
      element.insert(0, [new Y.XmlText(pick(WORDS))])
      node.insert(below(random, node.length + 1), [prng.bool(random) ? element : new Y.XmlText(pick(WORDS))])
    }
  }
  pick([
    () => editText(doc.getText("prose")),
    () => editMap(doc.getMap("settings")),
    () => editArray(doc.getArray("items")),
    () => editXml(doc.getXmlFragment("page")),
  ])()
}

/** A story of three people who write `edits` times, go offline and come back. */
export function randomStory(random: Random, edits: number, options?: { formats?: boolean }): Story {
  const names = ["ann", "bob", "cem"]
  const story = new Story(...names)
  const away = new Set<string>()
  for (let edit = 0; edit < edits; edit++) {
    const name = names[below(random, names.length)]!
    if (below(random, 10) === 0) {
      if (away.delete(name)) story.online(name)
      else {
        away.add(name)
        story.offline(name)
      }
    }
    story.edit(name, (doc) => change(random, doc, options))
  }
  for (const name of away) story.online(name)
  return story
}
