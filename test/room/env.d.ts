declare namespace Cloudflare {
  interface Env {
    readonly DB: D1Database
    readonly Room: DurableObjectNamespace<import("./worker.ts").Room>
    readonly Small: DurableObjectNamespace<import("./worker.ts").Small>
    readonly Historic: DurableObjectNamespace<import("./worker.ts").Historic>
    readonly Keeping: DurableObjectNamespace<import("./worker.ts").Keeping>
    readonly Moving: DurableObjectNamespace<import("./worker.ts").Moving>
    readonly Seeded: DurableObjectNamespace<import("./worker.ts").Seeded>
    readonly Retiring: DurableObjectNamespace<import("./worker.ts").Retiring>
    readonly Counter: DurableObjectNamespace<import("./worker.ts").Counter>
    readonly Watched: DurableObjectNamespace<import("./worker.ts").Watched>
    readonly Lookout: DurableObjectNamespace<import("../../src/admin.ts").Lookout>
    readonly Catalogue: DurableObjectNamespace<import("../../src/host/catalogue.ts").Catalogue>
    readonly Registry: DurableObjectNamespace<import("../../src/access/registry.ts").Registry>
  }
}
