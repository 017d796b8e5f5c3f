/** Tokens and read-only in the clients that speak y-websocket's dialect: tests for dialects.test.ts. */
import { expect, it } from "vitest"
import {
  openProvider,
  openSocket,
  openWebsocketProvider,
  openYProvider,
  textOf,
  type,
} from "../kit/clients.ts"
import type { Journey } from "../kit/journey.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { SECRET } from "./secret.ts"

/** @param locked at a server that wants tokens */
export function testRights(locked: Journey): void {
  const tokenOf = (subject: string, rights: "read" | "write") =>
    signToken(SECRET, claimsOf(subject, [{ id: "rights/*", rights }]))

  const clients = {
    "y-websocket": (id: string, token: string) =>
      openWebsocketProvider(locked.server.docs, id, { params: { token } }),
    "y-partyserver": (id: string, token: string) =>
      openYProvider(locked.server.url, id, { params: { token } }),
    "our Provider": (id: string, token: string) => openProvider(locked.server.docs, id, { token }),
    "our Provider on a Socket": (id: string, token: string) =>
      openProvider(openSocket(locked.server.docs), id, { token }),
  }

  for (const [name, open] of Object.entries(clients)) {
    it(`[R1] [R2] lets in ${name} by its token alone, and takes nothing of a reader, who reads on`, async () => {
      const id = `rights/${name.replaceAll(" ", "-")}`
      const stranger = open(id, "no.such.token")
      const [writer, reader] = await locked.enter(
        open(id, tokenOf("ada", "write")),
        open(id, tokenOf("bo", "read")),
      )
      type(writer, "for all")
      await until(() => textOf(reader) === "for all", "the reader reads")
      type(reader, " and mine")
      await until(() => reader.refusals.length > 0 || isLocked(reader), "the reader is told")
      type(writer, " to read")
      await until(() => textOf(reader).includes(" to read"), "the reader reads on")
      expect([textOf(writer), reader.losses]).toEqual(["for all to read", []])
      expect([stranger.synced, textOf(stranger)]).toEqual([false, ""])
      stranger.leave()
    })
  }
}

/** Our own client says so itself. */
function isLocked({ provider }: { readonly provider: object }): boolean {
  return "readOnly" in provider && provider.readOnly === true
}
