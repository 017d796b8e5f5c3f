/**
 * `/admin`: the operator's page, which anybody may load: it holds nothing, and asks for a token. Its files are text in this
 * module, so that every bundler and every server has them.
 */
import type { Resource } from "../http/resource.ts"
import { PAGE_CSS, PAGE_HTML, PAGE_JS } from "./page-text.ts"

/**
 * What the page may do: run its own script, ask its own server, and no more. Nothing that a document holds can become a
 * script, a frame or a request.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ")

/** The rows of the table of resources that are the page. */
export const page: readonly Resource[] = [
  file("/admin", "text/html", PAGE_HTML),
  file("/admin/page.js", "text/javascript", PAGE_JS),
  file("/admin/page.css", "text/css", PAGE_CSS),
]

function file(path: string, type: string, text: string): Resource {
  return {
    about: "server",
    path,
    methods: {
      GET: {
        rights: null,
        answer: () =>
          new Response(text, {
            headers: {
              "content-type": `${type};charset=utf-8`,
              "cache-control": "no-cache",
              "content-security-policy": POLICY,
              "referrer-policy": "no-referrer",
              "cross-origin-opener-policy": "same-origin",
              "cross-origin-resource-policy": "same-origin",
              "x-frame-options": "DENY",
            },
          }),
      },
    },
  }
}
