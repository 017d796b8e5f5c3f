/** The provider in React. */
import { useEffect, useSyncExternalStore } from "react"
import type * as Y from "yjs"
import { type Closed, Provider, type ProviderOptions, type Status } from "./provider.ts"
import type { Socket } from "./socket.ts"

/** The state of a provider as `useProvider` returns it: the same object until something of it changes. */
export interface ProviderState {
  readonly provider: Provider
  /** The document that the provider follows: after a conflict another one, see the event `reload`. */
  readonly doc: Y.Doc
  readonly status: Status
  /** The connection has brought everything the room had. */
  readonly synced: boolean
  /** Everything made here is on the room's disk. */
  readonly saved: boolean
  /** The room takes no changes from this page, now or for good: lock the editor. */
  readonly readOnly: boolean
  /** Why the room refused a change on this connection; null if it did not. */
  readonly refused: string | null
  /** How the room ended the connection for good; null if it did not. */
  readonly closed: Closed | null
}

/** A provider that components share. */
interface Shared {
  readonly provider: Provider
  /** How many components are mounted that use it. */
  users: number
  readonly subscribe: (listener: () => void) => () => void
  readonly state: () => ProviderState
}

/**
 * One provider for each document and address, shared by all that render it: strict mode renders twice, mounts, unmounts and
 * mounts again. It lives as long as its document; while no component uses it, it holds no socket and no timer.
 */
const providers = new WeakMap<Y.Doc, Map<string, Shared>>()

/**
 * A provider that is connected while a component that uses it is mounted. Components with the same document and address
 * share it. It ends with `doc.destroy()`.
 *
 * @example
 * function Editor({ doc }: { doc: Y.Doc }) {
 *   const { provider, synced, saved, readOnly } = useProvider("wss://example.com/docs", "notes", doc)
 *   if (!synced) return <p>Loading</p>
 *   return <TextArea text={doc.getText("t")} awareness={provider.awareness} locked={readOnly} dirty={!saved} />
 * }
 *
 * @param at where the rooms are, or a `Socket` of `yurt/socket`, made once
 * @param options as of `new Provider`; read once, when it is made. With `connect: false`, connecting is yours to do
 */
export function useProvider(
  at: string | Socket,
  docId: string,
  doc: Y.Doc,
  options: ProviderOptions = {},
): ProviderState {
  const shared = findProvider(doc, `${typeof at === "string" ? at : at.url}/${docId}`, () => {
    return new Provider(at, docId, doc, { ...options, connect: false })
  })
  const connects = options.connect !== false
  useEffect(() => {
    shared.users++
    if (connects) shared.provider.connect()
    return () => {
      shared.users--
      // Deferred, so that a component that mounts in the same commit takes the connection over.
      setTimeout(() => {
        if (shared.users === 0) shared.provider.disconnect()
      })
    }
  }, [shared, connects])
  return useSyncExternalStore(shared.subscribe, shared.state, shared.state)
}

function findProvider(doc: Y.Doc, address: string, make: () => Provider): Shared {
  const ofDoc = providers.get(doc) ?? new Map<string, Shared>()
  providers.set(doc, ofDoc)
  const shared = ofDoc.get(address) ?? share(make())
  ofDoc.set(address, shared)
  return shared
}

const EVENTS = ["status", "sync", "saved", "unsaved", "read-only", "refused", "conflict", "closed"] as const

function share(provider: Provider): Shared {
  let state = look(provider)
  return {
    provider,
    users: 0,
    subscribe(listener) {
      for (const event of EVENTS) provider.on(event, listener)
      return () => {
        for (const event of EVENTS) provider.off(event, listener)
      }
    },
    // React compares by identity: a new object only where something differs.
    state() {
      const now = look(provider)
      const keys = Object.keys(now) as (keyof ProviderState)[]
      if (keys.some((key) => now[key] !== state[key])) state = now
      return state
    },
  }
}

function look(provider: Provider): ProviderState {
  const { doc, status, synced, hasUnsavedChanges, readOnly, refused, closed } = provider
  return { provider, doc, status, synced, saved: !hasUnsavedChanges, readOnly, refused, closed }
}
