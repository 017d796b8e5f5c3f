/** One room, live: its people, its frames, its document, its past, what waits, what is damaged, and an operator's hands. */
import type { Entry, Look } from "./answers.ts"
import { addressOf, ask, askJson, download, Refused } from "./api.ts"
import { askSure, askText, say } from "./ask.ts"
import { ago, badge, button, bytes, card, count, el, figure, many, nothing, table } from "./dom.ts"
import { framesCard } from "./frames.ts"
import type { View } from "./main.ts"
import { tree } from "./tree.ts"

/** How often the room is looked at, ms. */
const LOOK_MS = 3_000

interface Version {
  readonly id: string
  readonly revision: number
  readonly at: string
  readonly name: string | null
  readonly trigger: string
  readonly by: readonly { subject: string | null; name?: string; via: string }[]
}

/** The view `#/doc/{id}`. */
export const roomView: View = async (main, signal, name) => {
  const address = addressOf(name)
  const badges = el("span", { class: "badges" })
  const figures = el("dl", { class: "figures" })
  const people = el("div", {})
  const waiting = el("div", {})
  const quarantine = el("div", {})
  const lock = button("Make read-only", () => void act(setReadOnly))
  let look: Look | null = null
  /** Whether it is being deleted: then it is not looked at any more. */
  let isLeaving = false
  /** The look that was begun last. */
  let looking = Promise.resolve()
  const hands = el(
    "div",
    { class: "hands" },
    lock,
    button("Close all", () => void act(closeAll)),
    button("Flush again", () => void act(flush)),
    button("Compact", () => void act(compact)),
    button("Check and recover", () => void act(recover)),
    button("Copy", () => void act(copy)),
    button("Export", () => void act(exportIt)),
    button("Delete", () => void act(remove), { class: "danger" }),
  )
  const failed = el("p", { class: "failed", role: "alert", hidden: true })
  main.append(
    el("p", { class: "crumbs" }, el("a", { href: "#/" }, "Documents")),
    el("h1", { class: "id" }, name, badges),
    failed,
    figures,
    hands,
    el(
      "div",
      { class: "columns" },
      el("div", {}, card("People", null, people), await documentCard(), versionsCard()),
      el(
        "div",
        {},
        framesCard(address, signal),
        card("What waits", null, waiting),
        card("Quarantine", null, quarantine),
        auditCard(),
      ),
    ),
  )

  function refresh(): Promise<void> {
    if (!isLeaving) looking = lookOnce()
    return looking
  }

  async function lookOnce(): Promise<void> {
    try {
      look = await askJson<Look>(`${address}/-/desk`, { signal })
    } catch (thrown) {
      if (signal.aborted) return
      failed.textContent = thrown instanceof Error ? thrown.message : "It failed."
      failed.hidden = false
      return
    }
    failed.hidden = true
    show(look)
  }

  function show(look: Look): void {
    const lag = look.revision - (look.archivedRevision ?? 0)
    badges.replaceChildren(
      ...(look.damaged ? [badge("damaged", "bad")] : []),
      ...(look.archiveError !== null ? [badge("archive fails", "bad")] : []),
      ...(look.readOnly ? [badge("read-only", "warn")] : []),
      ...(!look.damaged && look.archiveError === null ? [badge("well", "good")] : []),
    )
    lock.textContent = look.readOnly ? "Allow changes" : "Make read-only"
    figures.replaceChildren(
      figure(
        "Connected",
        count(look.people.length),
        note([
          [look.knocking, "knock"],
          [look.following, "follow over HTTP"],
        ]),
      ),
      figure("Revision", count(look.revision), `${many(look.logRows, "row")} of log`),
      figure(
        "Archive lacks",
        look.archivedRevision === null ? "all" : count(lag),
        look.archiveError ?? (look.archiveDueAt === null ? null : "due soon"),
        look.archiveError === null ? "" : "bad",
      ),
      figure("Size", bytes(look.bytes), `${bytes(look.weight)} in memory${look.hydrated ? ", loaded" : ""}`),
      figure("Client ids", count(look.clients)),
      figure("Past", bytes(look.past.bytes), many(look.past.versions, "version")),
    )
    people.replaceChildren(
      look.people.length === 0
        ? nothing("Nobody is connected.")
        : table(["Who", "May", "Speaks", "Heard", ""], look.people.map(personRow)),
    )
    waiting.replaceChildren(
      look.waiting.length === 0
        ? nothing("Nothing waits for something that has not arrived.")
        : table(
            ["Whose", "Bytes", "Lacks"],
            look.waiting.map(({ subject, bytes: size, missing }) => [
              subject ?? "nobody's name",
              bytes(size),
              pairs(missing)
                .map(([client, clock]) => `client ${client} from ${clock}`)
                .join(", "),
            ]),
          ),
    )
    quarantine.replaceChildren(
      look.quarantine.length === 0
        ? nothing("Everything stored could be read.")
        : table(
            ["What", "Why", "When", ""],
            look.quarantine.map(({ id, source, revision, at, reason, bytes: size }) => [
              `${source} r${revision}, ${bytes(size)}`,
              reason,
              ago(at),
              button(
                "Bytes",
                () =>
                  void act(() => download(`${address}/-/quarantine?value=${id}`, `quarantined-${id}.bin`)),
              ),
            ]),
          ),
    )
  }

  function personRow(person: Look["people"][number]) {
    const {
      id,
      subject,
      name,
      agent,
      rights,
      roots,
      standing,
      dialect,
      client,
      heardAt,
      owes,
      admin,
      tokenId,
    } = person
    const known = name ?? subject ?? "somebody without a token"
    return [
      el(
        "span",
        { title: `client ${client ?? "unknown"}` },
        known,
        subject !== null && name !== null && el("small", {}, subject),
        agent !== null && el("small", {}, `agent ${agent}`),
      ),
      el(
        "span",
        { class: "badges" },
        badge(rights, rights === "write" ? "good" : "plain"),
        roots !== null && badge(roots.join(", ")),
        admin && badge("admin", "warn"),
        standing !== "in" && badge(standing, "bad"),
        owes && badge("refused something", "warn"),
      ),
      dialect,
      ago(heardAt),
      el(
        "span",
        { class: "acts" },
        button("Close", () => void act(() => closeOne(id))),
        subject !== null &&
          button("Revoke", () => void act(() => revoke({ subject }, known)), { class: "danger" }),
        tokenId !== null &&
          button("Revoke token", () => void act(() => revoke({ tokenId }, `${known}'s token`)), {
            class: "danger",
          }),
      ),
    ]
  }

  async function documentCard(): Promise<HTMLElement> {
    const box = el("div", {}, nothing("Reads the whole document."))
    const show = button("Show", () => {
      void act(async () => {
        box.replaceChildren(nothing("…"))
        try {
          box.replaceChildren(tree(await askJson(`${address}?format=json`, { signal })))
        } catch (thrown) {
          box.replaceChildren(nothing(thrown instanceof Refused ? thrown.message : "It failed."))
        }
        show.textContent = "Show again"
      })
    })
    return card("Document", show, box)
  }

  function versionsCard(): HTMLElement {
    const box = el("div", {}, nothing("Versions of the document."))
    const load = async () => {
      try {
        const { versions } = await askJson<{ versions: Version[] }>(`${address}/-/versions?limit=50`, {
          signal,
        })
        box.replaceChildren(
          versions.length === 0
            ? nothing("There is no version yet.")
            : table(["Version", "By", "When", ""], versions.map(versionRow)),
        )
      } catch (thrown) {
        box.replaceChildren(nothing(thrown instanceof Refused ? thrown.message : "It failed."))
      }
    }
    const versionRow = ({ id, revision, at, name: title, trigger, by }: Version) => [
      el("span", {}, title ?? `r${revision}`, el("small", {}, trigger)),
      by.map((who) => who.name ?? who.subject ?? who.via).join(", ") || "–",
      ago(at),
      el(
        "span",
        { class: "acts" },
        button(
          "Restore",
          () =>
            void act(async () => {
              const sure = await askSure({
                title: `Restore revision ${revision}?`,
                text: "It is a change like any other: seen live, and a version of the present is made first.",
                act: "Restore",
              })
              if (!sure) return
              await ask(`${address}/-/versions/${encodeURIComponent(id)}/restore`, {
                method: "POST",
                body: {},
              })
              say("Restored.")
              await load()
            }),
        ),
        button(
          "Export",
          () =>
            void act(() =>
              download(
                `${address}?format=json&at=${encodeURIComponent(id)}`,
                `${fileName(name)}-r${revision}.json`,
              ),
            ),
        ),
      ),
    ]
    return card(
      "History",
      button("Show", () => void load()),
      box,
    )
  }

  function auditCard(): HTMLElement {
    const box = el("div", {}, nothing("Who read, exported, restored, operated."))
    const load = async () => {
      try {
        const { entries } = await askJson<{ entries: Entry[] }>(
          `/admin/audit?limit=50&document=${encodeURIComponent(name)}`,
          { signal },
        )
        box.replaceChildren(
          entries.length === 0
            ? nothing("Nothing yet. Rooms report once a minute.")
            : table(
                ["Who", "Did", "When"],
                entries.map(({ subject, deed, detail, agent, at }) => [
                  subject ?? "somebody without a token",
                  [deed, detail, agent].filter(Boolean).join(" · "),
                  ago(at),
                ]),
              ),
        )
      } catch (thrown) {
        box.replaceChildren(nothing(thrown instanceof Refused ? thrown.message : "It failed."))
      }
    }
    return card(
      "Audit",
      button("Show", () => void load()),
      box,
    )
  }

  // ---- hands

  async function act(what: () => Promise<unknown>): Promise<void> {
    try {
      await what()
    } catch (thrown) {
      say(thrown instanceof Error ? thrown.message : "It failed.", "bad")
    }
    if (!signal.aborted) await refresh()
  }

  async function setReadOnly(): Promise<void> {
    const on = look?.readOnly !== true
    const { closed } = await askJson<{ closed: number }>(`${address}/-/read-only`, {
      method: on ? "PUT" : "DELETE",
    })
    say(
      `${on ? "Read-only" : "Open to changes"} now. ${many(closed, "socket")} closed; their clients come back.`,
    )
  }

  async function closeAll(): Promise<void> {
    const { closed } = await askJson<{ closed: number }>(`${address}/-/close`, { method: "POST" })
    say(`${many(closed, "socket")} closed. Clients come back; whom to keep out, revoke.`)
  }

  async function closeOne(peer: string): Promise<void> {
    await ask(`${address}/-/close?peer=${encodeURIComponent(peer)}`, { method: "POST" })
    say("Closed. The client comes back, unless it is revoked.")
  }

  async function revoke(whom: { subject: string } | { tokenId: string }, known: string): Promise<void> {
    const sure = await askSure({
      title: `Revoke ${known}?`,
      text: "Everywhere on this server, until it is taken back under People. Open sockets are closed.",
      act: "Revoke",
      danger: true,
    })
    if (!sure) return
    await ask("/admin/revocations", { method: "POST", body: whom })
    say(`${known} is revoked.`)
  }

  async function flush(): Promise<void> {
    const { archivedRevision, revision } = await askJson<{
      archivedRevision: number | null
      revision: number
    }>(`${address}/-/flush`, { method: "POST" })
    if (archivedRevision === revision) say(`The archive has revision ${revision}.`)
    else say("The archive did not take it; see its error above.", "bad")
  }

  async function compact(): Promise<void> {
    const { bytes: size } = await askJson<{ bytes: number }>(`${address}/-/compact`, { method: "POST" })
    say(`Compacted to ${bytes(size)}.`)
  }

  async function recover(): Promise<void> {
    const { quarantined } = await askJson<{ quarantined: number }>(`${address}/-/recover`, { method: "POST" })
    say(
      quarantined === 0
        ? "All that is stored was read, and is sound."
        : `${quarantined} in quarantine; the rest is merged.`,
    )
  }

  async function copy(): Promise<void> {
    const to = await askText({
      title: "Copy this document",
      text: "The copy's past begins with it.",
      act: "Copy",
      label: "Id of the copy",
    })
    if (to === null) return
    const { id } = await askJson<{ id: string }>(`${address}/-/copy`, { method: "POST", body: { to } })
    say(`Copied to ${id}.`)
  }

  async function exportIt(): Promise<void> {
    await download(`${address}?format=update`, `${fileName(name)}.yjs`)
    await download(`${address}?format=json`, `${fileName(name)}.json`)
  }

  async function remove(): Promise<void> {
    const typed = await askText({
      title: "Delete this document?",
      text: "Here and in the archive, with its past. Nothing brings it back but an export.",
      act: "Delete for good",
      label: `Type ${name} to delete it`,
      must: name,
      danger: true,
    })
    if (typed === null) return
    isLeaving = true
    await looking
    try {
      await ask(address, { method: "DELETE" })
    } catch (thrown) {
      isLeaving = false
      throw thrown
    }
    say("Deleted.")
    location.hash = "#/"
  }

  await refresh()
  const timer = setInterval(() => {
    if (!document.hidden) void refresh()
  }, LOOK_MS)
  signal.addEventListener("abort", () => clearInterval(timer))
}

function note(parts: readonly (readonly [number, string])[]): string | null {
  const said = parts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`)
  return said.length === 0 ? null : said.join(", ")
}

function pairs(flat: readonly number[]): [number, number][] {
  return flat.flatMap((value, i): [number, number][] => (i % 2 === 0 ? [[value, flat[i + 1] ?? 0]] : []))
}

/** An id as a file's name. */
function fileName(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, "-").slice(0, 80) || "document"
}
