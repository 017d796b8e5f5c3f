/** Keep the pages in this browser, so that they open without a network after the first visit. */

/** Register the service worker (sw.js). The dev server has none: a kept page would hide what was just changed. */
export function keepOffline(): void {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return
  void navigator.serviceWorker.register("/sw.js")
}
