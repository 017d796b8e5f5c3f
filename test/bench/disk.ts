/**
 * What the disk takes meanwhile for 4 KB and an fsync. Rooms share it, and on a rented machine others do as well, so a
 * figure that waits for it says little without this one.
 */

import { type FileHandle, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Histogram } from "./tally.ts"

const EVERY_MS = 100
const PAGE = new Uint8Array(4096)

/** Watch the disk that the servers store on, until `stop`. */
export async function watchDisk(): Promise<{ stop(): Promise<Histogram> }> {
  const path = join(tmpdir(), `disk-${process.pid}`)
  const file = await open(path, "w")
  const watching = new AbortController()
  const times = writeUntil(watching.signal, file)
  return {
    async stop() {
      watching.abort()
      await times
      await file.close()
      await rm(path)
      return times
    },
  }
}

async function writeUntil(stopped: AbortSignal, file: FileHandle): Promise<Histogram> {
  const times = new Histogram()
  while (!stopped.aborted) {
    const beganAtMs = performance.now()
    await file.write(PAGE)
    await file.sync()
    times.note(performance.now() - beganAtMs)
    await pause(EVERY_MS)
  }
  return times
}
