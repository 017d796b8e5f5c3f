/** The toolbar of the board: pens and colours, undo, zoom, export. */
import type * as Y from "yjs"
import type { Board } from "./board.ts"
import { toSvg } from "./draw-svg.ts"
import { el, icon, isTyping } from "./element.ts"
import { boundsOfAll } from "./geometry.ts"
import { page } from "./page.ts"
import type { Drawing } from "./strokes.ts"
import { KINDS, type Kind } from "./things.ts"
import { thingToSvg } from "./things-svg.ts"

type Tool = "pen" | "eraser" | "hand" | "select" | Kind

/** The visitor's present choice of tool. */
export interface Tools {
  readonly tool: Tool
  readonly color: string
  readonly width: number
  /** Whether the drawing cannot be changed, only looked at. */
  readonly locked: boolean
  lock(locked: boolean): void
  choose(tool: Tool): void
  /** Told when the visitor takes another colour. */
  onColor: ((color: string) => void) | null
}

/** The inks: as the document keeps them, what they are called, and as a dark screen shows them. */
const INKS = [
  ["#1f1b18", "Ink", "#f1ece6"],
  ["#d4351c", "Red", "#ff8470"],
  ["#d97706", "Amber", "#fbb03b"],
  ["#15803d", "Green", "#55c97a"],
  ["#1d5fd0", "Blue", "#7fb0ff"],
  ["#8b3fd1", "Violet", "#cba2ff"],
] as const

const WIDTHS = [
  [3, "Fine"],
  [7, "Medium"],
  [16, "Broad"],
] as const

const TOOLS: Record<Tool, { says: string; key: string; paths: string[] }> = {
  select: { says: "Select and move", key: "v", paths: ["M6 3.5l12.5 8-5.5 1.3-3 5.2z"] },
  box: { says: "Box", key: "b", paths: ["M4.5 6h15v12h-15z"] },
  ellipse: { says: "Ellipse", key: "o", paths: ["M12 6c4.5 0 8 2.7 8 6s-3.5 6-8 6-8-2.7-8-6 3.5-6 8-6z"] },
  arrow: { says: "Arrow", key: "a", paths: ["M5 19L19 5", "M11 5h8v8"] },
  text: { says: "Text", key: "t", paths: ["M5 7V5h14v2", "M12 5v14", "M9.5 19h5"] },
  note: { says: "Note", key: "n", paths: ["M5 5h14v9l-5 5H5z", "M14 19v-5h5"] },
  pen: { says: "Pen", key: "p", paths: ["M4 20l1-4L16.5 4.5l3 3L8 19z", "M14 7l3 3"] },
  eraser: { says: "Eraser", key: "e", paths: ["M9 19h11", "M4.5 14.5l9-9 6 6-7.5 7.5h-3z", "M9 10l6 6"] },
  hand: {
    says: "Move the board",
    key: "h",
    paths: [
      "M12 3v18M3 12h18M12 3L9.5 5.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5",
    ],
  },
}

/** An exported PNG is at most this wide and high, px: to encode twice as much takes seconds, and there is SVG for more. */
const PNG_LIMIT = 4096
/** White around an exported picture, px. */
const PNG_MARGIN = 20

const darkScreen = matchMedia("(prefers-color-scheme: dark)")

/** A colour of the document as this screen shows it: on a dark one, ink is light. */
export function inkOnScreen(color: string): string {
  const ink = darkScreen.matches ? INKS.find(([inDocument]) => inDocument === color) : undefined
  return ink?.[2] ?? color
}

/** Fill the toolbar, and listen to its keyboard shortcuts. @returns the present choice; the object is updated in place */
export function showTools(bar: HTMLElement, parts: { doc: Y.Doc; drawing: Drawing; board: Board }): Tools {
  const { doc, drawing, board } = parts
  const chosen = {
    tool: "pen" as Tool,
    color: INKS[0][0] as string,
    width: WIDTHS[1][0] as number,
    locked: false,
    onColor: null as ((color: string) => void) | null,
  }

  const choose = (tool: Tool): void => {
    chosen.tool = tool
    board.element.dataset.tool = tool
    for (const [name, button] of Object.entries(toolButtons)) button.ariaPressed = String(name === tool)
  }
  const toolButton = (tool: Tool): HTMLButtonElement => {
    const { says, key, paths } = TOOLS[tool]
    return iconButton(says, `${says} (${key})`, paths, () => choose(tool))
  }
  const toolButtons = {
    select: toolButton("select"),
    pen: toolButton("pen"),
    eraser: toolButton("eraser"),
    hand: toolButton("hand"),
    ...(Object.fromEntries(KINDS.map((kind) => [kind, toolButton(kind)])) as Record<Kind, HTMLButtonElement>),
  }

  const colors = INKS.map(([color, name]) => {
    const radio = el("input", { type: "radio", name: "ink", value: color, title: name, "aria-label": name })
    radio.style.setProperty("--ink-light", color)
    radio.style.setProperty("--ink-dark", inkOnDark(color))
    radio.checked = color === chosen.color
    radio.addEventListener("change", () => {
      chosen.color = color
      chosen.onColor?.(color)
      if (chosen.tool === "eraser" || chosen.tool === "hand") choose("pen")
    })
    return radio
  })
  const widths = WIDTHS.map(([width, name]) => {
    const radio = el("input", { type: "radio", name: "width", value: width, title: name, "aria-label": name })
    radio.style.setProperty("--width", `${Math.min(width, 14) + 1}px`)
    radio.checked = width === chosen.width
    radio.addEventListener("change", () => {
      chosen.width = width
      if (chosen.tool !== "pen") choose("pen")
    })
    return radio
  })

  const undo = iconButton(
    "Undo",
    "Take back my last change (Ctrl Z)",
    ["M9 8H15a5 5 0 0 1 0 10H8", "M9 8l4-4M9 8l4 4"],
    () => drawing.undo(),
  )
  const redo = iconButton(
    "Redo",
    "Do it again (Ctrl Shift Z)",
    ["M15 8H9a5 5 0 0 0 0 10h7", "M15 8l-4-4M15 8l-4 4"],
    () => drawing.redo(),
  )
  const showHistory = (): void => {
    undo.disabled = !drawing.canUndo
    redo.disabled = !drawing.canRedo
  }
  drawing.onHistory(showHistory)

  const level = el("button", {
    type: "button",
    class: "level",
    title: "Show everything (0)",
    onclick: () => board.fit(),
  })
  const showZoom = (): void => {
    const percent = `${Math.round(board.zoom * 100)} %`
    level.replaceChildren(percent)
    level.ariaLabel = `Zoom ${percent}, show everything`
    const spacing = 24 * board.zoom
    const { x, y } = board.pointOf({ x: 0, y: 0 })
    board.element.style.setProperty("--dots", `${spacing < 10 ? spacing * 4 : spacing}px`)
    board.element.style.setProperty("--dots-at", `${x}px ${y}px`)
  }
  board.onView(showZoom)

  const exports = el(
    "div",
    { id: "exports", class: "exports panel", popover: "auto", role: "group", "aria-label": "Export" },
    el("button", { type: "button", onclick: () => save(svgOf(doc), "svg") }, "Save as SVG"),
    el(
      "button",
      { type: "button", onclick: () => void pngOf(drawing).then((file) => save(file, "png")) },
      "Save as PNG",
    ),
  )
  const open = iconButton(
    "Export",
    "Save as a picture",
    ["M12 4v11M12 15l-4.5-4.5M12 15l4.5-4.5", "M5 19.5h14"],
    () => {},
  )
  open.setAttribute("popovertarget", "exports")
  exports.addEventListener("beforetoggle", () => {
    // The menu stands above the tools, which may take one row or two.
    exports.style.setProperty("--tools-top", `${innerHeight - bar.getBoundingClientRect().top}px`)
  })

  bar.append(
    group("Tools", ...Object.values(toolButtons)),
    group("Colour", ...colors),
    group("Width", ...widths),
    group("History", undo, redo),
    group(
      "View",
      iconButton("Zoom out", "Zoom out (−)", ["M6 12h12"], () => board.zoomBy(1 / 1.25)),
      level,
      iconButton("Zoom in", "Zoom in (+)", ["M6 12h12M12 6v12"], () => board.zoomBy(1.25)),
    ),
    group("Picture", open),
  )
  document.body.append(exports)
  choose("pen")
  showHistory()
  showZoom()

  addEventListener("keydown", (event) => {
    if (isTyping(event)) return
    const key = event.key.toLowerCase()
    const isCommand = event.ctrlKey || event.metaKey
    const act = isCommand
      ? { z: () => (event.shiftKey ? drawing.redo() : drawing.undo()), y: () => drawing.redo() }[key]
      : {
          ...Object.fromEntries(
            Object.entries(TOOLS).map(([tool, { key }]) => [key, () => choose(tool as Tool)]),
          ),
          "+": () => board.zoomBy(1.25),
          "=": () => board.zoomBy(1.25),
          "-": () => board.zoomBy(1 / 1.25),
          "0": () => board.fit(),
          ...(event.target === board.element && {
            arrowleft: () => board.pan(60, 0),
            arrowright: () => board.pan(-60, 0),
            arrowup: () => board.pan(0, 60),
            arrowdown: () => board.pan(0, -60),
          }),
        }[key]
    // A reader has the hand alone.
    if (act === undefined || (chosen.locked && !isCommand && /^[a-z]$/.test(key))) return
    event.preventDefault()
    act()
  })
  return Object.assign(chosen, {
    choose,
    lock(locked: boolean) {
      chosen.locked = locked
      bar.classList.toggle("locked", locked)
      choose(locked ? "hand" : "pen")
    },
  })
}

function inkOnDark(color: string): string {
  return INKS.find(([inDocument]) => inDocument === color)?.[2] ?? color
}

function group(name: string, ...children: HTMLElement[]): HTMLElement {
  return el("div", { class: "group", role: "group", "aria-label": name }, ...children)
}

function iconButton(says: string, title: string, paths: string[], onclick: () => void): HTMLButtonElement {
  return el("button", { type: "button", class: "tool", title, "aria-label": says, onclick }, icon(...paths))
}

/** Give the visitor a picture as a file. */
function save(file: Blob, extension: "svg" | "png"): void {
  document.getElementById("exports")?.hidePopover()
  const link = el("a", {
    href: URL.createObjectURL(file),
    download: `${page.docId.replaceAll("/", "-")}.${extension}`,
  })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

/** The same picture as the server's `?format=svg`, and offline too. */
function svgOf(doc: Y.Doc): Blob {
  return new Blob([toSvg(doc)], { type: "image/svg+xml" })
}

/** The drawing on white, two px a px, painted with the shapes that the board has worked out already. */
async function pngOf(drawing: Drawing): Promise<Blob> {
  const { left, top, right, bottom } = boundsOfAll(drawing.pieces) ?? {
    left: 0,
    top: 0,
    right: 1,
    bottom: 1,
  }
  const [width, height] = [right - left + 2 * PNG_MARGIN, bottom - top + 2 * PNG_MARGIN]
  const scale = Math.min(2, PNG_LIMIT / Math.max(width, height))
  const canvas = el("canvas", { width: Math.ceil(width * scale), height: Math.ceil(height * scale) })
  const context = canvas.getContext("2d")!
  context.fillStyle = "#ffffff"
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.setTransform(scale, 0, 0, scale, (PNG_MARGIN - left) * scale, (PNG_MARGIN - top) * scale)
  const things = drawing.things.list.map(({ look }) => thingToSvg(look))
  if (things.length > 0) {
    const around = `x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"`
    const view = `width="${right - left}" height="${bottom - top}" viewBox="${left} ${top} ${right - left} ${bottom - top}"`
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${view}><rect fill="#ffffff" ${around}/>${things.join("")}</svg>`
    const image = new Image()
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`
    await image.decode()
    context.drawImage(image, left, top, right - left, bottom - top)
  }
  for (const { color, path } of drawing.sketches) {
    context.fillStyle = color
    context.fill(path)
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob === null ? reject(new Error("The browser made no PNG")) : resolve(blob)),
      "image/png",
    )
  })
}
