/**
 * One person who has examples/tiptap open as it was built. It runs in the example's project, where package.test.ts puts it.
 *
 *     node open-page.mjs write|read
 *
 * Who writes waits for somebody to be there, and until all is saved; who reads waits for the words. Prints the text, and what
 * the line above it has said since the writing began.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Window } from "happy-dom"
import { WebSocket } from "ws"

const FOLDER = join(import.meta.dirname, "dist/assets")

/** What the page's code asks a browser for. */
const NAMES = ["document", "navigator", "Node", "HTMLElement", "DOMParser", "MutationObserver"]

const window = new Window()
const { document } = window
document.write(`<span id="state"></span><span id="people"></span><main></main>`)
const globals = { window, WebSocket, ...Object.fromEntries(NAMES.map((name) => [name, window[name]])) }
for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value })

await import(
  join(
    FOLDER,
    readdirSync(FOLDER).find((name) => name.endsWith(".js")),
  )
)
const { editor } = document.querySelector(".tiptap")
const now = (id) => document.querySelector(`#${id}`).textContent

/** Resolves once the page is so. */
async function see(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

const said = []
if (process.argv[2] === "write") {
  await see(() => now("people") === "2 people" && now("state") === "Saved")
  editor.commands.setContent("<h2>Plan</h2><p>tea</p>")
  said.push(now("state"))
  await see(() => now("state") !== "Saving")
  said.push(now("state"))
} else await see(() => editor.getText().includes("tea"))
console.log(JSON.stringify({ said, text: editor.getHTML() }))
process.exit(0)
