import type { NextConfig } from "next"

export default {
  // This folder, and not the repository around it.
  turbopack: { root: import.meta.dirname },
} satisfies NextConfig
