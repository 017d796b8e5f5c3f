/** People: who is revoked, and what is known of one of them, everywhere, until it is erased. */
import { ask, askJson } from "./api.ts"
import { askText, say } from "./ask.ts"
import { ago, button, card, el, many, nothing, table } from "./dom.ts"
import type { View } from "./main.ts"

interface Traces {
  readonly document: string
  readonly seenAt: string
  readonly error?: string
  readonly connections?: number
  readonly clients?: number
  readonly commits?: number
  readonly versions?: number
  readonly waiting?: number
}

/** The view `#/people`. */
export const peopleView: View = async (main, signal) => {
  const input = el("input", {
    type: "text",
    placeholder: "The subject of their tokens",
    "aria-label": "Subject",
    required: true,
  })
  const found = el(
    "div",
    {},
    nothing("Where they have been, what stands there under their name, and a way to erase it."),
  )
  const revoked = el("div", {}, nothing("…"))
  main.append(
    el("h1", {}, "People"),
    card(
      "One person's traces",
      null,
      el(
        "form",
        {
          class: "inline",
          onsubmit: (event) => {
            event.preventDefault()
            void act(() => find(input.value.trim()))
          },
        },
        input,
        el("button", { type: "submit", class: "main" }, "Find"),
        button("Revoke", () => void act(() => revoke(input.value.trim())), { class: "danger" }),
      ),
      found,
    ),
    card("Revoked", null, revoked),
  )

  async function act(what: () => Promise<unknown>): Promise<void> {
    try {
      await what()
    } catch (thrown) {
      if (!signal.aborted) say(thrown instanceof Error ? thrown.message : "It failed.", "bad")
    }
  }

  async function find(subject: string): Promise<void> {
    if (subject === "") return
    const documents: Traces[] = []
    for (let cursor: string | null = null; ; ) {
      const query: string = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`
      const page = await askJson<{ documents: Traces[]; cursor: string | null }>(
        `/admin/subjects/${encodeURIComponent(subject)}${query}`,
        { signal },
      )
      documents.push(...page.documents)
      cursor = page.cursor
      if (cursor === null) break
    }
    found.replaceChildren(
      documents.length === 0
        ? nothing(`Nobody has reported ${subject}.`)
        : table(
            ["Document", "Seen", "Known there"],
            documents.map((one) => [
              el("a", { href: `#/doc/${encodeURIComponent(one.document)}`, class: "id" }, one.document),
              ago(one.seenAt),
              one.error ?? knownOf(one),
            ]),
          ),
      button("Erase this person", () => void act(() => erase(subject)), {
        class: "danger",
        hidden: documents.length === 0,
      }),
    )
  }

  async function erase(subject: string): Promise<void> {
    const typed = await askText({
      title: "Erase this person?",
      text: "In every room and in the audit another name takes the place of theirs. What they wrote stays. Revoke them first, or they are back with their next token.",
      act: "Erase",
      label: `Type ${subject} to go on`,
      must: subject,
      danger: true,
    })
    if (typed === null) return
    for (let turns = 0; ; turns++) {
      const { done, failed } = await askJson<{
        done: boolean
        failed: { document: string; message: string }[]
      }>(`/admin/subjects/${encodeURIComponent(subject)}`, { method: "DELETE" })
      if (done) break
      if (failed.length > 0 || turns > 1_000)
        return say(
          failed.map(({ document, message }) => `${document}: ${message}`).join("; ") || "It does not end.",
          "bad",
        )
    }
    say(`${subject} is erased.`)
    await find(subject)
  }

  async function revoke(subject: string): Promise<void> {
    if (subject === "") return
    await ask("/admin/revocations", { method: "POST", body: { subject } })
    say(`${subject} is revoked.`)
    await load()
  }

  async function load(): Promise<void> {
    try {
      const { revocations } = await askJson<{
        revocations: { subject?: string; tokenId?: string; revokedAtMs: number }[]
      }>("/admin/revocations?limit=200", { signal })
      revoked.replaceChildren(
        revocations.length === 0
          ? nothing("Nobody is revoked.")
          : table(
              ["Who", "Since", ""],
              revocations.map(({ subject, tokenId, revokedAtMs }) => [
                subject ?? `token ${tokenId}`,
                ago(new Date(revokedAtMs).toISOString()),
                button(
                  "Take back",
                  () =>
                    void act(async () => {
                      const whom = new URLSearchParams(
                        subject === undefined ? { tokenId: tokenId ?? "" } : { subject },
                      )
                      await ask(`/admin/revocations?${whom}`, { method: "DELETE" })
                      say("Taken back.")
                      await load()
                    }),
                ),
              ]),
            ),
      )
    } catch (thrown) {
      if (!signal.aborted)
        revoked.replaceChildren(nothing(thrown instanceof Error ? thrown.message : "It failed."))
    }
  }

  await load()
}

function knownOf({ connections = 0, clients = 0, commits = 0, versions = 0, waiting = 0 }: Traces): string {
  const parts = [
    connections > 0 && `connected ${connections} times`,
    clients > 0 && many(clients, "client id"),
    commits > 0 && many(commits, "commit"),
    versions > 0 && many(versions, "version"),
    waiting > 0 && `${waiting} wait`,
  ].filter(Boolean)
  return parts.length === 0 ? "nothing but that they were here" : parts.join(", ")
}
