/**
 * The operator's page: who may see it, and which view the address asks for.
 *
 *     #/            documents          #/doc/{id}   one room          #/people     somebody's traces, and revocations
 *     #/costs       a day's costs      #/audit      who did what      #/metrics    what is counted
 *
 * Everything that it shows came from others, so all of it is text: there is no innerHTML, and the page's policy allows no
 * script but its own.
 */
import { ask, keepToken, Refused, token } from "./api.ts"
import { auditView } from "./audit.ts"
import { costsView } from "./costs.ts"
import { documentsView } from "./documents.ts"
import { button, el } from "./dom.ts"
import { metricsView } from "./metrics.ts"
import { peopleView } from "./people.ts"
import { roomView } from "./room.ts"

/** A view: fills the page, and goes on until it is left. */
export type View = (main: HTMLElement, signal: AbortSignal, rest: string) => Promise<void>

const VIEWS: readonly (readonly [path: string, name: string, view: View])[] = [
  ["", "Documents", documentsView],
  ["people", "People", peopleView],
  ["costs", "Costs", costsView],
  ["audit", "Audit", auditView],
  ["metrics", "Metrics", metricsView],
]

let left = new AbortController()

function show(): void {
  left.abort()
  left = new AbortController()
  const { signal } = left
  const [, path = "", rest = ""] = /^#\/([a-z]*)\/?(.*)$/s.exec(location.hash) ?? []
  const view = path === "doc" ? roomView : (VIEWS.find(([own]) => own === path)?.[2] ?? documentsView)
  const main = el("main", {})
  const nav = el(
    "nav",
    { "aria-label": "Views" },
    ...VIEWS.map(([own, name]) =>
      el(
        "a",
        { href: `#/${own}`, "aria-current": own === path || (own === "" && path === "doc") ? "page" : false },
        name,
      ),
    ),
  )
  const out = button("Sign out", signOut, { class: "quiet", hidden: token() === null })
  document.body.replaceChildren(
    el(
      "header",
      { class: "bar" },
      el("a", { href: "#/", class: "brand" }, "Yurt", el("small", {}, "admin")),
      nav,
      out,
    ),
    main,
  )
  view(main, signal, decodeURIComponent(rest)).catch((thrown: unknown) => {
    if (signal.aborted) return
    if (thrown instanceof Refused && thrown.status === 401) return signIn(thrown.message)
    main.append(
      el("p", { class: "failed", role: "alert" }, thrown instanceof Error ? thrown.message : "It failed."),
    )
  })
}

function signOut(): void {
  keepToken(null)
  location.hash = "#/"
  void start()
}

/** The token is typed or pasted here, and is in no address. */
function signIn(reason: string | null): void {
  left.abort()
  const input = el("textarea", {
    rows: 4,
    required: true,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    placeholder: "eyJ…",
  })
  const form = el(
    "form",
    {
      class: "sign-in card",
      onsubmit: (event) => {
        event.preventDefault()
        keepToken(input.value.trim().replace(/^Bearer\s+/i, ""))
        void start()
      },
    },
    el("h1", {}, "Yurt", el("small", {}, "admin")),
    el("label", {}, "A token with the right “admin”", input),
    reason !== null && el("p", { class: "failed", role: "alert" }, reason),
    el("button", { type: "submit", class: "main" }, "Sign in"),
    el(
      "p",
      { class: "hint" },
      "To see what documents hold it also has to name them: ",
      el("code", {}, 'docs: [{ id: "*", rights: "read" }]'),
      ". It stays in this tab, and goes when the tab is closed.",
    ),
    el("p", { class: "hint" }, el("code", {}, "npx yurt token --sub ops --admin --doc '*' --rights read")),
  )
  document.body.replaceChildren(form)
  input.focus()
}

/** In open mode on localhost there is no token; elsewhere the server says what is wrong with the one there is. */
async function start(): Promise<void> {
  try {
    await ask("/admin/documents?limit=1&only=reported")
    show()
  } catch (thrown) {
    if (thrown instanceof Refused && thrown.status !== 401 && thrown.status !== 403) return show()
    signIn(token() === null ? null : thrown instanceof Error ? thrown.message : "It failed.")
  }
}

addEventListener("hashchange", () => {
  if (document.querySelector(".sign-in") === null) show()
})
void start()
