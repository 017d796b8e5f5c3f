/** A node's command line, and what workerd's words mean. That nodes work is tested by test/faults/cluster.ts. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import {
  type Cluster,
  checkAlone,
  explainEnd,
  explainLine,
  KeyFile,
  readCluster,
} from "../../../src/cli/serve/cluster.ts"
import { writeConfig } from "../../../src/cli/serve/config.ts"
import { startBucket, type TestBucket } from "../../kit/bucket.ts"
import { freePort } from "../../kit/port.ts"

const KEY = "0123456789abcdef0123456789abcdef"
const ENV = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "hunter2", CLUSTER_KEY: KEY }
const OPTIONS = { bucket: "s3://documents/yurt", node: "10.0.0.1:7000" }
const CLUSTER: Cluster = { ...OPTIONS, listen: "0.0.0.0:7000", key: KEY, timeDivisor: 1 }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

describe("[O1] a node's command line", () => {
  it("[O1] says where the documents are and where the others reach it", () => {
    expect(readCluster("", OPTIONS, ENV)).toEqual({ ...CLUSTER, listen: "10.0.0.1:7000" })
    expect(readCluster("", { ...OPTIONS, listen: "0.0.0.0:7000" }, ENV)).toEqual(CLUSTER)
    expect(readCluster("", { bucket: undefined, node: undefined, listen: undefined }, ENV)).toBeNull()
  })

  it.each<[string, Record<string, string | undefined>, Record<string, string | undefined>, string]>([
    ["a node of nothing", { bucket: undefined }, {}, "usage"],
    ["a bucket without a prefix", { bucket: "s3://documents" }, {}, "usage"],
    ["a bucket of another kind", { bucket: "http://documents/yurt" }, {}, "usage"],
    ["no address", { node: undefined }, {}, "usage"],
    ["an address without a port", { node: "10.0.0.1" }, {}, "usage"],
    ["an address on any port", { node: "10.0.0.1:0" }, {}, "usage"],
    ["an address nobody can call", { node: "0.0.0.0:7000" }, {}, "usage"],
    ["an address with a quote", { node: `a"b:7000`, listen: "a b:1" }, {}, "usage"],
    ["no key", {}, { CLUSTER_KEY: undefined }, "bad-config"],
    ["a short key", {}, { CLUSTER_KEY: "hunter2" }, "bad-config"],
    ["no credentials", {}, { AWS_SECRET_ACCESS_KEY: undefined }, "bad-config"],
    ["an endpoint that is none", {}, { AWS_ENDPOINT_URL: "somewhere" }, "bad-config"],
  ])("[O1] is refused with %s, and no secret is told", (_, options, env, code) => {
    let thrown: unknown
    try {
      readCluster("usage", { ...OPTIONS, ...options }, { ...ENV, ...env })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ name: "CommandError", code })
    expect(String(thrown)).not.toContain("hunter2")
  })

  it("[O1] takes credentials that a file has", () => {
    const env = { CLUSTER_KEY: KEY, AWS_CREDENTIALS_FILE: "/run/secrets/bucket" }
    expect(readCluster("", OPTIONS, env)).not.toBeNull()
  })
})

describe("[O1] a node", () => {
  it("[O1] starts only where nobody is at its address", async () => {
    const bucket = await startBucket()
    ends.push(() => bucket.close())
    await expect(checkAlone({ ...CLUSTER, node: `127.0.0.1:${bucket.port}` })).rejects.toMatchObject({
      code: "data-in-use",
    })
    await checkAlone({ ...CLUSTER, node: `127.0.0.1:${await freePort()}` })
  })

  it("[R1] has its key in a file that goes, and neither it nor the bucket's in the configuration", () => {
    const folder = mkdtempSync(join(tmpdir(), "yurt-key-"))
    ends.push(() => rmSync(folder, { recursive: true }))
    const file = new KeyFile(folder, CLUSTER)
    expect(readFileSync(file.path, "utf8")).toBe(KEY)
    expect(statSync(file.path).mode & 0o777).toBe(0o600)
    const config = writeConfig({
      ...{ address: "127.0.0.1:8787", control: "/c", rooms: "/r", variables: [], memoryMb: null },
      cluster: { ...CLUSTER, keyFile: file.path },
    })
    expect(config).toContain(`embed "${file.path}"`)
    expect(config).not.toContain(KEY)
    file.remove()
    expect(existsSync(file.path)).toBe(false)
  })
})

describe("[O1] why a node ended", () => {
  const why = (...output: string[]) =>
    explainEnd(output, { bucket: OPTIONS.bucket, settings: { AWS_ENDPOINT_URL: "https://store.example" } })

  // As workerd 1.20261117.1 says it.
  it.each([
    [
      "cluster: could not load deployments from s3://a/b: bucket: GET b/v1/deploy/catalog.json: client error (Connect)",
      ["unreachable", "The bucket at https://store.example does not answer: client error (Connect)."],
    ],
    [
      "cluster: could not load deployments from s3://a/b: bucket: GET b/v1/deploy/catalog.json: 503 SlowDown",
      ["unreachable", "The bucket at https://store.example does not answer: 503 SlowDown."],
    ],
    [
      "cluster: could not load deployments from s3://a/b: bucket: GET b/v1/deploy/catalog.json: 403 InvalidAccessKeyId",
      ["refused", "The bucket does not let these credentials in: 403 InvalidAccessKeyId."],
    ],
    [
      "failed: joining the cluster: bucket: PUT p/v1/nodes/06ff93a3.probe: 404 NoSuchBucket",
      ["bad-config", "There is no bucket of s3://documents/yurt (404 NoSuchBucket)."],
    ],
    [
      "workerd/server/server/run.rs:257: error: leaving the cluster: clock off from the bucket's by 59513 ms",
      ["bad-config", "This machine's clock is 59.5 s off from the bucket's. Set it by NTP."],
    ],
    [
      "entry.rs:143: failed: cluster address 127.0.0.1:15951: Address already in use (os error 98)",
      ["data-in-use", "Something listens on 127.0.0.1:15951 already."],
    ],
    [
      "entry.rs:143: failed: cluster address 8.8.8.8:7000 is public, and traffic between instances is not encrypted",
      ["bad-config", "8.8.8.8:7000 is public, and nodes talk in the clear: give them a private network."],
    ],
  ])("[O1] %s", (line, [code, message]) => {
    expect(why("something before", line, "and after")).toMatchObject({ code, message })
  })

  it("[O1] is the newest reason, or none", () => {
    expect(why("bucket: GET x: timed out", "leaving the cluster: renewal timed out")?.message).toContain(
      "left",
    )
    expect(why("Segmentation fault")).toBeNull()
  })

  it("[R1] is told while it runs where a stranger knocks", () => {
    const line =
      "cluster.rs:730: warning: cluster CONNECT refused: cluster CONNECT without a valid cf-cluster-auth"
    expect(explainLine(line)?.message).toContain("another CLUSTER_KEY")
    expect(explainLine("ready")).toBeNull()
  })
})

describe("the bucket of the tests", () => {
  const ask = (bucket: TestBucket, method: string, path: string, headers = {}, body: string | null = null) =>
    fetch(`http://127.0.0.1:${bucket.port}/yurt/${path}`, {
      method,
      body,
      headers: { authorization: `Credential=${bucket.env.AWS_ACCESS_KEY_ID}/x`, ...headers },
    })

  it("keeps conditions, and lists in pages", async () => {
    const bucket = await startBucket()
    ends.push(() => bucket.close())
    expect((await ask(bucket, "PUT", "a", { "if-none-match": "*" }, "1")).status).toBe(200)
    expect((await ask(bucket, "PUT", "a", { "if-none-match": "*" }, "2")).status).toBe(412)
    const tag = (await ask(bucket, "GET", "a")).headers.get("etag")!
    expect((await ask(bucket, "PUT", "a", { "if-match": tag }, "3")).status).toBe(200)
    expect((await ask(bucket, "PUT", "a", { "if-match": tag }, "4")).status).toBe(412)
    expect(await (await ask(bucket, "GET", "a")).text()).toBe("3")
    await Promise.all(
      Array.from({ length: 150 }, (_, n) => ask(bucket, "PUT", `many/${1000 + n}`, {}, String(n))),
    )
    const keys: string[] = []
    for (let token = ""; ; ) {
      const query = new URLSearchParams({ "list-type": "2", prefix: "many/", "continuation-token": token })
      const page = await (await ask(bucket, "GET", `?${query}`)).text()
      keys.push(...[...page.matchAll(/<Key>([^<]+)/g)].map(([, key]) => key!))
      token = /<NextContinuationToken>([^<]+)/.exec(page)?.[1] ?? ""
      if (token === "") break
    }
    expect(keys).toEqual(Array.from({ length: 150 }, (_, n) => `many/${1000 + n}`))
  })
})
