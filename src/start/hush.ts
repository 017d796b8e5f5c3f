/**
 * Errors without a place, until `unhush`: instances of Error with a message, and no stack. workerd asks V8 for the place of
 * every Error, and for the first one of a script V8 reads the whole script once more to know it. quietly.ts says whom that
 * would hit.
 */
const { Error: LoudError } = globalThis

function QuietError(message: string): Error {
  return Object.create(LoudError.prototype, { message: { value: message } })
}

Reflect.set(globalThis, "Error", QuietError)

/** Make errors as ever. @param _loaded what was to be loaded before: named, so that no bundler leaves its import out */
export function unhush(_loaded: unknown): void {
  globalThis.Error = LoudError
}
