/** Fifty clients of every kind in one room, who edit at random through a kill: a test for dialects.test.ts. */
import { DocumentManager } from "@y-sweet/sdk"
import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import { randomEdit } from "../faults/random-edit.ts"
import {
  type Client,
  isSame,
  openHocuspocus,
  openHocuspocusSocket,
  openProvider,
  openSocket,
  openWebsocketProvider,
  openYProvider,
  openYSweet,
} from "../kit/clients.ts"
import type { Journey } from "../kit/journey.ts"
import { seededRandom } from "../kit/random.ts"
import { until } from "../kit/until.ts"

const ID = "mixed"
const ROUNDS = 60
/** All come back at once, to a server that has just begun. */
const PATIENCE = { timeoutMs: 60_000 }

/** @param journey at an open server */
export function testMixed(journey: Journey): void {
  it("[W2] [D1] [D2] converges with fifty clients of every kind who edit through a kill, and has on disk what they call saved", async () => {
    const random = seededRandom("the mixed room")
    const { server, enter } = journey
    const { url, docs } = server
    const ws = url.replace("http", "ws")
    const manager = new DocumentManager(url.replace("http", "ys"))
    const theirs = [0, 1].map(() => openHocuspocusSocket(`${ws}/hocuspocus`))
    const ours = openSocket(docs)
    for (const socket of theirs) journey.atEnd(() => socket.destroy())
    const times = <Kind extends Client>(count: number, open: (i: number) => Kind) =>
      Array.from({ length: count }, (_, i) => open(i))
    const hocuspocus = await enter(
      ...times(10, () => openHocuspocus(`${ws}/hocuspocus/${ID}`)),
      ...times(10, (i) => openHocuspocus(theirs[i % 2]!, { name: ID, sessionAwareness: true })),
    )
    const sweet = await enter(...times(8, () => openYSweet(ID, () => manager.getOrCreateDocAndToken(ID))))
    const own = await enter(
      ...times(6, () => openProvider(docs, ID)),
      ...times(1, () => openProvider(ours, ID)),
    )
    const silent = await enter(
      ...times(9, () => openWebsocketProvider(docs, ID)),
      ...times(6, () => openYProvider(url, ID)),
    )
    const everyone: Client[] = [...hocuspocus, ...sweet, ...own, ...silent]
    expect(everyone).toHaveLength(50)
    const isSaved = () =>
      hocuspocus.every(({ provider }) => provider.unsyncedChanges === 0) &&
      sweet.every(({ provider }) => !provider.hasLocalChanges) &&
      own.every(({ provider }) => !provider.hasUnsavedChanges)
    const settled = async () => {
      await until(() => everyone.every(({ synced }) => synced), "everyone is synced", PATIENCE)
      await until(
        () => everyone.every((client) => isSame(client, everyone[0]!)),
        "everyone has the same",
        PATIENCE,
      )
      await until(isSaved, "all is saved", PATIENCE)
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (let n = 0; n < 6; n++) randomEdit(random, prng.oneOf(random, everyone).doc)
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (round === ROUNDS / 2) await server.kill()
      if (round === ROUNDS / 2 + 10) await server.restart()
    }
    await settled()
    // Most of them are never told what is saved. What was taken before a word that is saved is saved too.
    own[0]!.doc.getText("end").insert(0, "the end")
    await settled()
    for (const client of everyone) client.leave()
    await server.kill()
    await server.restart()
    const [newcomer] = await enter(openWebsocketProvider(docs, ID))
    expect(isSame(newcomer, everyone[0]!)).toBe(true)
  })
}
