#!/usr/bin/env node
/** `npx yurt`: what the package's `bin` runs. */
import { runCommand } from "./commands.ts"

process.exitCode = await runCommand(process.argv.slice(2))
