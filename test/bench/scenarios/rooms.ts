/**
 * Rooms: 500 documents, two people in each, each typing twice a second, all on one machine and one disk. The time
 * from sending to the other's receipt, the server's memory, and what the disk takes meanwhile. A second pass, for Yurt
 * alone, asks after every letter for the echo that says it is on disk.
 */

import { setTimeout as pause } from "node:timers/promises"
import { watchDisk } from "../disk.ts"
import { textOf, typing } from "../edits.ts"
import { connectAll, disconnectAll } from "../load-client.ts"
import {
  megabytes,
  mustEqual,
  mustServe,
  type Outcome,
  type Scenario,
  type Setting,
  settled,
  until,
} from "../scenario.ts"
import { startServer } from "../servers.ts"
import { Histogram, Receiver } from "../tally.ts"

const EVERY_MS = 500
const DRAIN_MS = 15_000
const CHECKED_ROOMS = 20
/** The first second is sent like the rest but not timed: 500 rooms that write for the first time are not the rule. */
const UNTIMED_LETTERS = 2

async function measureRooms({ system, quick }: Setting, options: { durable: boolean }): Promise<Outcome> {
  await using server = await startServer(system)
  const rooms = quick ? 100 : 500
  const letters = quick ? 8 : 30
  const people = rooms * 2
  const roomOf = (person: number) => `room-${person >> 1}`
  const clientOf = (person: number) => 1_000 + person

  const receivers = Array.from({ length: people }, () => new Receiver())
  const durableMs = new Histogram()
  const sentAtMs = receivers.map(() => new Float64Array(letters))
  let durable = 0
  const durableUpTo = new Int32Array(people)
  const clients = await connectAll(
    server,
    receivers.map((_of, person) => roomOf(person)),
    {
      atOnce: 50,
      listener: (person) => (kind, frame) => {
        if (kind !== "echo") return receivers[person]!.listener(kind, frame)
        const version = receivers[person]!.client!.payload(kind, frame)[0]!
        for (; durableUpTo[person]! <= version; durableUpTo[person]!++) {
          const letter = durableUpTo[person]!
          durable++
          if (letter >= UNTIMED_LETTERS) durableMs.note(performance.now() - sentAtMs[person]![letter]!)
        }
      },
    },
  )
  for (const [person, receiver] of receivers.entries()) receiver.client = clients[person]
  const updates = clients.map((_client, person) => typing(clientOf(person), letters))
  const frames = clients.map((client, person) => updates[person]!.map((update) => client.frame(2, update)))
  await pause(1_000)

  const disk = await watchDisk()
  // Everyone has a moment of their own within the period.
  const startedAtMs = performance.now()
  for (let i = 0; i < letters; i++) {
    for (let person = 0; person < people; person++) {
      const turn = (person * 383) % people
      const early = startedAtMs + (i + person / people) * EVERY_MS - performance.now()
      if (early > 1) await pause(early)
      else if (person % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      sentAtMs[turn]![i] = performance.now()
      clients[turn]!.sendFrame(frames[turn]![i]!)
      if (options.durable) clients[turn]!.askEcho(i)
    }
  }
  const sentForMs = performance.now() - startedAtMs
  const notes = sentForMs > letters * EVERY_MS * 1.1 ? ["the load process could not keep its pace"] : []

  const times = new Histogram()
  const total = people * letters
  let received = 0
  const complete = await settled(
    () => receivers.reduce((last, receiver) => Math.max(last, receiver.lastAtMs), 0),
    () => {
      for (const [person, receiver] of receivers.entries()) {
        const other = person ^ 1
        receiver.digest((clientId, from, to, atMs) => {
          if (clientId !== clientOf(other)) return
          received += to - from
          for (let clock = Math.max(from, UNTIMED_LETTERS); clock < to; clock++) {
            times.note(atMs - sentAtMs[other]![clock]!)
          }
        })
      }
      return received === total
    },
    { quietMs: 1_000, limitMs: DRAIN_MS },
  )
  if (options.durable) await until(() => durable === total, DRAIN_MS)
  const fsyncMs = await disk.stop()
  const memory = await server.memory()
  const figures: Record<string, number> = {
    p50Ms: times.quantile(0.5),
    p99Ms: times.quantile(0.99),
    ...(memory === null ? {} : { memoryMb: megabytes(memory.now) }),
    fsyncP50Ms: fsyncMs.quantile(0.5),
    fsyncP99Ms: fsyncMs.quantile(0.99),
    ...(options.durable
      ? { durableP50Ms: durableMs.quantile(0.5), durableMaxMs: durableMs.quantile(1) }
      : {}),
  }
  if (complete) {
    for (let room = 0; room < CHECKED_ROOMS; room++) {
      const person = Math.floor((room / CHECKED_ROOMS) * rooms) * 2
      const expected = textOf([...updates[person]!, ...updates[person + 1]!])
      await mustServe(server, roomOf(person), expected)
      const own = textOf([...receivers[person]!.updates(), ...updates[person]!])
      mustEqual(`what the first person of ${roomOf(person)} has`, own, expected)
    }
  }
  await disconnectAll(clients)
  if (options.durable && durable < total) {
    return { figures, notes, cutOff: `${total - durable} of ${total} edits were never said to be durable` }
  }
  if (complete) return { figures, notes }
  return {
    figures,
    notes,
    cutOff: `${received} of ${total} receipts ${DRAIN_MS / 1000} s after the last letter`,
  }
}

export const rooms: Scenario = {
  name: "rooms",
  title: "500 rooms × 2 people × 2 updates/s: ms from send to receipt",
  systems: ["yurt", "y-partyserver", "relay", "y-websocket", "hocuspocus"],
  headline: { figure: "p99Ms", better: "less" },
  maxRounds: 3,
  limitMs: 120_000,
  measure: (setting) => measureRooms(setting, { durable: false }),
}

export const roomsDurable: Scenario = {
  name: "rooms-durable",
  title: "the same, asking after every letter whether it is on disk: ms from send to that answer",
  systems: ["yurt"],
  headline: { figure: "p99Ms", better: "less" },
  maxRounds: 3,
  limitMs: 120_000,
  measure: (setting) => measureRooms(setting, { durable: true }),
}
