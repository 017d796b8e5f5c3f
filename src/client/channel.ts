/**
 * A BroadcastChannel by name that also reaches subscribers in the same page, synchronously. lib0 has one too, which is not
 * used: it brings a substitute for BroadcastChannel that needs globals React Native lacks, and adds 1 KB to every page.
 */

/** Hears a message. @param origin who has sent it in this page; null from another */
type Listener = (message: Uint8Array, origin: unknown) => void

interface Channel {
  readonly broadcast: BroadcastChannel
  readonly listeners: Set<Listener>
}

const channels = new Map<string, Channel>()

/** Whether this browser lets its tabs talk to each other. */
export function hasChannels(): boolean {
  return typeof globalThis.BroadcastChannel === "function"
}

/** Subscribe to a channel. */
export function subscribe(name: string, listener: Listener): void {
  const known = channels.get(name)
  if (known !== undefined) {
    known.listeners.add(listener)
    return
  }
  const broadcast = new BroadcastChannel(name)
  const listeners = new Set([listener])
  channels.set(name, { broadcast, listeners })
  broadcast.onmessage = ({ data }) => {
    for (const each of [...listeners]) each(new Uint8Array(data), null)
  }
}

/** Send to all who subscribed, in this page and in others; to the sender's own listener as well. */
export function publish(name: string, message: Uint8Array, origin: unknown): void {
  const channel = channels.get(name)
  channel?.broadcast.postMessage(message)
  for (const listener of [...(channel?.listeners ?? [])]) listener(message, origin)
}

/** Unsubscribe from a channel. */
export function unsubscribe(name: string, listener: Listener): void {
  const channel = channels.get(name)
  if (channel === undefined || !channel.listeners.delete(listener) || channel.listeners.size > 0) return
  channel.broadcast.close()
  channels.delete(name)
}
