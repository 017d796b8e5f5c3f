/** Where Durable Objects live: the jurisdiction they may not leave, and the place they are first made near. */

/** The variables of a Worker that place its objects. */
export interface Placement {
  /**
   * "eu" or "fedramp": documents, their past and the registries of subjects are stored and run there only. Each
   * jurisdiction has ids of its own: a room of the same name is another one, and starts from the archive.
   */
  readonly JURISDICTION?: string
  /** "weur", "enam", …: where an object is made that nobody has asked for before. Without it, near who asks first. */
  readonly LOCATION_HINT?: string
}

/** A Durable Object binding, as far as it is asked for objects by name. */
export interface NamedObjects<Stub> {
  getByName(name: string, options?: { locationHint?: string }): Stub
  idFromName(name: string): object
  jurisdiction?(jurisdiction: string): NamedObjects<Stub>
}

/**
 * The objects of a binding, where the environment wants them.
 *
 * @throws Error the platform's own, for a jurisdiction it does not know; plain workerd knows none
 * @source Durable Objects, Data location
 */
export function placed<Stub>(objects: NamedObjects<Stub>, env: object): NamedObjects<Stub> {
  const { JURISDICTION, LOCATION_HINT }: Placement = env
  // A method that another Worker's binding claims to have must not be asked for where nothing is to be placed.
  const within = JURISDICTION ? objects.jurisdiction!(JURISDICTION) : objects
  if (!LOCATION_HINT) return within
  return {
    idFromName: (name) => within.idFromName(name),
    getByName: (name) => within.getByName(name, { locationHint: LOCATION_HINT }),
  }
}
