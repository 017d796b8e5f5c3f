/** The tools over all documents that a token covers: those of a document, which are told which one is meant, and two about which there are. */
import { TOOLS, type Tool } from "./tools.ts"

const DOCUMENT = { type: "string", description: "The document, by its name as `list` gives it." }
const PREFIX = { type: "string", description: "Only documents whose names begin with this." }
const CURSOR = { type: "string", description: "Where the last page ended." }

/** A tool of these. */
export type ToolOfAll = Omit<Tool, "name"> & { readonly name: Tool["name"] | "list" | "create" }

/** Every tool. */
export const TOOLS_OF_ALL: readonly ToolOfAll[] = [
  {
    name: "list",
    title: "List",
    description:
      "The documents that you may open, by name, a page at a time: go on from `cursor`, also where a page is empty. " +
      "What was made or changed in the last half minute may be missing.",
    writes: false,
    input: {
      type: "object",
      properties: { prefix: PREFIX, cursor: CURSOR },
      required: [],
      additionalProperties: false,
    },
  },
  {
    name: "create",
    title: "Create",
    description:
      "Makes a document of Markdown, where there is none of this name. People open it with an editor; say which one, if you know.",
    writes: true,
    input: {
      type: "object",
      properties: {
        document: { type: "string", description: "Its name." },
        markdown: { type: "string", description: "What is in it." },
        editor: {
          type: "string",
          enum: ["text", "lexical", "prosemirror", "tiptap", "blocknote"],
          description: "For which editor. Default: text, which keeps Markdown as it is.",
        },
      },
      required: ["document", "markdown"],
      additionalProperties: false,
    },
  },
  ...TOOLS.map((tool) =>
    tool.name === "search" ? searchOf(tool) : { ...tool, input: withDocument(tool, true) },
  ),
]

/** Without a document all are searched. */
function searchOf(tool: Tool): Tool {
  const input = withDocument(tool, false)
  return {
    ...tool,
    description: `${tool.description} Without a document: in the first text of each, some documents at a time; go on from \`cursor\`.`,
    input: { ...input, properties: { ...input.properties, prefix: PREFIX, cursor: CURSOR } },
  }
}

function withDocument({ input }: Tool, isRequired: boolean) {
  const { properties, required } = input
  return {
    ...input,
    properties: { document: DOCUMENT, ...properties },
    required: isRequired ? ["document", ...required] : required,
  }
}
