/** The contract that ships with the interface, run by Vitest. */

import { afterAll, beforeAll, describe, it } from "vitest"
import { ARCHIVE_CONTRACT, type ArchiveUnderTest } from "../../src/archive/contract.ts"

/** An archive that a test has opened, and can close. */
export interface OpenArchive extends ArchiveUnderTest {
  close(): Promise<void>
}

/**
 * Run the contract against an archive.
 *
 * @param open called once; the documents of earlier runs may still be in the database
 */
export function archiveContract(name: string, open: () => Promise<OpenArchive>): void {
  describe(`the ${name} archive`, () => {
    let opened: OpenArchive
    beforeAll(async () => {
      opened = await open()
    }, 60_000)
    afterAll(() => opened?.close())

    for (const { title, timeoutMs, run } of ARCHIVE_CONTRACT) {
      it(title, { timeout: timeoutMs }, () => run(opened))
    }
  })
}
