/** What the server says about a refusal, for somebody who knows nothing of frames. */

/** The reason as a visitor reads it. @param reason as the room gave it */
export function readable(reason: string): string {
  // @source src/room/dialogue.ts
  return reason.replace(
    /^Frame of (\d+) bytes; at most (\d+)$/,
    (_, bytes: string, most: string) =>
      `${megabytes(bytes)} at once are too much; at most ${megabytes(most)} are taken.`,
  )
}

function megabytes(bytes: string): string {
  return `${(Number(bytes) / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`
}
