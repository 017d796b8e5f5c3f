/** An export format: the headings of a note, one a line. */
import type { Format } from "yurt/export/formats"

export const outline: Format = {
  mediaType: "text/plain; charset=utf-8",
  write: (doc) => {
    const lines = doc.getText("text").toString().split("\n")
    return lines.filter((line) => /^#+ /.test(line)).join("\n")
  },
}
