/** Every fault. */
import { CARRYING } from "./carrying.ts"
import { clusterFaults } from "./cluster.ts"
import { DAMAGE } from "./damage.ts"
import { DATABASES } from "./databases.ts"
import { DELETIONS } from "./deletions.ts"
import { DEPLOYMENTS } from "./deployments.ts"
import { GAPS } from "./gaps.ts"
import { KILLS } from "./kills.ts"
import { NETWORK } from "./network.ts"
import { PAST } from "./past.ts"
import { READERS } from "./readers.ts"
import { REVOKING } from "./revoking.ts"
import type { Fault } from "./round.ts"
import { STORAGE } from "./storage.ts"

/** Lanes can be played side by side: those in the last one strike the database that all rounds share. */
export const LANES: readonly (readonly Fault[])[] = [
  [...KILLS, ...CARRYING, ...REVOKING, ...PAST],
  [...clusterFaults(5), ...STORAGE, ...NETWORK, ...GAPS, ...READERS],
  [...DAMAGE, ...DELETIONS, ...DEPLOYMENTS, ...DATABASES],
]

export const FAULTS: readonly Fault[] = LANES.flat()
