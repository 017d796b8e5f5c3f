/**
 * A node of a cluster: several servers over one bucket, which has every document. Each room runs on one of them; whichever
 * a client came to passes it on. workerd does it; here is what it is told, and its words where it cannot.
 */
import { chmodSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Settings } from "../settings.ts"
import { CommandError, type CommandErrorCode } from "../terminal.ts"

/** The workerd that clusters were tried with. Their protocol is marked experimental: another may not understand it. */
export const CLUSTER_WORKERD = "1.20261117.1"

/** From SIGTERM a node takes this long to hand its rooms over, ms. It answers for five seconds in any case. */
export const HANDOVER_MS = 8_000

/** Under a cluster's key, bytes, workerd does not start. */
const KEY_BYTES = 32

/** A node that is asked whether it is there answers within this time, ms. A guess: it is in the same network. */
const ASK_MS = 2_000

/** What makes this server a node. */
export interface Cluster {
  /** `s3://bucket/prefix` */
  readonly bucket: string
  /** `host:port` by which the other nodes reach this one; its name among them. */
  readonly node: string
  /** `host:port` on which it listens for them. */
  readonly listen: string
  /** What the nodes know each other by. A secret. */
  readonly key: string
  /** Times of the cluster are divided by this; 1 but in tests. */
  readonly timeDivisor: number
}

/**
 * What the command line and the environment say of a cluster.
 * @returns null: this is a server by itself
 * @throws CommandError "usage", "bad-config"
 */
export function readCluster(
  usage: string,
  { bucket, node, listen = node }: Partial<Record<"bucket" | "node" | "listen", string | undefined>>,
  settings: Settings,
): Cluster | null {
  if (bucket === undefined) {
    if (node === undefined && listen === undefined) return null
    throw new CommandError("usage", "--node is of a cluster: --cluster names its bucket.", usage)
  }
  if (!/^s3:\/\/[^/\s]+\/[^\s]+$/.test(bucket))
    throw new CommandError("usage", `--cluster is s3://bucket/prefix, and not ${bucket}.`, usage)
  if (node === undefined)
    throw new CommandError("usage", "--node says where the other nodes reach this one: HOST:PORT.", usage)
  for (const [name, address] of Object.entries({ node, "node-listen": listen! }))
    if (!isAddress(address))
      throw new CommandError(
        "usage",
        `--${name} is HOST:PORT with a port above 0, and not ${address}.`,
        usage,
      )
  // Where it listens it may be every address; the others need one.
  if (/^(0\.0\.0\.0|\[::\]):/.test(node))
    throw new CommandError("usage", `--node is where others reach this one, which is not ${node}.`, usage)
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    if (!settings[name]?.trim() && !settings.AWS_CREDENTIALS_FILE?.trim())
      throw new CommandError("bad-config", `${name} is not in the environment: the bucket asks for it.`)
  const endpoint = settings.AWS_ENDPOINT_URL
  // Shown: secrets have variables of their own.
  if (endpoint !== undefined && !/^https?:\/\/[^/]+\/?$/.test(endpoint))
    throw new CommandError("bad-config", `AWS_ENDPOINT_URL is http(s)://host[:port], and not ${endpoint}.`)
  const key = settings.CLUSTER_KEY?.trim() ?? ""
  if (Buffer.byteLength(key) < KEY_BYTES)
    throw new CommandError(
      "bad-config",
      `CLUSTER_KEY has ${Buffer.byteLength(key)} bytes. The nodes know each other by it: the same ${KEY_BYTES} or more for all.`,
      "openssl rand -hex 32",
    )
  return { bucket, node, listen: listen!, key, timeDivisor: Number(settings.CLUSTER_TIME_DIVISOR ?? 1) }
}

/**
 * Nobody is at this node's address. Two nodes of one address would get each other's rooms, now one and now the other.
 * @throws CommandError "data-in-use"
 */
export async function checkAlone({ node }: Cluster): Promise<void> {
  try {
    await fetch(`http://${node}/ready`, { signal: AbortSignal.timeout(ASK_MS) })
  } catch {
    return
  }
  throw new CommandError(
    "data-in-use",
    `Somebody is at ${node} already; each node has an address of its own.`,
  )
}

/** The key as a file, for as long as workerd reads it: so it is not in the configuration, which stays on the disk. */
export class KeyFile {
  readonly path: string

  /** @param folder one that only its owner can read */
  constructor(folder: string, { key }: Cluster) {
    this.path = join(folder, "key")
    writeFileSync(this.path, key, { mode: 0o600 })
    // The mask of the process may have taken from the mode, which is well, but the owner has to read it.
    chmodSync(this.path, 0o600)
  }

  remove(): void {
    rmSync(this.path, { force: true })
  }
}

/** What workerd says, and what it means to who runs it. Of a cluster only: elsewhere it says none of it. */
const REASONS: readonly (readonly [RegExp, CommandErrorCode, (found: string, asked: Reasons) => string])[] = [
  [
    /clock off from the bucket's by (\d+) ms/,
    "bad-config",
    (ms) =>
      `This machine's clock is ${(Number(ms) / 1000).toFixed(1)} s off from the bucket's. Set it by NTP.`,
  ],
  [
    /ignores conditional writes/,
    "bad-config",
    () => "This bucket ignores conditional writes (If-Match), without which two nodes would own one room.",
  ],
  [
    /holds Durable Objects from before cluster mode/,
    "data-in-use",
    () =>
      "--data has documents of a server by itself, which a cluster would hide. Give the node an empty folder.",
  ],
  [
    /cluster address (\S+): Address already in use/,
    "data-in-use",
    (address) => `Something listens on ${address.replace(/:$/, "")} already.`,
  ],
  [
    /cluster address (\S+) is public/,
    "bad-config",
    (address) => `${address} is public, and nodes talk in the clear: give them a private network.`,
  ],
  [
    /bucket: .*: (404 NoSuchBucket)/,
    "bad-config",
    (says, { bucket }) => `There is no bucket of ${bucket} (${says}).`,
  ],
  [/bucket: .*: (40[13]\b.*)/, "refused", (says) => `The bucket does not let these credentials in: ${says}.`],
  [
    /(renewal timed out|the lease lapsed before it could be renewed)/,
    "unreachable",
    (says, { endpoint }) => `The bucket${endpoint} did not answer for too long, so this node left: ${says}.`,
  ],
  [
    /bucket: .*: (client error.*|timed out|5\d\d\b.*)/,
    "unreachable",
    (says, { endpoint }) => `The bucket${endpoint} does not answer: ${says.trim()}.`,
  ],
]

/** What the reasons are about. */
interface Reasons {
  readonly bucket: string
  /** ` at http://…`, or nothing. */
  readonly endpoint: string
}

/**
 * Why a node ended, in words.
 * @param output what workerd had said, a line each, the newest last
 * @returns null where none of it is a reason
 */
export function explainEnd(
  output: readonly string[],
  { bucket, settings }: { bucket: string; settings: Settings },
): CommandError | null {
  const { AWS_ENDPOINT_URL: url } = settings
  const asked = { bucket, endpoint: url === undefined ? "" : ` at ${url}` }
  for (const line of output.toReversed()) {
    for (const [pattern, code, say] of REASONS) {
      const found = pattern.exec(line)
      if (found !== null) return new CommandError(code, say(found[1] ?? "", asked))
    }
  }
  return null
}

/**
 * What a line of workerd's says that an operator of a cluster has to know.
 * @returns null where it is none of those
 */
export function explainLine(line: string): { event: string; message: string } | null {
  if (!line.includes("cluster CONNECT without a valid cf-cluster-auth")) return null
  const message =
    "A node with another CLUSTER_KEY, or whose clock is 30 s off, asked for a room and was refused."
  return { event: "stranger", message }
}

/** host:port, an IPv6 one in brackets. */
function isAddress(text: string): boolean {
  const [, port] = /^(?:\[[\da-fA-F:.]+\]|[^\s:/@[\]]+):(\d{1,5})$/.exec(text) ?? []
  return port !== undefined && Number(port) > 0 && Number(port) < 65_536
}
