/** Before the first `npm run dev`: secrets for this machine, in .env.local, which Next.js and the rooms both read. */
import { randomBytes } from "node:crypto"
import { existsSync, writeFileSync } from "node:fs"

const FILE = ".env.local"
const secret = () => randomBytes(32).toString("base64url")

if (!existsSync(FILE)) {
  // The first one signs this application's cookies; the second one, which the rooms know too, the tokens.
  writeFileSync(FILE, `SESSION_SECRET=${secret()}\nAUTH_SECRET=${secret()}\n`, { mode: 0o600 })
}
