/** Every fault. */
import { DATABASES } from "./databases.ts"
import { KILLS } from "./kills.ts"
import { NETWORK } from "./network.ts"
import { STORAGE } from "./storage.ts"
import type { Fault } from "./world.ts"

export const FAULTS: readonly Fault[] = [...KILLS, ...STORAGE, ...DATABASES, ...NETWORK]
