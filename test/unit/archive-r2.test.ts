import { archiveContract } from "../archive-contract.ts"
import { openDesk } from "../archive-desk.ts"

archiveContract("r2", () => openDesk({ name: "r2", bindings: ["r2"] }))
