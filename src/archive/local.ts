/** Which addresses are this machine: what goes to any other has to be encrypted. */

/** @param hostname as `URL.hostname` gives it, an IPv6 address in brackets or without */
export function isLocalHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase()
  return host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(\.\d+){3}$/.test(host)
}
