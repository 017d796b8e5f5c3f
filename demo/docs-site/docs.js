/** What the pages gain by a script: code to copy, and a search over titles. Without it everything can be read. */

for (const block of document.querySelectorAll(".code")) {
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = "Copy"
  button.setAttribute("aria-live", "polite")
  button.addEventListener("click", async () => {
    const code = block.querySelector("code")
    try {
      await navigator.clipboard.writeText(code.textContent.trimEnd())
      button.textContent = "Copied"
    } catch {
      // Undefined on plain http, or refused: it is selected, to be copied by hand.
      getSelection().selectAllChildren(code)
      button.textContent = "Selected"
    }
    setTimeout(() => {
      button.textContent = "Copy"
    }, 2000)
  })
  block.append(button)
}

const search = document.querySelector(".search")
const input = search.querySelector("input")
const results = search.querySelector("ol")
search.hidden = false

let titles = null
input.addEventListener("input", async () => {
  titles ??= fetch("search.json").then((response) => response.json())
  const all = await titles
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean)
  const found =
    words.length === 0 ? [] : all.filter((one) => words.every((word) => matches(one, word))).slice(0, 12)
  results.replaceChildren(...found.map(show))
  results.hidden = words.length === 0
  if (words.length > 0 && found.length === 0) results.append("No title has that.")
})

const matches = ({ title, text }, word) => `${title} ${text}`.toLowerCase().includes(word)

function show({ at, title, text }) {
  const link = document.createElement("a")
  link.href = at
  link.textContent = text
  if (text !== title) link.append(Object.assign(document.createElement("small"), { textContent: title }))
  const item = document.createElement("li")
  item.append(link)
  return item
}

search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    input.value = ""
    results.hidden = true
  } else if (event.key === "Enter") results.querySelector("a")?.click()
})
document.addEventListener("click", (event) => {
  if (!search.contains(event.target) || event.target.closest("a")) results.hidden = true
})
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input")) return
  event.preventDefault()
  input.focus()
})
