/** Why an update is refused; thrown to `vet`, never further. Not an Error: a flood of them should cost no stacks. */
export class Refusal {
  /** Plain, with the values and the place: "zero-length delete at byte 9". */
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** A refusal of what stands at a byte. */
export function refusal(what: string, at: number): Refusal {
  return new Refusal(`${what} at byte ${at}`)
}
