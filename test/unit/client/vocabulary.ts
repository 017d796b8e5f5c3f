/** The verbs of the provider's tests. */
import { afterEach, vi } from "vitest"
import * as Y from "yjs"
import type { OpenOfflineCopy, Unsaved } from "../../../src/client/options.ts"
import { Provider, type ProviderEvents, type ProviderOptions } from "../../../src/client/provider.ts"
import { openRelay, type Relay } from "../../kit/relay.ts"

/** What the test leaves running; ended last in, first out. */
export const running: { destroy(): unknown }[] = []

afterEach(async () => {
  vi.useRealTimers()
  for (const one of running.splice(0).reverse()) await one.destroy()
})

/** A relay that ends with the test. */
export async function relay(): Promise<Relay> {
  const opened = await openRelay()
  running.push({ destroy: () => opened.stop() })
  return opened
}

/** A page of its own: it shares no browser with another, and does not wait long to reconnect. */
export function open({ url }: Relay, options: ProviderOptions = {}, doc = new Y.Doc()): Provider {
  const provider = new Provider(url, "notes", doc, { disableBc: true, maxBackoffTime: 20, ...options })
  running.push(provider)
  return provider
}

/** A page that is synced. */
export async function opened(server: Relay, options: ProviderOptions = {}, doc?: Y.Doc): Promise<Provider> {
  const provider = open(server, options, doc)
  await when(provider, "sync", true)
  return provider
}

/** The next time this event comes, with this first argument if one is given. */
export function when<Name extends keyof ProviderEvents & string>(
  provider: Provider,
  name: Name,
  ...[argument]: Partial<Parameters<ProviderEvents[Name]>>
): Promise<Parameters<ProviderEvents[Name]>> {
  return new Promise((resolve) => {
    const listener = (...args: Parameters<ProviderEvents[Name]>) => {
      if (argument !== undefined && args[0] !== argument) return
      provider.off(name, listener as ProviderEvents[Name])
      resolve(args)
    }
    provider.on(name, listener as ProviderEvents[Name])
  })
}

/** The first argument of every event of this name from now on. */
export function record(provider: Provider, name: keyof ProviderEvents & string): unknown[] {
  const seen: unknown[] = []
  provider.on(name, (...[first]: unknown[]) => void seen.push(first))
  return seen
}

/** The text of a page. */
export const text = ({ doc }: { doc: Y.Doc }) => doc.getText("t").toString()
/** Type at the end of a page's text. */
export const type = ({ doc }: { doc: Y.Doc }, words: string) =>
  doc.getText("t").insert(doc.getText("t").length, words)
/** The text that outlives a crash of the relay. */
export const onDisk = (server: Relay) => text({ doc: server.disk("notes") })

/** A token as the server would sign it; nobody here looks at the signature. */
export function token(name: string, expiresAtMs: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  return `${part({ alg: "HS256" })}.${part({ sub: name, exp: expiresAtMs / 1000 })}.x`
}

/** A browser's offline copies, in memory. */
export class Copies {
  /** By name: the updates of each copy, and what of them is not saved. */
  readonly kept = new Map<string, { readonly updates: Uint8Array[]; unsaved: Unsaved | null }>()

  readonly open: OpenOfflineCopy = async (name, doc) => {
    await Promise.resolve()
    const copy = this.kept.get(name) ?? { updates: [], unsaved: null }
    this.kept.set(name, copy)
    const { unsaved } = copy
    const keep = (update: Uint8Array, origin: unknown) => {
      if (origin !== copy) copy.updates.push(update)
    }
    const close = async () => doc.off("update", keep)
    doc.on("update", keep)
    for (const update of [...copy.updates]) Y.applyUpdate(doc, update, copy)
    copy.updates.push(Y.encodeStateAsUpdate(doc))
    return {
      unsaved,
      record: async (now) => {
        copy.unsaved = now
      },
      clear: async () => {
        await close()
        this.kept.delete(name)
      },
      close,
    }
  }

  /** The text that the copy of this name holds. */
  text(name: string): string {
    const doc = new Y.Doc()
    for (const update of this.kept.get(name)?.updates ?? []) Y.applyUpdate(doc, update)
    return doc.getText("t").toString()
  }
}
