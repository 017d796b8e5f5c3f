/** Which addresses out of a document an export may carry: whoever can write the document chose them. */

/** A link's address, normalized, or null: http, https and mailto alone, so no script hides in one. */
export function safeLink(address: string | undefined): string | null {
  if (address === undefined || !URL.canParse(address)) return null
  const { protocol, href } = new URL(address)
  return ["http:", "https:", "mailto:"].includes(protocol) ? encodeRest(href) : null
}

/** An image's address, or null: https, or bytes in the address of a kind that holds no script. */
export function safeImage(address: string): string | null {
  if (/^data:image\/(png|jpeg|gif|webp|avif);base64,[\w+/=]*$/.test(address)) return address
  if (!URL.canParse(address)) return null
  const { protocol, href } = new URL(address)
  return protocol === "https:" ? encodeRest(href) : null
}

/** What `URL` leaves alone in some parts of an address, and HTML or Markdown would not. */
function encodeRest(href: string): string {
  return href.replace(/[\s<>"'`\\]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
