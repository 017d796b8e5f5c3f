/**
 * The header every page shares: where one is, whether one's work is saved, who else is here, and a link to pass
 * on. Also the sign of a miniature that cannot connect.
 */
import type { Provider } from "../src/client/provider.ts"
import { el, find, icon } from "./element.ts"
import {
  avoidColors,
  COLORS,
  isReadOnly,
  me,
  page,
  rename,
  requestHeaders,
  requestUrl,
  watchMe,
  watchRights,
} from "./page.ts"
import { listPeople, type Person } from "./people.ts"

/** What the state line can say; one at a time. */
type State = "connecting" | "saved" | "saving" | "offline" | "refused" | "stopped"

const STATES: Record<State, { label: string; says: string; paths: string[] }> = {
  connecting: { label: "Connecting", says: "Connecting to the room", paths: ["M12 4a8 8 0 1 1-8 8"] },
  saved: { label: "Saved", says: "Everything is saved on the server", paths: ["M5 12.5l4.5 4.5L19 7.5"] },
  saving: { label: "Saving", says: "Saving", paths: ["M12 19V6", "M6.5 11.5L12 6l5.5 5.5"] },
  offline: {
    label: "Offline",
    says: "Offline: your changes are kept in this browser and sent when you are back",
    paths: [
      "M4 4l16 16",
      "M7 18h9.5M18.6 15.5A4 4 0 0 0 17 10a5.5 5.5 0 0 0-8.3-3",
      "M6.3 10A4 4 0 0 0 7 18",
    ],
  },
  refused: { label: "Not saved", says: "The room refused a change", paths: ["M12 5v9M12 18.5v.5"] },
  stopped: { label: "Stopped", says: "The room closed the connection", paths: ["M6 6l12 12M18 6L6 18"] },
}

/** A change that is saved faster than this is not worth a flicker, ms. */
const SAVING_SHOWS_AFTER_MS = 300
/** One who reconnects within this time has not left, ms. */
const LEAVING_SHOWS_AFTER_MS = 2000

/**
 * Fill the page's `<header id="bar">` and keep it true.
 * @param options.title what kind of page this is
 * @param options.introduces the editor of this page publishes the visitor (Lexical does, without a `user` around it)
 */
export function showHeader(provider: Provider, options: { title: string; introduces?: boolean }): void {
  document.title = `${page.docId} · ${options.title} · Yurt`
  const voice = el("p", { class: "unseen", role: "status", "aria-live": "polite" })
  const say = (sentence: string): void => voice.replaceChildren(sentence)
  document.body.append(voice)

  introduce(provider, options)
  showRefusals(provider)
  if (page.mini) return
  const badge = el("span", { class: "badge" }, "read only")
  watchRights(provider, (readOnly) => {
    badge.hidden = !readOnly
  })
  find("bar").replaceChildren(
    el(
      "a",
      { class: "home", href: "./", "aria-label": "Yurt, all demos" },
      el("img", { src: "/icon.svg", alt: "", width: 24, height: 24 }),
    ),
    el(
      "p",
      { class: "where" },
      el("span", { class: "kind" }, options.title),
      el("span", { class: "name", title: page.docId }, page.docId),
      badge,
    ),
    stateLine(provider, say),
    peopleButton(provider, say),
    shareButton(say),
  )
}

function introduce(provider: Provider, { introduces }: { introduces?: boolean }): void {
  const { awareness } = provider
  const publish = (): void => {
    const { name, color, country } = me()
    if (!introduces) awareness.setLocalStateField("user", { name, color, colorLight: `${color}33`, country })
    else awareness.setLocalState({ ...awareness.getLocalState(), name, color, awarenessData: { country } })
  }
  // Lexical writes its own first, just before it connects.
  if (introduces) provider.on("status", publish)
  else publish()
  watchMe(publish)
  provider.once("sync", () => {
    const others = listPeople(awareness).filter(({ isMe }) => !isMe)
    avoidColors(new Set(others.map(({ color }) => color)))
  })
}

// ---- is it saved?

function stateLine(provider: Provider, say: (sentence: string) => void): HTMLElement {
  const line = el("p", { class: "state" })
  let shown: State | undefined
  let soon: ReturnType<typeof setTimeout> | undefined

  const show = (state: State): void => {
    if (state === shown) return
    const { label, says, paths } = STATES[state]
    line.dataset.state = state
    line.title = says
    line.replaceChildren(icon(...paths), el("span", {}, label))
    const worthSaying =
      state === "offline" || state === "refused" || state === "stopped" || shown === "offline"
    if (worthSaying) say(says)
    shown = state
  }
  const update = (): void => {
    const state = stateOf(provider)
    clearTimeout(soon)
    if (state !== "saving" || shown === undefined) show(state)
    else soon = setTimeout(() => show(stateOf(provider)), SAVING_SHOWS_AFTER_MS)
  }
  let stopped = false
  function stateOf({ status, synced, refused, hasUnsavedChanges }: Provider): State {
    if (stopped) return "stopped"
    if (!navigator.onLine) return "offline"
    if (status !== "connected") return wasConnected ? "offline" : "connecting"
    if (!synced) return "connecting"
    if (refused !== null) return "refused"
    return hasUnsavedChanges ? "saving" : "saved"
  }
  let wasConnected = false
  provider.on("sync", (synced) => {
    wasConnected ||= synced
    update()
  })
  provider.on("connection-error", () => {
    wasConnected = true
    update()
  })
  provider.on("closed", () => {
    stopped = true
    update()
  })
  provider.on("status", update)
  provider.on("refused", update)
  provider.on("saved", update)
  provider.on("unsaved", update)
  addEventListener("online", update)
  addEventListener("offline", update)
  update()
  return line
}

// ---- what the server refuses

function showRefusals(provider: Provider): void {
  const banner = el("p", { class: "banner", role: "alert", hidden: true })
  document.body.append(banner)
  const show = (sentence: string): void => {
    banner.replaceChildren(sentence)
    banner.hidden = false
  }
  provider.on("closed", ({ code, reason }) => {
    show(
      reason
        ? `The room is closed to this page: ${reason}`
        : `The room is closed to this page (code ${code}).`,
    )
  })
  provider.on("refused", ({ reason }) => show(`Not taken: ${reason}`))
  provider.on("sync", (synced) => {
    if (synced) banner.hidden = true
  })
  provider.on("connection-error", async () => {
    const reason = await askWhy(provider)
    if (reason !== undefined && !provider.synced) show(`The server says: ${reason}`)
  })
}

/**
 * Why the room is not to be had. A browser tells a page nothing about a WebSocket that was refused at the door, so
 * the same door is tried as a plain request.
 * @returns undefined when it is the network that is missing
 */
async function askWhy(provider: Provider): Promise<string | undefined> {
  const party = new URL(provider.name).pathname.slice(0, -page.docId.length - 1)
  try {
    const answer = await fetch(requestUrl(party), { method: "GET", headers: requestHeaders() })
    if (![401, 403, 503].includes(answer.status)) return undefined
    return ((await answer.json()) as { message: string }).message
  } catch {
    return undefined
  }
}

// ---- who is here?

function peopleButton(provider: Provider, say: (sentence: string) => void): HTMLElement {
  const faces = el("span", { class: "faces", "aria-hidden": "true" })
  const count = el("span", { class: "unseen" })
  const names = el("ul", { class: "names", "aria-label": "Who is here" })
  const panel = el(
    "div",
    { id: "people", class: "panel", popover: "auto", role: "dialog", "aria-label": "Who is here" },
    meForm(),
    names,
  )
  document.body.append(panel)

  let known = new Map<number, Person>()
  let news: ReturnType<typeof setTimeout> | undefined
  let told = new Map<string, number>()

  const update = (): void => {
    const people = listPeople(provider.awareness)
    const others = people.filter(({ isMe }) => !isMe)
    faces.replaceChildren(
      ...people.slice(0, 4).map(face),
      people.length > 4 ? el("span", { class: "face more" }, `+${people.length - 4}`) : "",
    )
    count.replaceChildren(
      `Who is here: ${people.length === 1 ? "only you" : `you and ${others.length} more`}`,
    )
    names.replaceChildren(
      ...others.map((person) => el("li", {}, face(person), person.name, place(person))),
      others.length === 0 ? el("li", { class: "alone" }, "Nobody else yet. Pass the link on.") : "",
    )
    known = new Map(others.map((person) => [person.clientId, person]))
    clearTimeout(news)
    news = setTimeout(tell, LEAVING_SHOWS_AFTER_MS)
  }
  const tell = (): void => {
    const now = new Map<string, number>()
    for (const { name } of known.values()) now.set(name, (now.get(name) ?? 0) + 1)
    const came = [...now].filter(([name, number]) => number > (told.get(name) ?? 0)).map(([name]) => name)
    const went = [...told].filter(([name, number]) => number > (now.get(name) ?? 0)).map(([name]) => name)
    told = now
    const sentences = [
      came.length > 0 && `${came.join(", ")} joined.`,
      went.length > 0 && `${went.join(", ")} left.`,
    ]
    if (sentences.some(Boolean)) say(sentences.filter(Boolean).join(" "))
  }
  provider.awareness.on("change", update)
  update()
  return el("button", { type: "button", class: "people", popovertarget: "people" }, faces, count)
}

function face({ name, color, country }: Person): HTMLElement {
  const letters = name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
  const circle = el("span", { class: "face", title: name }, letters.join("").toUpperCase() || "?")
  circle.style.background = color
  if (country !== null) circle.append(el("span", { class: "flag" }, flag(country)))
  return circle
}

function place({ country }: Person): HTMLElement | string {
  if (country === null) return ""
  const where = new Intl.DisplayNames(["en"], { type: "region" }).of(country) ?? country
  return el("span", { class: "place" }, `${flag(country)} ${where}`)
}

/** "DE" → 🇩🇪, two regional indicator letters; plain letters where the system's fonts have no flags. */
function flag(country: string): string {
  return hasFlags() ? indicators(country) : country
}

function indicators(country: string): string {
  return String.fromCodePoint(...[...country].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 65))
}

/** Where there are flags, two indicators are one glyph. */
function hasFlags(): boolean {
  const context = el("canvas").getContext("2d")
  const width = (text: string): number => context?.measureText(text).width ?? 0
  return width(indicators("DE")) < 1.5 * width(indicators("D"))
}

function meForm(): HTMLElement {
  const choose = ([color, label]: (typeof COLORS)[number]): HTMLElement => {
    const radio = el("input", { type: "radio", name: "color", value: color, "aria-label": label })
    radio.checked = color === me().color
    radio.style.background = color
    radio.addEventListener("change", () => rename({ color }))
    watchMe((now) => {
      radio.checked = color === now.color
    })
    return radio
  }
  const name = el("input", {
    id: "my-name",
    type: "text",
    maxlength: 40,
    autocomplete: "nickname",
    value: me().name,
  })
  name.addEventListener("input", () => {
    if (name.value.trim() !== "") rename({ name: name.value.trim() })
  })
  return el(
    "form",
    { class: "me", onsubmit: (event) => event.preventDefault() },
    el("label", { for: "my-name" }, "Your name"),
    name,
    el(
      "fieldset",
      { class: "swatches" },
      el("legend", { class: "unseen" }, "Your colour"),
      ...COLORS.map(choose),
    ),
  )
}

// ---- pass it on

function shareButton(say: (sentence: string) => void): HTMLElement {
  const label = el("span", {}, "Share")
  const share = async (): Promise<void> => {
    await navigator.clipboard.writeText(linkToShare())
    label.replaceChildren("Copied")
    say("The link is copied")
    setTimeout(() => label.replaceChildren("Share"), 2000)
  }
  return el(
    "button",
    {
      type: "button",
      class: "share primary",
      title: "Copy the link to this page",
      onclick: () => void share(),
    },
    icon(
      "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2",
      "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2",
    ),
    label,
  )
}

/** The page's address. A token that can write is its owner's and stays here; one that only reads is what a read-only link is. */
function linkToShare(): string {
  const link = new URL(location.href)
  link.searchParams.delete("token")
  link.hash = isReadOnly() ? `token=${page.token}` : ""
  return link.href
}
