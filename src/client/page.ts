/**
 * Listening to a page that may be missing. React Native has a `window` without `addEventListener` and no `document`,
 * and a worker or Node has neither: so methods are looked for, not objects.
 */

/** Listens on the window, where there is one that can be listened to. @returns stops listening */
export function listenToWindow(type: string, listener: (event: Event) => void): () => void {
  return listen(globalThis.window, type, listener)
}

/** Listens on the document, where there is one. @returns stops listening */
export function listenToDocument(type: string, listener: (event: Event) => void): () => void {
  return listen(globalThis.document, type, listener)
}

/** Whether the page is known to be hidden: false where nobody knows. */
export function isPageHidden(): boolean {
  return globalThis.document?.visibilityState === "hidden"
}

function listen(
  target: Partial<EventTarget> | undefined,
  type: string,
  listener: (event: Event) => void,
): () => void {
  if (typeof target?.addEventListener !== "function") return () => {}
  target.addEventListener(type, listener)
  return () => target.removeEventListener?.(type, listener)
}
