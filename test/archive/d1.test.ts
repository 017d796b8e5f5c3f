import { archiveContract } from "./contract.ts"
import { openDesk } from "./desk.ts"

archiveContract("d1", () => openDesk({ name: "d1", bindings: ["d1"] }))
