/** A button in the header that shows how the page is made: the source that matters, to read and to copy. */
import { el, find, icon } from "./element.ts"
import { page } from "./page.ts"
import { snippet } from "./snippet.ts"

/**
 * Put the button into the header, which is there already.
 * @param name the file, below demo/
 * @param source its text
 */
export function showSource(name: string, source: string): void {
  if (page.mini) return
  const panel = el(
    "div",
    {
      id: "source-panel",
      class: "panel source-panel",
      popover: "auto",
      role: "dialog",
      "aria-label": "Source",
    },
    el("h2", {}, `demo/${name}`),
  )
  // Not before somebody asks: a page's own words are not to be found twice on it.
  panel.addEventListener("beforetoggle", () => {
    if (panel.childElementCount === 1) panel.append(snippet(source.trim(), "Copy the source"))
  })
  document.body.append(panel)
  const button = (kind: string, words: string): HTMLButtonElement =>
    el(
      "button",
      { type: "button", class: kind, popovertarget: "source-panel", title: "How this page is made" },
      icon("M8.5 7L3.5 12l5 5", "M15.5 7l5 5-5 5"),
      el("span", {}, words),
    )
  find("bar").querySelector(".share")?.before(button("source", "Source"))
  // A phone's header has no room for it: it stands below the people.
  const people = find("people")
  const byPeople = button("by-people", "How this page is made")
  byPeople.addEventListener("click", () => people.hidePopover())
  people.append(byPeople)
}
