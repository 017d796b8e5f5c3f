/** The clipboard, which a browser withholds on plain http and where the visitor has denied it. */

/** Copy a text. @returns whether it is on the clipboard now */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Undefined on plain http, refused by a permission: the caller shows the text to be copied by hand.
    return false
  }
}
