/**
 * The header every page shares: where the visitor is, whether their work is saved (saved-line.ts), who else is here
 * (people-button.ts), and a link to pass on (share-button.ts). What a room refuses stands below (refusals.ts), on
 * miniatures too.
 */
import type { Provider } from "../src/client/provider.ts"
import { el, find } from "./element.ts"
import { keepInList } from "./known-documents.ts"
import { page } from "./page.ts"
import { listPeople } from "./people.ts"
import { peopleButton } from "./people-button.ts"
import { showRefusals } from "./refusals.ts"
import { watchRights } from "./rights.ts"
import { savedLine } from "./saved-line.ts"
import { shareButton } from "./share-button.ts"
import { differFrom, me, watchMe } from "./visitor.ts"

/**
 * Fill the page's `<header id="bar">` and keep it true.
 * @param options.title what kind of page this is
 * @param options.name what the document calls itself; default: nothing, and it goes by its id
 * @param options.introduces the editor of this page publishes the visitor (Lexical does, without a `user` around it)
 */
export function showHeader(
  provider: Provider,
  options: { title: string; name?: () => string; introduces?: boolean },
): void {
  document.title = `${page.docId} · ${options.title} · Yurt`
  const voice = el("p", { class: "unseen", role: "status", "aria-live": "polite" })
  const say = (sentence: string): void => voice.replaceChildren(sentence)
  document.body.append(voice)

  introduce(provider, options)
  showRefusals(provider)
  if (page.mini) return
  const badge = el("span", { class: "badge" }, "read only")
  watchRights(provider, (readOnly) => {
    badge.hidden = !readOnly || provider.closed !== null
  })
  find("bar").replaceChildren(
    el(
      "a",
      { class: "home", href: "./", "aria-label": "Yurt, all demos" },
      el("img", { src: "/icon.svg", alt: "", width: 24, height: 24 }),
    ),
    el(
      "div",
      { class: "where" },
      el(
        "h1",
        {},
        el("span", { class: "kind" }, options.title),
        " ",
        el("span", { class: "name", title: page.docId }, page.docId),
      ),
      badge,
    ),
    savedLine(provider, say),
    peopleButton(provider, say),
    shareButton(say),
  )
  keepInList(provider, { kind: options.title, name: options.name })
}

/** Tell the others who the visitor is, and go on telling it. */
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
  provider.once("sync", () => differFrom(listPeople(awareness).filter(({ isMe }) => !isMe)))
}
