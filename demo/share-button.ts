/** A link to this page, to pass on: through the phone's own menu, the clipboard, or by hand. */
import { copyText } from "./clipboard.ts"
import { el, icon } from "./element.ts"
import { page } from "./page.ts"
import { isReadOnly } from "./rights.ts"

/** How long the button says that the link is copied, ms. */
const COPIED_SHOWS_MS = 2000

/** The button. @param say what a screen reader is to say now */
export function shareButton(say: (sentence: string) => void): HTMLElement {
  const label = el("span", {}, "Share")
  const field = el("input", { id: "link", type: "text", readonly: true })
  const panel = el(
    "div",
    { class: "panel by-hand", popover: "auto", role: "dialog", "aria-label": "The link to this page" },
    el("label", { for: "link" }, "This browser does not let a page copy. Here is the link:"),
    field,
  )
  document.body.append(panel)

  const share = async (): Promise<void> => {
    const url = linkToShare()
    if (await offerToApps(url)) return
    if (await copyText(url)) {
      label.replaceChildren("Copied")
      button.classList.add("done")
      say("The link is copied")
      setTimeout(() => {
        label.replaceChildren("Share")
        button.classList.remove("done")
      }, COPIED_SHOWS_MS)
      return
    }
    field.value = url
    panel.showPopover()
    field.select()
  }
  const button = el(
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
  return button
}

/**
 * Offer the link to the apps of a phone, by the phone's own menu.
 * @returns whether there is such a menu; also when the visitor chose nothing there
 */
async function offerToApps(url: string): Promise<boolean> {
  if (!matchMedia("(pointer: coarse)").matches || navigator.share === undefined) return false
  try {
    await navigator.share({ title: document.title, url })
    return true
  } catch (error) {
    // AbortError: the visitor closed the menu. Anything else: there is no menu, whatever the browser says.
    return error instanceof DOMException && error.name === "AbortError"
  }
}

/** The page's address. A token that can write is its owner's and stays here; one that only reads is what a read-only link is. */
function linkToShare(): string {
  const link = new URL(location.href)
  link.searchParams.delete("token")
  link.hash = isReadOnly() ? `token=${page.token}` : ""
  return link.href
}
