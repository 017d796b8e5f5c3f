/** The part of the Worker's environment that decides about access, and how its text is read. */

/** The variables that decide about access. A blank value counts as not set. */
export interface AccessSettings {
  /** HS256: the secret as text, at least 32 bytes of UTF-8; its text is the key, nothing is decoded. */
  readonly AUTH_SECRET?: string
  /** HS256: the secret before this one. Its tokens stay valid while it is set, so that a secret can be changed with an overlap. */
  readonly AUTH_SECRET_PREVIOUS?: string
  /** EdDSA (Ed25519): a public key as SPKI PEM (`\n` may be written out), or a JWK as JSON. */
  readonly AUTH_PUBLIC_KEY?: string
  /** EdDSA: the public key before this one, valid while it is set. */
  readonly AUTH_PUBLIC_KEY_PREVIOUS?: string
  /** The address of a JSON Web Key Set, https (http on localhost). */
  readonly AUTH_JWKS_URL?: string
  /** What a token's `aud` must hold. Default "yurt". */
  readonly AUTH_AUDIENCE?: string
  /** What a token's `iss` must be, when this is set. */
  readonly AUTH_ISSUER?: string
  /**
   * The origins whose pages may ask, comma-separated: `https://app.example`, an app's own scheme as in
   * `capacitor://localhost`, `null` for pages without an origin of their own, or `*`. Requests without an Origin pass.
   */
  readonly ALLOWED_ORIGINS?: string
  /** "true": while no key is set, requests to localhost, 127.0.0.1 and [::1] have every right. */
  readonly OPEN_ON_LOCALHOST?: string
}

/**
 * A setting without the blanks around it.
 * @returns null when it is not set or blank
 */
export function readText(value: string | undefined): string | null {
  return value?.trim() || null
}

/** The items of a comma-separated header or setting; blank items are left out. */
export function readList(value: string | null): string[] {
  return (value ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
}
