/** The samples of examples/self-host: they name what the command has, and the address it listens on. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { serve, VARIABLES } from "../../../src/cli/serve.ts"

const read = (name: string) =>
  readFileSync(join(import.meta.dirname, "../../../examples/self-host", name), "utf8")
const { bin } = JSON.parse(readFileSync(join(import.meta.dirname, "../../../package.json"), "utf8"))

/** The default of `yurt serve`. */
const PORT = /--port (\d+)/.exec(serve.usage)![1]!

describe("the samples of examples/self-host", () => {
  it.each([
    ["Dockerfile", /^ENTRYPOINT (\[.*\])$/m],
    ["yurt.service", /^ExecStart=(.*)$/m],
  ])("%s runs the command by options that it has", (file, pattern) => {
    const line = pattern.exec(read(file))![1]!
    const words = line.startsWith("[") ? (JSON.parse(line) as string[]) : line.split(" ")
    expect(words).toContain(`node_modules/yurt/${bin.yurt}`)
    expect(words).toContain("serve")
    const options = words.filter((word) => word.startsWith("--"))
    expect(options.length).toBeGreaterThan(0)
    for (const option of options) expect(serve.usage).toContain(`${option} `)
  })

  it.each(["Dockerfile", "nginx.conf", "nginx-cluster.conf", "compose.yaml", "yurt.service"])(
    "%s knows the port",
    (file) => {
      const ports = [
        ...read(file).matchAll(/(?:127\.0\.0\.1|10\.0\.0\.\d|yurt|EXPOSE|--port)[: ](\d{4,5})\b/g),
      ].map(([, port]) => port)
      expect(ports.length).toBeGreaterThan(0)
      for (const port of ports) expect(port).toBe(PORT)
    },
  )

  it("gives a server more time to go than it takes by itself", () => {
    const own = Number(/--drain-seconds (\d+)/.exec(serve.usage)![1])
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(read("yurt.service"))![1])).toBeGreaterThan(own)
    expect(Number(/stop_grace_period: (\d+)s/.exec(read("compose.yaml"))![1])).toBeGreaterThan(own)
  })

  it("hands a Worker every variable of docs/settings.md, but those that only the platform knows", () => {
    const settings = readFileSync(join(import.meta.dirname, "../../../docs/settings.md"), "utf8")
    const table = settings.split("## Variables")[1]!.split("##")[0]!
    const names = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(
      ([, cell]) => cell!.match(/[A-Z_]{3,}(?=`)/g) ?? [],
    )
    expect(names).toContain("EVENTS_URL")
    const lost = names.filter((name) => !VARIABLES.test(name))
    expect(lost).toEqual(["JURISDICTION", "LOCATION_HINT"])
  })

  it("names variables that reach the Worker", () => {
    const named = [...read("compose.yaml").matchAll(/^ {6}([A-Z_]+): /gm)].map(([, name]) => name!)
    for (const name of named.filter((one) => one !== "POSTGRES_PASSWORD" && one !== "POSTGRES_MIGRATE"))
      expect(serve.usage).toContain(name)
  })
})
