/** What workerd is told: one Worker, its Durable Objects on the disk, two sockets, and whether it is one of many. */
import { type Cluster, HANDOVER_MS } from "./cluster.ts"
import { COMPATIBILITY_DATE } from "./workerd.ts"

/** What differs between servers. */
export interface ServerConfig {
  /** Where it listens: `127.0.0.1:8787`. */
  readonly address: string
  /** The path of the Unix socket by which it is told to go. */
  readonly control: string
  /** The folder of the rooms' databases. */
  readonly rooms: string
  /** Names of variables; their values stay in the environment, so that no secret is written to a disk. */
  readonly variables: readonly string[]
  /** The most that all rooms together take of V8's heap, MB; null: as V8 sees fit. */
  readonly memoryMb: number | null
  /** null: it is by itself. */
  readonly cluster: (Cluster & { readonly keyFile: string }) | null
}

/**
 * The Durable Objects, by class. The unique keys decide where the storage is: who changes one loses what is stored.
 */
const CLASSES = ["Room", "Registry", "Catalogue", "Lookout"]

/** The configuration as workerd reads it; the Worker is the file `worker.js` beside it. */
export function writeConfig({ address, control, rooms, variables, memoryMb, cluster }: ServerConfig): string {
  const flags = memoryMb === null ? [] : [`--max-heap-size=${memoryMb}`]
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [${flags.map(quote).join(", ")}],${cluster === null ? "" : writeCluster(cluster)}
  services = [
    (name = "main", worker = .worker),
    (name = "rooms", disk = (path = ${quote(rooms)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true)))${
      // Whether it belongs to the cluster, which only its own port says.
      cluster === null
        ? ""
        : `,\n    (name = "node", external = (address = ${quote(cluster.node)}, http = ()))`
    }
  ],
  sockets = [
    (name = "http", address = ${quote(address)}, http = (), service = "main"),
    (name = "control", address = ${quote(`unix:${control}`)}, http = (), service = (name = "main", entrypoint = "Control"))
  ]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  durableObjectNamespaces = [
    ${CLASSES.map((name) => `(className = "${name}", uniqueKey = "yurt-${name}", enableSql = true)`).join(",\n    ")}
  ],
  durableObjectStorage = (localDisk = "rooms"),
  bindings = [
    ${[
      ...CLASSES.map((name) => `(name = "${name}", durableObjectNamespace = "${name}")`),
      ...variables.map((name) => `(name = ${quote(name)}, fromEnvironment = ${quote(name)})`),
      ...(cluster === null ? [] : [`(name = "Node", service = "node")`]),
    ].join(",\n    ")}
  ]
);
`
}

/** Its place in a cluster. Where the bucket is and who may use it, workerd reads from the environment. */
function writeCluster({ bucket, node, listen, keyFile, timeDivisor }: Cluster & { keyFile: string }): string {
  return `
  cluster = (
    bucket = ${quote(bucket)}, address = ${quote(listen)}, advertise = ${quote(node)}, key = embed ${quote(keyFile)},
    stopTimeoutMs = ${HANDOVER_MS}, unsafeTimeDivisor = ${timeDivisor}
  ),`
}

/** A text as Cap'n Proto writes it, which escapes as C does. */
function quote(text: string): string {
  const bytes = [...new TextEncoder().encode(text)]
  const escaped = bytes.map((byte) =>
    byte > 0x1f && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`,
  )
  return `"${escaped.join("")}"`
}
