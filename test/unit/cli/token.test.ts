import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { verifyToken } from "../../../src/access/token.ts"
import { type Ran, runYurt } from "../../kit/command.ts"

const SCRIPT = resolve(import.meta.dirname, "../../../src/cli/yurt.ts")
const execute = promisify(execFile)
const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "yurt-token-"))
})
afterEach(() => rm(folder, { recursive: true }))

describe("[R1] yurt token", () => {
  it("[R1] mints a token that the server takes, with the secret in the environment", async () => {
    const { stdout } = await mint(["--doc", "notes", "--rights", "write"], { AUTH_SECRET: SECRET })
    const grant = await verifyToken(stdout.trim(), "notes", { AUTH_SECRET: SECRET })
    expect(grant).toMatchObject({ subject: "someone", rights: "write", presence: true, admin: false })
  })

  it("[R1] takes secret, audience and issuer from .dev.vars", async () => {
    const settings = { AUTH_SECRET: SECRET, AUTH_AUDIENCE: "acme", AUTH_ISSUER: "https://acme.example" }
    const lines = Object.entries(settings).map(([name, value]) => `${name}="${value}"`)
    await writeFile(join(folder, ".dev.vars"), `# local only\n${lines.join("\n")}\n`)
    const { stdout } = await mint(["--doc", "notes"])
    expect(await verifyToken(stdout.trim(), "notes", settings)).toMatchObject({ rights: "write" })
  })

  it("[R1] writes what was asked for into the token", async () => {
    const asked = [
      "--doc",
      "acme/*",
      "--doc",
      "b",
      "--rights",
      "read",
      "--presence",
      "--sub",
      "ada",
      "--name",
      "Ada",
    ]
    const { stdout, stderr } = await mint([...asked, "--color", "#e11", "--hours", "1", "--admin"], {
      AUTH_SECRET: SECRET,
    })
    const grant = await verifyToken(stdout.trim(), "acme/x", { AUTH_SECRET: SECRET })
    const { expiresAtMs, tokenId, ...rest } = grant
    expect(rest).toEqual({
      subject: "ada",
      rights: "read",
      presence: true,
      admin: true,
      name: "Ada",
      color: "#e11",
    })
    expect(Math.abs((expiresAtMs ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000)
    expect(stderr).toContain(tokenId)
  })

  it("[R2] narrows writing to roots", async () => {
    const { stdout } = await mint(["--doc", "notes", "--roots", "comments, todo"], { AUTH_SECRET: SECRET })
    const grant = await verifyToken(stdout.trim(), "notes", { AUTH_SECRET: SECRET })
    expect(grant).toMatchObject({ rights: "write", roots: ["comments", "todo"] })
  })

  it("[R4] prints the token alone on standard output, and the secret nowhere", async () => {
    // As a process: what it ends with, and which output is which.
    const { stdout, stderr } = await execute(process.execPath, [SCRIPT, "token", "--doc", "notes"], {
      cwd: folder,
      env: { NODE_NO_WARNINGS: "1", AUTH_SECRET: SECRET },
    })
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    expect(stderr).not.toContain(stdout.trim())
    expect(stdout + stderr).not.toContain(SECRET)
  })

  it("[R1] without a secret prints the one line that makes one, and that line works", async () => {
    const { code, stdout, stderr } = await mint(["--doc", "notes"])
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    const line = stderr.trim().split("\n").at(-1) ?? ""
    expect(line).toMatch(/^node -e "/)
    await execute("sh", ["-c", line], { cwd: folder })
    expect(await mint(["--doc", "notes"])).toMatchObject({ code: 0 })
  })

  it.each([
    ["a secret the server would refuse", ["--doc", "notes"], "short", "AUTH_SECRET is shorter than 32 bytes"],
    ["a right that is none", ["--doc", "notes", "--rights", "own"], SECRET, "neither read nor write"],
    ["no document", [], SECRET, "Which document?"],
    ["roots for a reader", ["--doc", "a", "--rights", "read", "--roots", "b"], SECRET, "--roots narrows"],
    ["hours that are no number", ["--doc", "notes", "--hours", "soon"], SECRET, "not a number of hours"],
    ["an option it does not know", ["--dok", "notes"], SECRET, "--dok"],
  ])("[R1] refuses %s with a sentence, not a stack", async (_, args, secret, says) => {
    const { code, stdout, stderr } = await mint(args, { AUTH_SECRET: secret })
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toContain(says)
    expect(stderr).not.toMatch(/^ +at /m)
  })
})

/** The command in a folder of its own, with no secret in its environment but what is given. */
function mint(args: string[], env: Record<string, string> = {}): Promise<Ran> {
  const none = { AUTH_SECRET: undefined, AUTH_AUDIENCE: undefined, AUTH_ISSUER: undefined }
  return runYurt(["token", ...args], { folder, env: { ...none, ...env } })
}
