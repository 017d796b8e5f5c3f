/**
 * The order of the house, which `npm run cycles` checks: every import in src/ stays in its folder or goes to one below,
 * and a file is short, or says at its top why it is long.
 *
 *     node test/folders.ts
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"

/** The folders and the single files of src/, from top to bottom, and what each may import. It names only what is below it. */
export type Order = Readonly<Record<string, readonly string[]>>

/**
 * `http` and `room` do not know each other: the one runs in the Worker, the other in the Durable Object, and what they
 * say to each other is in `rpc.ts`. `client` shares only the wire and the errors with the server.
 */
const ORDER: Order = {
  "index.ts": ["start", "http", "room", "access", "archive"],
  "server.ts": ["start", "http", "room", "access", "rpc.ts", "archive", "limits.ts", "errors.ts"],
  "agent.ts": ["start", "http", "agent", "rpc.ts", "errors.ts"],
  "admin.ts": ["start", "admin", "http", "room"],
  host: ["start", "admin", "http", "room", "access", "rpc.ts", "archive", "errors.ts"],
  cli: ["token.ts", "access", "archive", "export", "limits.ts", "errors.ts"],
  "token.ts": ["access", "errors.ts"],
  admin: ["http", "room", "access", "rpc.ts", "history", "wire", "placement.ts", "limits.ts", "errors.ts"],
  http: ["pipe", "access", "rpc.ts", "history", "agent", "import", "export", "limits.ts", "errors.ts"],
  room: [
    "access",
    "rpc.ts",
    "history",
    "archive",
    "agent",
    "json",
    "import",
    "export",
    "update",
    "wire",
    "limits.ts",
    "errors.ts",
  ],
  client: ["wire", "errors.ts"],
  pipe: ["wire", "limits.ts", "errors.ts"],
  access: ["rpc.ts", "placement.ts", "limits.ts", "errors.ts"],
  "rpc.ts": ["history", "archive", "export", "placement.ts", "errors.ts"],
  "placement.ts": [],
  history: ["export", "update", "limits.ts", "errors.ts"],
  agent: ["json", "import", "export", "limits.ts", "errors.ts"],
  "archive.ts": ["archive"],
  archive: ["start", "export", "update", "limits.ts", "errors.ts"],
  json: ["export", "limits.ts", "errors.ts"],
  import: ["export", "limits.ts", "errors.ts"],
  export: ["start", "limits.ts", "errors.ts"],
  update: ["limits.ts", "errors.ts"],
  wire: ["limits.ts", "errors.ts"],
  start: [],
  "limits.ts": ["errors.ts"],
  "errors.ts": [],
}

/**
 * The only types that come from above. A type is nothing at run time, but who reads a file has to read what it names, so
 * types keep the order too. The exception: a room is told who asks, and a grant is described where rights are.
 */
const TYPES_FROM_ABOVE: Order = { "rpc.ts": ["access"] }

/** Longer files are read by nobody in one sitting. A guess. */
const MAX_LINES = 450

/** What a long file's header has to say, in any words around it. */
const SAYS_WHY = /\blong(er)?\b|450 lines/i

const IMPORT = /^(?:import|export)\b([^"]*?)(?:\bfrom\s+)?"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm

/**
 * What is wrong with these sources, one line each: `src/wire/dialect.ts:3 …`; empty where nothing is.
 *
 * @param sources the text of every file by its path below src/, with forward slashes
 * @throws Error where the order itself names something that is not below
 */
export function findFaults(
  sources: ReadonlyMap<string, string>,
  order: Order = ORDER,
  typesFromAbove: Order = TYPES_FROM_ABOVE,
): string[] {
  const parts = Object.keys(order)
  for (const [index, part] of parts.entries()) {
    const wrong = order[part]!.find((below) => !parts.slice(index + 1).includes(below))
    if (wrong !== undefined) throw new Error(`The order lets ${part} import ${wrong}, which is not below it`)
  }
  const faults: string[] = []
  for (const [path, source] of sources) {
    const part = partOf(path)
    if (!parts.includes(part)) {
      faults.push(`src/${path}:1 has no place in the order of test/folders.ts`)
      continue
    }
    for (const match of source.matchAll(IMPORT)) {
      const target = partOf(posix.join(posix.dirname(path), match[2] ?? match[3]!))
      if (target === part || order[part]!.includes(target)) continue
      if (match[1]?.startsWith(" type ") && typesFromAbove[part]?.includes(target)) continue
      const line = source.slice(0, match.index + match[0].length).split("\n").length
      faults.push(`src/${path}:${line} imports ${target}, which ${part} may not`)
    }
    const lines = source.trimEnd().split("\n").length
    const header = /^\/\*\*.*?\*\//s.exec(source)?.[0] ?? ""
    if (lines > MAX_LINES && !SAYS_WHY.test(header)) {
      faults.push(`src/${path}:1 has ${lines} lines and does not say at its top why`)
    }
  }
  return faults
}

/** The folder of a path below src/, or the file where it lies in src/ itself. */
function partOf(path: string): string {
  return path.split("/")[0]!
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "../src")
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.tsx?$/.test(name),
  )
  const sources = new Map(
    files.map((name) => [name.replaceAll("\\", "/"), readFileSync(join(root, name), "utf8")]),
  )
  const faults = findFaults(sources)
  for (const fault of faults) console.error(fault)
  if (faults.length > 0) process.exitCode = 1
}
