/** How CodeMirror looks here: the page's colours, prose instead of code, carets with names. */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language"
import { Compartment, EditorState, type Extension, RangeSetBuilder } from "@codemirror/state"
import { Decoration, EditorView, placeholder, ViewPlugin } from "@codemirror/view"
import { tags } from "@lezer/highlight"
import type { Provider } from "../src/client/provider.ts"
import { page } from "./page.ts"
import { watchRights } from "./rights.ts"

const prose = HighlightStyle.define([
  { tag: tags.heading1, fontWeight: "700", fontSize: "1.5em", lineHeight: "1.3" },
  { tag: tags.heading2, fontWeight: "700", fontSize: "1.25em", lineHeight: "1.3" },
  { tag: tags.heading, fontWeight: "700" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: [tags.link, tags.url], color: "var(--accent)" },
  { tag: tags.monospace, fontFamily: "var(--mono)", fontSize: "0.92em", color: "var(--code)" },
  { tag: tags.quote, color: "var(--muted)" },
  { tag: [tags.processingInstruction, tags.contentSeparator], color: "var(--faint)" },
])

const theme = EditorView.theme({
  "&": { height: "100%", background: "transparent", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--sans)", fontSize: "1.0625rem", lineHeight: "1.7" },
  ".cm-content": {
    maxWidth: "44rem",
    margin: "0 auto",
    padding: "2.5rem 1.25rem 40vh",
    caretColor: "var(--ink)",
  },
  ".cm-line": { padding: "0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { display: "none" },
  ".cm-activeLine": { background: "transparent" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "var(--selection)",
  },
  ".cm-selectionMatch": { background: "var(--selection)" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-panels": { background: "var(--surface)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panels.cm-panels-bottom": { borderTop: "1px solid var(--line)" },
  // Find and replace: the fields and buttons of the rest of the page.
  ".cm-panel.cm-search": {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: "0.4rem",
    padding: "0.6rem 3rem 0.6rem 0.9rem",
    font: "0.875rem/1.5 var(--sans)",
  },
  ".cm-panel.cm-search br": { flexBasis: "100%", content: "''" },
  ".cm-panel.cm-search label": {
    display: "inline-flex",
    alignItems: "center",
    gap: "0.3rem",
    margin: "0",
    fontSize: "inherit",
  },
  ".cm-panel.cm-search label input": { margin: "0", accentColor: "var(--accent)" },
  ".cm-panel.cm-search .cm-textfield": {
    flex: "0 1 14rem",
    minWidth: "7rem",
    minHeight: "2.25rem",
    margin: "0",
    padding: "0 0.7rem",
    border: "1px solid var(--faint)",
    borderRadius: "0.6rem",
    background: "var(--surface)",
    fontSize: "inherit",
  },
  ".cm-panel.cm-search .cm-button": {
    minHeight: "2.25rem",
    margin: "0",
    padding: "0 0.8rem",
    border: "1px solid var(--line)",
    borderRadius: "0.6rem",
    background: "var(--surface)",
    color: "var(--ink)",
    fontSize: "inherit",
    textTransform: "capitalize",
  },
  ".cm-panel.cm-search [name=close]": {
    top: "0.6rem",
    right: "0.75rem",
    width: "2.25rem",
    minHeight: "2.25rem",
    margin: "0",
    border: "1px solid transparent",
    borderRadius: "0.6rem",
    fontSize: "1.25rem",
  },
  ".cm-searchMatch": { background: "var(--selection)" },
  ".cm-searchMatch-selected": { background: "var(--accent)", color: "var(--on-accent)" },
  ".cm-ySelectionCaret": { borderWidth: "0 1px", margin: "0 -1px" },
  // y-codemirror.next shows the name on hover only; here it is always there, out of the way of the line above.
  ".cm-ySelectionInfo": {
    opacity: "1",
    top: "-1.5em",
    left: "-1px",
    padding: "1px 6px",
    borderRadius: "4px 4px 4px 0",
    font: "600 0.6875rem/1.4 var(--sans)",
    pointerEvents: "none",
  },
  ".cm-ySelectionCaret > .cm-ySelectionCaretDot": { display: "none" },
})

/** A line that takes the direction of its own letters: Arabic begins at the right. */
const directionOfItsLetters = Decoration.line({ attributes: { dir: "auto" } })

const ownDirections: Extension = [
  EditorView.perLineTextDirection.of(true),
  EditorView.decorations.of((view) => {
    const lines = new RangeSetBuilder<Decoration>()
    for (const { from, to } of view.visibleRanges) {
      for (let at = from; at <= to; ) {
        const line = view.state.doc.lineAt(at)
        lines.add(line.from, line.from, directionOfItsLetters)
        at = line.to + 1
      }
    }
    return lines.finish()
  }),
]

/** The look of an editor; it is locked for a reader and once the room has closed. */
export function look(provider: Provider): Extension {
  return [
    theme,
    syntaxHighlighting(prose),
    EditorView.lineWrapping,
    ownDirections,
    EditorView.contentAttributes.of({ "aria-label": `The text of ${page.docId}`, spellcheck: "true" }),
    lockedWhereReadOnly(provider),
  ]
}

function lockedWhereReadOnly(provider: Provider): Extension {
  const lock = new Compartment()
  const locked = (is: boolean): Extension => [
    EditorState.readOnly.of(is),
    EditorView.editable.of(!is),
    placeholder(is ? "Nothing is written here yet." : "Write something, together."),
  ]
  const follow = ViewPlugin.define((view) => {
    // A view that is being made takes no transaction yet.
    const apply = (is: boolean): void =>
      queueMicrotask(() => view.dispatch({ effects: lock.reconfigure(locked(is)) }))
    watchRights(provider, apply)
    return {}
  })
  return [lock.of([]), follow]
}
