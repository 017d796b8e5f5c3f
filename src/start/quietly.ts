/**
 * Loads lib0 where its errors cost nothing: it makes two while it is loaded, a third of the time in which a room opens in a new
 * process. The first import of whatever a Worker may import first; one that imports yjs before starts as slowly as ever.
 */
import "./hush.ts"
import { createDecoder } from "lib0/decoding"
import { unhush } from "./hush.ts"

unhush(createDecoder)
