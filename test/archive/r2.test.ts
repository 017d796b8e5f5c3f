import { archiveContract } from "./contract.ts"
import { openDesk } from "./desk.ts"

archiveContract("r2", () => openDesk({ name: "r2", bindings: ["r2"] }))
