/** `yurt serve`: a server of one's own, ended in every way, and what is there afterwards. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { mintToken } from "../../src/token.ts"
import { startBucket } from "../kit/bucket.ts"
import { type Client, openProvider, openWebsocketProvider, RawClient, textOf, type } from "../kit/clients.ts"
import { type Ran, runYurt } from "../kit/command.ts"
import { freePort } from "../kit/port.ts"
import { startPostgres } from "../kit/postgres.ts"
import { bundledWorker, SelfHosted } from "../kit/self-hosted.ts"
import { until } from "../kit/until.ts"
import { launchBrowser } from "./browser.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"

let server: SelfHosted
let token: string
const clients: Client[] = []

beforeAll(async () => {
  server = await SelfHosted.start({ AUTH_SECRET: SECRET, LIMIT_FLUSH_MS: "300", LOG_LEVEL: "debug" })
  token = await mintToken(
    { subject: "ada", admin: true, docs: [{ id: "*", rights: "write" }] },
    { secret: SECRET },
  )
})
afterAll(async () => {
  for (const client of clients) client.leave()
  await server.stop()
})

// One that failed leaves it ended.
beforeEach(() => server.ensure())
function enter<One extends Client>(client: One): One {
  clients.push(client)
  return client
}

/** Enter a word a turn, and ask after each whether it is saved, until the socket is lost. */
async function keepWriting(writer: RawClient, who: number): Promise<void> {
  for (let n = 0; writer.losses.length === 0; n++) {
    writer.doc.getMap("words").set(`${who}:${n}`, n)
    writer.askSaved()
    await new Promise((resolve) => setImmediate(resolve))
    // Not ahead of the server by more than a few frames, or the end comes before the first answer.
    await until(() => writer.asked - writer.saved < 20 || writer.losses.length > 0, "answers come", {
      everyMs: 1,
    })
  }
}

async function get(path: string): Promise<Response> {
  return fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
}

async function textAt(id: string): Promise<string> {
  return ((await (await get(`/docs/${id}?format=json`)).json()) as { text: string }).text
}

describe("[D2] a server of one's own", () => {
  it("[D2] goes on SIGTERM within seconds while people type, and loses nothing that was shown or acknowledged", async () => {
    const ours = enter(openProvider(server.docs, "drained", { token }))
    const stock = enter(openWebsocketProvider(server.docs, "drained", { params: { token } }))
    const raw = () => enter(new RawClient(`${server.docs}/drained-too?token=${token}`))
    const writers = [raw(), raw()]
    await until(() => [ours, stock, ...writers].every(({ synced }) => synced), "all are in")
    const written = Promise.all(writers.map(keepWriting))
    await until(() => writers.every(({ saved }) => saved > 20), "a good deal is acknowledged")
    type(ours, "ours ")
    type(stock, "theirs")
    await until(() => textOf(ours).length === 11 && textOf(stock).length === 11, "each has both words")
    const { code, ms } = await server.terminate()
    expect(code).toBe(0)
    expect(ms).toBeLessThan(10_000)
    await until(() => clients.every(({ losses }) => losses.length > 0), "all have lost their sockets")
    expect(clients.map(({ losses }) => losses[0])).toEqual([1012, 1012, 1012, 1012])
    expect(server.log.find(({ event }) => event === "drained")).toMatchObject({
      rooms: 2,
      peers: 4,
      failed: 0,
    })
    await written
    // Nobody but the disk may have it.
    for (const client of clients) client.leave()
    await server.start()
    const text = await textAt("drained")
    expect(text).toHaveLength(11)
    for (const word of ["ours ", "theirs"]) expect(text).toContain(word)
    const { words } = (await (await get("/docs/drained-too?format=json")).json()) as { words: object }
    for (const [who, { saved }] of writers.entries()) {
      const lost = Array.from({ length: saved }, (_, n) => `${who}:${n}`).filter((key) => !(key in words))
      expect(lost).toEqual([])
    }
  })

  it("[D2] takes what was typed while it was away", async () => {
    const ours = enter(openProvider(server.docs, "away", { token }))
    await until(() => ours.synced, "it is in")
    await server.terminate()
    type(ours, "meanwhile")
    await server.start()
    await until(async () => (await textAt("away")) === "meanwhile", "it has arrived")
    ours.leave()
  })

  it("[D2] has what it acknowledged after kill -9 of the command, whose workerd it then ends", async () => {
    const ours = enter(openProvider(server.docs, "killed", { token }))
    type(ours, "acknowledged")
    await ours.provider.whenSaved()
    await server.killCommand()
    ours.leave()
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
    await server.start()
    expect(await textAt("killed")).toBe("acknowledged")
  })

  it("[D2] [A1] ends with 1 where workerd was killed, and brings the list up to date when it is started again", async () => {
    const ours = enter(openProvider(server.docs, "listed", { token }))
    type(ours, "acknowledged")
    await ours.provider.whenSaved()
    expect(await server.killWorkerd()).toBe(1)
    ours.leave()
    await server.start()
    // Nobody opens it: the alarm that was set before the kill does.
    const ids = async () => {
      const { documents } = (await (await get("/docs")).json()) as { documents: { id: string }[] }
      return documents.map(({ id }) => id)
    }
    await until(async () => (await ids()).includes("listed"), "the list has it")
    await fetch(`${server.url}/docs/listed`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}` },
    })
    expect(await ids()).not.toContain("listed")
  })

  it("[O1] says that it is ready, and logs lines of JSON with the document's id", async () => {
    const response = await fetch(`${server.url}/ready`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: "ok", rooms: "ok", archive: "ok" })
    const committed = server.log.filter(({ event, document }) => event === "committed" && document === "away")
    expect(committed[0]).toMatchObject({ level: "debug", revision: 1, bytes: expect.any(Number) })
    expect(JSON.stringify(server.log)).not.toContain(token)
  })

  it("[O1] gives an admin its metrics, and nobody else", async () => {
    const ours = enter(openProvider(server.docs, "measured", { token }))
    type(ours, "words")
    await ours.provider.whenSaved()
    const response = await get("/metrics")
    expect(response.headers.get("content-type")).toContain("application/openmetrics-text")
    const text = await response.text()
    expect(text).toMatch(/^yurt_connections\{rights="write",dialect="yurt"\} 1$/m)
    expect(text).toMatch(/^yurt_events_total{event="committed"} [1-9]/m)
    ours.leave()
    await until(
      async () => (await (await get("/metrics")).text()).includes("\nyurt_rooms_open 0\n"),
      "it has left",
    )
    const reader = await mintToken({ subject: "bo", docs: [{ id: "*", rights: "read" }] }, { secret: SECRET })
    expect((await fetch(`${server.url}/metrics?token=${reader}`)).status).toBe(403)
    expect((await fetch(`${server.url}/metrics`)).status).toBe(401)
  })

  it("[D2] goes on where nobody reads its log any more", async () => {
    server.loseReader()
    const ours = enter(openProvider(server.docs, "unread", { token }))
    type(ours, "words")
    await ours.provider.whenSaved()
    ours.leave()
    expect(await textAt("unread")).toBe("words")
    expect((await server.terminate()).code).toBe(0)
  })

  it("[D2] lets no second server onto its folder", async () => {
    const refusal = await typed(["serve", "--data", server.data, "--port", String(await freePort())], {
      AUTH_SECRET: SECRET,
    })
    expect(refusal).toMatchObject({ code: 1, stdout: "" })
    expect(refusal.stderr).toMatch(/^data-in-use: .* is used by the server with process id \d+/)
    expect((await fetch(`${server.url}/health`)).status).toBe(200)
  })
})

it("[A1] lands documents in a Postgres of one's own, those of before included, and says when it is away", async () => {
  const database = await startPostgres()
  const variables: Record<string, string> = {
    AUTH_SECRET: SECRET,
    LIMIT_FLUSH_MS: "100",
    LIMIT_READY_MS: "1",
  }
  const own = await SelfHosted.start(variables)
  const textOf = async (id: string) => {
    const rows = await database.query<{ text: string }>("select text from yurt_documents where id = $1", [id])
    return rows[0]?.text
  }
  try {
    const before = enter(openProvider(own.docs, "before", { token }))
    type(before, "without a database")
    await before.provider.whenSaved()
    before.leave()
    await own.terminate()
    Object.assign(variables, { POSTGRES_URL: database.url, POSTGRES_MIGRATE: "true" })
    await own.start()
    // Nobody opens it.
    await until(
      async () => (await textOf("before")) === "without a database",
      "the document of before is there",
    )
    await until(() => own.log.some(({ event }) => event === "refilled"), "all are there")
    expect(own.log.find(({ event }) => event === "refilled")).toMatchObject({ documents: 1, failed: 0 })
    const ours = enter(openProvider(own.docs, "landed", { token }))
    type(ours, "words to be found")
    await until(async () => (await textOf("landed")) === "words to be found", "the row is there")
    await database.stop()
    await until(
      async () => (await fetch(`${own.url}/ready`)).status === 503,
      "it says that the archive is away",
    )
    ours.leave()
  } finally {
    await own.stop()
    await database.close()
  }
})

describe("[R1] a server that would serve nobody, or everybody, does not start", () => {
  it.each<[string, string[], Record<string, string>, string]>([
    ["without a key", [], {}, "no-secret"],
    ["open to the network", ["--host", "0.0.0.0"], { OPEN_ON_LOCALHOST: "true" }, "bad-config"],
    ["with a limit that is none", [], { AUTH_SECRET: SECRET, LIMIT_SOKETS: "5" }, "bad-config"],
    ["with a database it does not have", [], { AUTH_SECRET: SECRET, ARCHIVE: "d1" }, "bad-config"],
    ["with a public key that is none", [], { AUTH_PUBLIC_KEY: "hunter2" }, "bad-config"],
    [
      "with a webhook that it could not sign for",
      [],
      { AUTH_SECRET: SECRET, WEBHOOK_URL: "https://a.example" },
      "bad-config",
    ],
    ["with an address that is none", [], { AUTH_SECRET: SECRET, POSTGRES_URL: "hunter2" }, "bad-config"],
    [
      "as a node on a workerd that knows no clusters",
      ["--cluster=s3://yurt/test", "--node=127.0.0.1:7000"],
      {
        ...{ AUTH_SECRET: SECRET, CLUSTER_KEY: SECRET },
        ...{ AWS_ACCESS_KEY_ID: "yurt", AWS_SECRET_ACCESS_KEY: "hunter2" },
      },
      "not-installed",
    ],
    ["without a folder", ["--data", "/dev/null/x"], { AUTH_SECRET: SECRET }, "data-in-use"],
    ["on a port that is none", ["--port", "http"], { AUTH_SECRET: SECRET }, "usage"],
  ])("[R1] %s", async (_, args, env, says) => {
    const { code, stdout, stderr } = await typed(["serve", "--data", server.data, ...args], env)
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr.split(":")[0]).toBe(says)
    expect(stderr).not.toMatch(/^ +at /m)
    expect(stderr).not.toContain("hunter2")
  })
})

it("[O1] a node says why it does not start: the clock, the key, the bucket, its folder", async () => {
  const bucket = await startBucket()
  const start = async (env: Record<string, string> = {}) => {
    const node = await SelfHosted.node(
      { AUTH_SECRET: SECRET },
      { bucket: { ...bucket.env, ...env }, timeDivisor: 10 },
    )
    // It listens before it has looked at the bucket's clock.
    return node
      .start()
      .then(() => node.ended())
      .then(() => node.said)
      .catch((thrown: Error) => thrown.message)
      .finally(() => node.stop())
  }
  try {
    expect(await start({ AWS_ACCESS_KEY_ID: "stranger" })).toMatch(/^refused: .* 403 InvalidAccessKeyId/m)
    expect(await start({ AWS_ENDPOINT_URL: `http://127.0.0.1:${await freePort()}` })).toMatch(
      /^unreachable: The bucket at http:/m,
    )
    bucket.fault = "late"
    expect(await start()).toMatch(/^bad-config: This machine's clock is (59|60|61)\.\d s off/m)
    bucket.fault = "careless"
    expect(await start()).toMatch(/^bad-config: This bucket ignores conditional writes/m)
  } finally {
    await bucket.close()
  }
})

function typed(args: string[], env: Record<string, string>): Promise<Ran> {
  return runYurt([...args, `--worker=${bundledWorker()}`], { folder: server.data, env })
}

describe("[O1] the operator's page", () => {
  it("[O1] [R4] shows and moves a room under a token that stays in its tab, and runs nothing that a document holds", async () => {
    const id = `<img src=x onerror="document.title='run'">`
    const ours = enter(openProvider(server.docs, id, { token }))
    type(ours, "<script>document.title='run'</script>")
    await ours.provider.whenSaved()
    await until(async () => (await (await get("/docs")).text()).includes("onerror"), "it is listed")
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage()
      const wrong: string[] = []
      page.on("console", (message) => message.type() === "error" && wrong.push(message.text()))
      page.on("pageerror", (error) => wrong.push(String(error)))
      await page.goto(`${server.url}/admin`)
      await page.getByLabel("A token with the right").waitFor()
      // The list was asked for without a token.
      wrong.length = 0
      await page.getByLabel("A token with the right").fill(token)
      await page.getByRole("button", { name: "Sign in" }).click()
      await page.getByRole("searchbox").fill("onerror")
      await page.getByRole("link", { name: id }).click()
      await page.getByRole("cell", { name: "ada" }).waitFor()
      await page.getByRole("button", { name: "Watch" }).click()
      await page.getByText("live", { exact: true }).waitFor()
      type(ours, "more")
      await page.locator(".frames .in", { hasText: "update" }).first().waitFor()
      await page
        .locator(".card", { hasText: "Document" })
        .getByRole("button", { name: "Show" })
        .first()
        .click()
      await page.locator(".tree", { hasText: "<script>" }).waitFor()
      await page.getByRole("button", { name: "Make read-only" }).click()
      await page.getByRole("button", { name: "Allow changes" }).waitFor()
      await until(() => ours.losses.length > 0 && ours.synced, "its people come back")
      type(ours, "refused")
      await page.getByRole("button", { name: "Allow changes" }).click()
      await page.getByRole("button", { name: "Make read-only" }).waitFor()
      await ours.provider.whenSaved()
      expect(await textAt(encodeURIComponent(id))).toContain("refused")
      await page.getByRole("button", { name: "Delete" }).click()
      await page.getByRole("dialog").getByRole("textbox").fill(id)
      await page.getByRole("button", { name: "Delete for good" }).click()
      await page.getByRole("heading", { name: "Documents" }).waitFor()
      expect((await get(`/docs/${encodeURIComponent(id)}`)).status).toBe(404)
      expect(await page.title()).toBe("Yurt · admin")
      expect(page.url()).not.toContain(token.slice(0, 20))
      expect(
        await page.evaluate(() => [localStorage.length, document.cookie, sessionStorage.length]),
      ).toEqual([0, "", 1])
      expect(wrong).toEqual([])
    } finally {
      await browser.close()
    }
  })
})
