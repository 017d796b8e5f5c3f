/**
 * The service worker: every file of the build is kept at the first visit, so that all pages open without a
 * network. `FILES` (the build's files) and `BUILD` (a name that changes with them) are written in front by
 * vite.config.ts. Documents are not its business: the provider keeps those.
 */
/* global FILES, BUILD */
const cacheName = `yurt-${BUILD}`

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()))
})

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOlder().then(() => self.clients.claim()))
})

self.addEventListener("fetch", (event) => {
  const { method, url, mode } = event.request
  const { origin, pathname } = new URL(url)
  if (method !== "GET" || origin !== location.origin) return
  // A page comes from the network while there is one, so that a new build is seen at once; its files never change.
  if (mode === "navigate") event.respondWith(fetch(event.request).catch(() => kept(pathname)))
  else if (FILES.includes(pathname))
    event.respondWith(kept(pathname).then((found) => (found.type === "error" ? fetch(event.request) : found)))
})

async function keep() {
  const cache = await caches.open(cacheName)
  await Promise.all(
    FILES.map(async (path) => {
      const response = await fetch(path, { cache: "no-cache" })
      if (!response.ok) throw new Error(`${path} answered ${response.status}`)
      // The server may redirect /text.html to /text, and a navigation refuses an answer that says so: keep a plain one.
      await cache.put(path, new Response(response.body, { headers: response.headers }))
    }),
  )
}

async function forgetOlder() {
  for (const name of await caches.keys()) if (name !== cacheName) await caches.delete(name)
}

/** The kept file of a path: `/`, `/text` and `/text.html` are pages. */
async function kept(pathname) {
  const cache = await caches.open(cacheName)
  const names = [pathname, `${pathname}.html`, `${pathname}index.html`]
  for (const name of names) {
    const response = await cache.match(name)
    if (response !== undefined) return response
  }
  return Response.error()
}
