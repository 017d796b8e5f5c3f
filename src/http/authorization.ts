/**
 * `/.well-known/oauth-protected-resource`: where a program gets a token for what is here. It answers where AUTH_ISSUER is the
 * address of an authorization server; tokens are made by it, and checked here as any other.
 *
 * @source RFC 9728, OAuth 2.0 Protected Resource Metadata
 */
import { type AccessSettings, readText } from "../access/settings.ts"
import { SyncError } from "../errors.ts"
import { METADATA_PATH } from "./paths.ts"
import { answerJson, type Resource } from "./resource.ts"

/** GET: the metadata, of the server or of the path that follows. */
export const authorization: Resource = {
  about: "server",
  path: METADATA_PATH,
  methods: {
    GET: {
      rights: null,
      answer({ url, env }) {
        const issuer = issuerOf(env)
        if (issuer === null) throw new SyncError("not-found", "AUTH_ISSUER names no authorization server.")
        return answerJson({
          resource: url.origin + url.pathname.slice(METADATA_PATH.length),
          authorization_servers: [issuer],
          bearer_methods_supported: ["header"],
        })
      },
    },
  },
}

/** What a 401 says: which kind of token, and where it is said who makes one. */
export function challengeFor(request: Request, env: object): string {
  if (issuerOf(env) === null) return "Bearer"
  const { origin, pathname } = new URL(request.url)
  return `Bearer resource_metadata="${origin}${METADATA_PATH}${pathname}"`
}

function issuerOf(env: object): string | null {
  const issuer = readText((env as AccessSettings).AUTH_ISSUER)
  return issuer !== null && /^https:\/\//.test(issuer) && URL.canParse(issuer) ? issuer : null
}
