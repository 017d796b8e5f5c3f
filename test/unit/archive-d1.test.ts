import { archiveContract } from "../archive-contract.ts"
import { openDesk } from "../archive-desk.ts"

archiveContract("d1", () => openDesk({ name: "d1", bindings: ["d1"] }))
