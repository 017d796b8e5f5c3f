/** What "yurt/token" exports, for a backend of one's own: tokens made and proven. It knows no Durable Object. */

export {
  type DocumentRight,
  mintToken,
  type Signing,
  type TokenRequest,
  type Verifying,
  verifyToken,
} from "./access/mint.ts"
export { type Claims, type DocsEntry, type Grant, grantFor, type Need } from "./access/rights.ts"
export { type ErrorCode, SyncError } from "./errors.ts"
