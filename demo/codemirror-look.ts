/** How CodeMirror looks here: the page's colours, prose instead of code, carets with names. */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language"
import { Compartment, EditorState, type Extension } from "@codemirror/state"
import { EditorView, ViewPlugin } from "@codemirror/view"
import { tags } from "@lezer/highlight"
import type { Provider } from "../src/client/provider.ts"
import { page, watchRights } from "./page.ts"

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
  ".cm-panels": { background: "var(--surface)", color: "var(--ink)", borderColor: "var(--line)" },
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

/** The extensions that make an editor look at home; they also lock it where one may only read. */
export function look(provider: Provider): Extension {
  return [
    theme,
    syntaxHighlighting(prose),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": `The text of ${page.docId}`, spellcheck: "true" }),
    lockedWhereReadOnly(provider),
  ]
}

function lockedWhereReadOnly(provider: Provider): Extension {
  const lock = new Compartment()
  const locked = (is: boolean): Extension => [EditorState.readOnly.of(is), EditorView.editable.of(!is)]
  const follow = ViewPlugin.define((view) => {
    // Not before the view is made: it takes no change until then.
    const apply = (is: boolean): void =>
      queueMicrotask(() => view.dispatch({ effects: lock.reconfigure(locked(is)) }))
    watchRights(provider, apply)
    return {}
  })
  return [lock.of([]), follow]
}
