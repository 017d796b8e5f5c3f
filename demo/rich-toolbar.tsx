/** The toolbar of the rich text: what a paragraph is, how its words look, links, and undo. */
import { $isLinkNode, TOGGLE_LINK_COMMAND } from "@lexical/link"
import {
  $isListNode,
  INSERT_ORDERED_LIST_COMMAND,
  INSERT_UNORDERED_LIST_COMMAND,
  ListNode,
  REMOVE_LIST_COMMAND,
} from "@lexical/list"
import { useLexicalComposerContext } from "@lexical/react/LexicalComposerContext"
import { $createHeadingNode, $createQuoteNode, $isHeadingNode, $isQuoteNode } from "@lexical/rich-text"
import { $setBlocksType } from "@lexical/selection"
import { $findMatchingParent, $getNearestNodeOfType, mergeRegister } from "@lexical/utils"
import {
  $createParagraphNode,
  $getSelection,
  $isRangeSelection,
  $isRootOrShadowRoot,
  $setSelection,
  type BaseSelection,
  CAN_REDO_COMMAND,
  CAN_UNDO_COMMAND,
  COMMAND_PRIORITY_LOW,
  FORMAT_TEXT_COMMAND,
  KEY_DOWN_COMMAND,
  REDO_COMMAND,
  type TextFormatType,
  UNDO_COMMAND,
} from "lexical"
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react"
import type { Provider } from "../src/client/provider.ts"
import { watchRights } from "./rights.ts"

const BLOCKS = {
  paragraph: "Text",
  h1: "Heading 1",
  h2: "Heading 2",
  h3: "Heading 3",
  quote: "Quote",
  bullet: "Bullets",
  number: "Numbers",
} as const

type Block = keyof typeof BLOCKS

const FORMATS: readonly (readonly [TextFormatType, label: string, key: string])[] = [
  ["bold", "B", "Bold (Ctrl B)"],
  ["italic", "I", "Italic (Ctrl I)"],
  ["code", "<>", "Code"],
]

/** Kind of paragraph, formats and link at the selection. */
interface Here {
  readonly block: Block
  readonly formats: ReadonlySet<TextFormatType>
  /** The address of the link around the selection; null outside of links. */
  readonly link: string | null
}

const NOWHERE: Here = { block: "paragraph", formats: new Set(), link: null }

/** Whether an address may be linked to: no scripts. */
export function isLink(address: string): boolean {
  return URL.canParse(address) && /^(https?|mailto):$/.test(new URL(address).protocol)
}

/** The toolbar; there is none where the text cannot be changed. */
export function Toolbar({ provider }: { provider: Provider }) {
  const [editor] = useLexicalComposerContext()
  const [here, setHere] = useState(NOWHERE)
  const [canUndo, setCanUndo] = useState(false)
  const [canRedo, setCanRedo] = useState(false)
  const [editable, setEditable] = useState(editor.isEditable())

  useEffect(() => {
    const stop = mergeRegister(
      editor.registerUpdateListener(({ editorState }) => setHere(editorState.read($look))),
      editor.registerEditableListener(setEditable),
      editor.registerCommand(CAN_UNDO_COMMAND, listen(setCanUndo), COMMAND_PRIORITY_LOW),
      editor.registerCommand(CAN_REDO_COMMAND, listen(setCanRedo), COMMAND_PRIORITY_LOW),
    )
    watchRights(provider, (readOnly) => editor.setEditable(!readOnly))
    return stop
  }, [editor, provider])

  const makeBlock = (block: Block): void => {
    if (block === "bullet") return void editor.dispatchCommand(INSERT_UNORDERED_LIST_COMMAND, undefined)
    if (block === "number") return void editor.dispatchCommand(INSERT_ORDERED_LIST_COMMAND, undefined)
    if (here.block === "bullet" || here.block === "number")
      editor.dispatchCommand(REMOVE_LIST_COMMAND, undefined)
    editor.update(() => $setBlocksType($getSelection(), () => $createBlock(block)))
  }

  if (!editable) return null
  return (
    <div className="tools" role="toolbar" aria-label="Formatting">
      <select
        aria-label="Kind of paragraph"
        value={here.block}
        onChange={(event) => {
          makeBlock(event.target.value as Block)
          editor.focus()
        }}
      >
        {Object.entries(BLOCKS).map(([block, label]) => (
          <option key={block} value={block}>
            {label}
          </option>
        ))}
      </select>
      <span className="group">
        {FORMATS.map(([format, label, title]) => (
          <Tool
            key={format}
            title={title}
            className={format}
            pressed={here.formats.has(format)}
            onPress={() => editor.dispatchCommand(FORMAT_TEXT_COMMAND, format)}
          >
            {label}
          </Tool>
        ))}
        <LinkTool address={here.link} />
      </span>
      <span className="group wide">
        <Tool
          title="Bullets"
          pressed={here.block === "bullet"}
          onPress={() => makeBlock(here.block === "bullet" ? "paragraph" : "bullet")}
        >
          <Icon d="M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01" />
        </Tool>
        <Tool
          title="Numbers"
          pressed={here.block === "number"}
          onPress={() => makeBlock(here.block === "number" ? "paragraph" : "number")}
        >
          <Icon d="M10 6h10M10 12h10M10 18h10M4 4.5l1.5-1v5M4 12.5c1-1.5 3-.5 2 1L4 16h2.5" />
        </Tool>
      </span>
      <span className="group last">
        <Tool
          title="Take back my last change (Ctrl Z)"
          disabled={!canUndo}
          onPress={() => editor.dispatchCommand(UNDO_COMMAND, undefined)}
        >
          <Icon d="M9 8h6a5 5 0 0 1 0 10H8M9 8l4-4M9 8l4 4" />
        </Tool>
        <Tool
          title="Do it again (Ctrl Shift Z)"
          disabled={!canRedo}
          onPress={() => editor.dispatchCommand(REDO_COMMAND, undefined)}
        >
          <Icon d="M15 8H9a5 5 0 0 0 0 10h7M15 8l-4-4M15 8l-4 4" />
        </Tool>
      </span>
    </div>
  )
}

function Tool(props: {
  title: string
  onPress: () => void
  pressed?: boolean
  disabled?: boolean
  className?: string
  children: ReactNode
}) {
  return (
    <button
      type="button"
      className={`tool ${props.className ?? ""}`}
      title={props.title}
      aria-label={props.title.replace(/ \(.*/, "")}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      // A mouse press would move the selection out of the text.
      onMouseDown={(event) => event.preventDefault()}
      onClick={props.onPress}
    >
      {props.children}
    </button>
  )
}

function Icon({ d }: { d: string }) {
  return (
    <svg viewBox="0 0 24 24" className="icon" aria-hidden="true">
      <path d={d} />
    </svg>
  )
}

/** A command's listener that leaves the command to the other listeners. */
function listen<Payload>(hear: (payload: Payload) => void): (payload: Payload) => false {
  return (payload) => {
    hear(payload)
    return false
  }
}

/** Makes the selected words a link, or changes the one the caret is in. */
function LinkTool({ address }: { address: string | null }) {
  const [editor] = useLexicalComposerContext()
  const panel = useRef<HTMLFormElement>(null)
  const field = useRef<HTMLInputElement>(null)
  const selection = useRef<BaseSelection | null>(null)

  const open = (): void => {
    // The field gets the focus, so the text's selection is put back before the link is made.
    selection.current = editor.read(() => $getSelection()?.clone() ?? null)
    panel.current?.showPopover()
    if (field.current !== null) field.current.value = address ?? "https://"
    field.current?.select()
  }
  const link = (to: string | null): void => {
    panel.current?.hidePopover()
    editor.update(() => $setSelection(selection.current?.clone() ?? null))
    editor.dispatchCommand(TOGGLE_LINK_COMMAND, to)
    editor.focus()
  }
  // Registered again after each render, because `open` reads the link of that render.
  useEffect(() => {
    const onKey = (event: KeyboardEvent): boolean => {
      const isLinkKey = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k"
      if (!isLinkKey || event.altKey || event.shiftKey) return false
      event.preventDefault()
      open()
      return true
    }
    return editor.registerCommand(KEY_DOWN_COMMAND, onKey, COMMAND_PRIORITY_LOW)
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    const typed = field.current?.value.trim() ?? ""
    const to = isLink(typed) ? typed : `https://${typed}`
    if (isLink(to)) link(to)
    else field.current?.select()
  }
  return (
    <>
      <Tool title="Link (Ctrl K)" pressed={address !== null} onPress={open}>
        <Icon d="M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2" />
      </Tool>
      <form ref={panel} popover="auto" className="panel link" aria-label="Link" onSubmit={submit}>
        <label htmlFor="address">Address</label>
        <input ref={field} id="address" type="text" inputMode="url" />
        <span className="row">
          <button type="submit" className="primary">
            Link
          </button>
          {address !== null && (
            <>
              <a
                className="button"
                href={isLink(address) ? address : undefined}
                target="_blank"
                rel="noreferrer"
              >
                Open
              </a>
              <button type="button" onClick={() => link(null)}>
                Remove
              </button>
            </>
          )}
        </span>
      </form>
    </>
  )
}

function $createBlock(block: Block) {
  switch (block) {
    case "h1":
    case "h2":
    case "h3":
      return $createHeadingNode(block)
    case "quote":
      return $createQuoteNode()
    default:
      return $createParagraphNode()
  }
}

function $look(): Here {
  const selection = $getSelection()
  if (!$isRangeSelection(selection)) return NOWHERE
  const node = selection.anchor.getNode()
  const top = $findMatchingParent(node, (each) => {
    const parent = each.getParent()
    return parent !== null && $isRootOrShadowRoot(parent)
  })
  const list = $getNearestNodeOfType(node, ListNode)
  const link = $findMatchingParent(node, $isLinkNode)
  let block: Block = "paragraph"
  if ($isListNode(list)) block = list.getListType() === "number" ? "number" : "bullet"
  else if ($isHeadingNode(top)) block = top.getTag() in BLOCKS ? (top.getTag() as Block) : "h3"
  else if ($isQuoteNode(top)) block = "quote"
  return {
    block,
    formats: new Set(FORMATS.map(([format]) => format).filter((format) => selection.hasFormat(format))),
    link: $isLinkNode(link) ? link.getURL() : null,
  }
}
