/** The faces of those who are here, and the panel behind them: their names, and the visitor's own name and colour. */
import type { Provider } from "../src/client/provider.ts"
import { el } from "./element.ts"
import { listPeople, type Person } from "./people.ts"
import { COLORS, me, rename, watchMe } from "./visitor.ts"

/** Someone who reconnects within this time has not left, ms. */
const LEAVING_SHOWS_AFTER_MS = 2000
/** How many faces the header has room for; a number stands for the rest. */
const FACES = { wide: 4, narrow: 2 } as const

/** As in style.css, where the header becomes narrow. */
const narrowScreen = matchMedia("(max-width: 40rem)")

/** The button, kept true; its panel is put on the page. @param say what a screen reader is to say now */
export function peopleButton(provider: Provider, say: (sentence: string) => void): HTMLElement {
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

  const news = announceTo(say)
  let shown = ""
  const update = (): void => {
    const people = listPeople(provider.awareness)
    const others = people.filter(({ isMe }) => !isMe)
    const room = narrowScreen.matches ? FACES.narrow : FACES.wide
    // Presence changes with every move of a pointer. A face that is made anew under a finger takes the click with it.
    const next = JSON.stringify([room, people])
    if (next === shown) return
    shown = next
    faces.replaceChildren(
      ...people.slice(0, room).map(face),
      people.length > room ? el("span", { class: "face more" }, `+${people.length - room}`) : "",
    )
    count.replaceChildren(
      `Who is here: ${people.length === 1 ? "only you" : `you and ${others.length} more`}`,
    )
    names.replaceChildren(
      ...others.map((person) => el("li", {}, face(person), person.name, country(person))),
      others.length === 0 ? el("li", { class: "alone" }, "Nobody else yet. Pass the link on.") : "",
    )
    news(others.map(({ name }) => name))
  }
  provider.awareness.on("change", update)
  narrowScreen.addEventListener("change", update)
  update()
  return el("button", { type: "button", class: "people", popovertarget: "people" }, faces, count)
}

/** Says who came and who left, once the names have been the same for a while. */
function announceTo(say: (sentence: string) => void): (names: readonly string[]) => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let told = new Map<string, number>()
  const tell = (names: readonly string[]): void => {
    const now = new Map<string, number>()
    for (const name of names) now.set(name, (now.get(name) ?? 0) + 1)
    const came = [...now].filter(([name, number]) => number > (told.get(name) ?? 0)).map(([name]) => name)
    const went = [...told].filter(([name, number]) => number > (now.get(name) ?? 0)).map(([name]) => name)
    told = now
    const sentences = [
      came.length > 0 && `${came.join(", ")} joined.`,
      went.length > 0 && `${went.join(", ")} left.`,
    ]
    if (sentences.some(Boolean)) say(sentences.filter(Boolean).join(" "))
  }
  return (names) => {
    clearTimeout(timer)
    timer = setTimeout(() => tell(names), LEAVING_SHOWS_AFTER_MS)
  }
}

function face({ name, color, country }: Person): HTMLElement {
  const letters = name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
  const circle = el("span", { class: "face", title: name }, letters.join("").toUpperCase() || "?")
  circle.style.background = color
  if (country !== null && hasFlags()) circle.append(el("span", { class: "flag" }, flag(country)))
  return circle
}

function country({ country }: Person): HTMLElement | string {
  if (country === null) return ""
  const name = new Intl.DisplayNames(["en"], { type: "region" }).of(country) ?? country
  return el("span", { class: "country" }, hasFlags() ? `${flag(country)} ${name}` : name)
}

/** "DE" → 🇩🇪, two regional indicator letters. */
function flag(country: string): string {
  return String.fromCodePoint(...[...country].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 65))
}

/** Whether the system's fonts have flags (those of Windows have none): then two indicators are one glyph. */
function hasFlags(): boolean {
  const context = el("canvas").getContext("2d")
  const width = (text: string): number => context?.measureText(text).width ?? 0
  return width(flag("DE")) < 1.5 * width(flag("D"))
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
  watchMe((now) => {
    if (document.activeElement !== name) name.value = now.name
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
