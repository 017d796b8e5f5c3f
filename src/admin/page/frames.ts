/** The frames of a room as they pass: a stream that is read with the token in its header, which an EventSource cannot send. */
import { ask, Refused } from "./api.ts"
import { badge, button, bytes, card, clock, el, many, nothing } from "./dom.ts"

interface Frame {
  readonly at: number
  readonly way: "in" | "out" | "room"
  readonly type: string
  readonly subject: string | null
  readonly name: string | null
  readonly bytes: number
  readonly to: number
  readonly revision: number
}

/** Frames that stay on the page. */
const SHOWN = 200

/** A card that shows frames from when somebody presses its button until the page goes on. */
export function framesCard(address: string, signal: AbortSignal): HTMLElement {
  const list = el("ol", { class: "frames" })
  const state = badge("not watching")
  const empty = nothing("Nothing is asked of the room until you watch.")
  let stop: AbortController | null = null
  const toggle = button("Watch", () => {
    if (stop !== null) return stop.abort()
    stop = new AbortController()
    toggle.textContent = "Stop"
    empty.textContent = "Waiting for the first frame …"
    signal.addEventListener("abort", () => stop?.abort(), { once: true })
    const end = (text: string, kind: "plain" | "bad") => {
      stop = null
      toggle.textContent = "Watch"
      state.replaceWith(Object.assign(state, { textContent: text, className: `badge ${kind}` }))
    }
    follow(`${address}/-/watch`, stop.signal, {
      onOpen: () => Object.assign(state, { textContent: "live", className: "badge good" }),
      onFrames: (frames, skipped) => {
        empty.remove()
        list.prepend(...frames.map(rowOf).reverse())
        if (skipped > 0) list.prepend(el("li", { class: "more" }, `${skipped} more were not shown`))
        while (list.childElementCount > SHOWN) list.lastElementChild?.remove()
      },
    }).then(
      () => end("stopped", "plain"),
      (thrown: unknown) => end(thrown instanceof Refused ? thrown.message : "broken off", "bad"),
    )
  })
  return card("Frames", el("span", { class: "beside" }, state, toggle), empty, list)
}

function rowOf({ at, way, type, subject, name, bytes: size, to, revision }: Frame): HTMLElement {
  const who =
    way === "room" ? "the room" : (name ?? subject ?? (way === "out" ? many(to, "peer") : "somebody"))
  const sign = { in: "→", out: "←", room: "●" }[way]
  return el(
    "li",
    { class: way },
    el("time", {}, clock(at)),
    el("span", { class: "way", title: way }, sign),
    el("b", {}, type),
    el("span", { class: "who" }, who),
    el("span", { class: "size" }, size > 0 ? bytes(size) : ""),
    el("span", { class: "revision" }, `r${revision}`),
  )
}

/** Read a stream until it is stopped; one that ends by itself is opened again. @throws Refused */
async function follow(
  path: string,
  signal: AbortSignal,
  on: { onOpen: () => void; onFrames: (frames: Frame[], skipped: number) => void },
): Promise<void> {
  while (!signal.aborted) {
    const response = await ask(path, { accept: "text/event-stream", signal })
    on.onOpen()
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let held = ""
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        held += value
        const events = held.split("\n\n")
        held = events.pop() ?? ""
        for (const event of events) {
          if (!/^event: frames$/m.test(event)) continue
          const data = /^data: (.*)$/m.exec(event)?.[1] ?? "{}"
          const { frames, skipped } = JSON.parse(data) as { frames: Frame[]; skipped: number }
          on.onFrames(frames, skipped)
        }
      }
    } catch (thrown) {
      if (signal.aborted) return
      throw thrown
    }
  }
}
