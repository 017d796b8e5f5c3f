/** `yurt deploy`: which steps are taken, and what becomes of the secret. wrangler is played; its dry run is in test/package. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chdir, cwd } from "node:process"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { secretFault } from "../../../src/access/keys.ts"
import { deployWith } from "../../../src/cli/deploy.ts"
import type { Ran, Wrangler } from "../../../src/cli/wrangler.ts"

const UPLOADED = "Uploaded notes (2.1 sec)\nDeployed notes triggers\n  https://notes.ada.workers.dev\n"

/** A wrangler that answers by its first words, and what it was asked. */
function playWrangler(answers: Readonly<Record<string, Partial<Ran>>>) {
  const asked: { line: string; input: string | undefined }[] = []
  const wrangler: Wrangler = async (args, { input } = {}) => {
    const line = args.join(" ")
    asked.push({ line, input })
    return { code: 0, output: "", ...answers[line] }
  }
  return { wrangler, asked }
}

const before = cwd()
let out: string
beforeEach(() => {
  chdir(mkdtempSync(join(tmpdir(), "yurt-deploy-")))
  out = ""
  vi.spyOn(process.stderr, "write").mockReturnValue(true)
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    out += chunk
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  const folder = cwd()
  chdir(before)
  rmSync(folder, { recursive: true })
})

describe("[R1] yurt deploy", () => {
  it("[R1] uploads, gives a server without a key a secret that it takes, and says the address alone", async () => {
    const { wrangler, asked } = playWrangler({
      deploy: { output: UPLOADED },
      "secret list": { output: "[]" },
    })
    await deployWith(wrangler, { config: {}, isDry: false })
    expect(asked.map(({ line }) => line)).toEqual([
      "whoami",
      "deploy",
      "secret list",
      "secret put AUTH_SECRET",
    ])
    const secret = asked.at(-1)!.input!
    expect(secretFault(secret)).toBeNull()
    expect(readFileSync(".auth-secret", "utf8").trim()).toBe(secret)
    if (process.platform !== "win32") expect(statSync(".auth-secret").mode & 0o777).toBe(0o600)
    expect(out).toBe("https://notes.ada.workers.dev\n")
  })

  it("[R7] gives the same secret again where the last run was cut off, and leaves a key that is there", async () => {
    const first = playWrangler({ "secret list": { output: "[]" }, "secret put AUTH_SECRET": { code: 1 } })
    await expect(deployWith(first.wrangler, { config: {}, isDry: false })).rejects.toMatchObject({
      code: "failed",
    })
    const second = playWrangler({ "secret list": { output: "[]" } })
    await deployWith(second.wrangler, { config: {}, isDry: false })
    expect(second.asked.at(-1)?.input).toBe(first.asked.at(-1)?.input)
    for (const name of ["AUTH_SECRET", "AUTH_JWKS_URL"]) {
      const third = playWrangler({ "secret list": { output: `[{"name":"${name}","type":"secret_text"}]` } })
      await deployWith(third.wrangler, { config: {}, isDry: false })
      expect(third.asked.at(-1)?.line).toBe("secret list")
    }
    const fourth = playWrangler({})
    await deployWith(fourth.wrangler, { config: { vars: { AUTH_PUBLIC_KEY: "{}" } }, isDry: false })
    expect(fourth.asked.at(-1)?.line).toBe("deploy")
  })

  it("[R4] shows the secret of the environment nowhere, and writes it nowhere", async () => {
    vi.stubEnv("AUTH_SECRET", "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u")
    const { wrangler, asked } = playWrangler({ "secret list": { output: "[]" } })
    await deployWith(wrangler, { config: {}, isDry: false })
    expect(asked.at(-1)?.input).toBe("k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u")
    expect(() => statSync(".auth-secret")).toThrow("ENOENT")
    expect(JSON.stringify(asked.map(({ line }) => line))).not.toContain("k4Zr8")
    expect(out).not.toContain("k4Zr8")
  })

  it("stops where nobody is signed in, and where wrangler fails", async () => {
    const nobody = playWrangler({
      whoami: { output: "You are not authenticated. Please run `wrangler login`." },
    })
    await expect(deployWith(nobody.wrangler, { config: {}, isDry: false })).rejects.toThrow(
      "Nobody is signed in",
    )
    expect(nobody.asked).toHaveLength(1)
    const failing = playWrangler({ deploy: { code: 1 } })
    await expect(deployWith(failing.wrangler, { config: {}, isDry: false })).rejects.toMatchObject({
      code: "failed",
    })
    expect(failing.asked.at(-1)?.line).toBe("deploy")
  })

  it("changes nothing in a dry run", async () => {
    const { wrangler, asked } = playWrangler({})
    await deployWith(wrangler, { config: { d1_databases: [{ binding: "DB" }] }, isDry: true })
    expect(asked.map(({ line }) => line)).toEqual(["deploy --dry-run"])
  })
})
