/**
 * One connection's dialogue with the room about the document: who has what, and what of it is saved.
 *
 * We open with step 1; the room answers with step 2, and sends a step 1 of its own. Its step 2 makes us synced. Once both
 * have come we know what the room lacks, and send it. A room that sends no step 1 takes no changes from us.
 *
 * Our step 1 leaves out what is not saved yet, so that the room sends its version of it. Where that has other content under
 * our clocks, the two are in conflict (conflict.ts): the whole document is fetched, and our changes are made again.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import * as Y from "yjs"
import * as wire from "../wire/y-websocket.ts"
import { findConflicts } from "./conflict.ts"
import { isEmpty, lacksStructs, lowerClocks, missingUpdate } from "./diff.ts"
import type { Ledger } from "./ledger.ts"
import type { Remade, remake } from "./remake.ts"

/** The state of the dialogue. */
type Phase =
  /** The room's step 2 has not come. `asked`: the state vector of its step 1, null before that has come. */
  | { readonly kind: "opening"; readonly asked: Uint8Array | null }
  /** We wait for the whole document, to compare it with ours. */
  | { readonly kind: "comparing"; readonly synced: boolean; readonly writes: boolean }
  /** The room has not asked for changes. `lacks`: whether we have changes that it lacks; null: not known. */
  | { readonly kind: "reading"; readonly lacks: boolean | null }
  /** The room has been sent all it lacked, and gets changes as they are made. */
  | { readonly kind: "level" }
  /** As `level`, but part of what the room lacked is still to be sent, so nothing is known to be saved. */
  | { readonly kind: "bringing" }
  /** The room has refused a change. */
  | { readonly kind: "refused"; readonly reason: string; readonly synced: boolean }

/** What the answer to a step 1 of ours brings. */
type Question = "difference" | "whole"

/** The frames that are about the document. */
export type DocumentFrame = Extract<
  wire.Frame,
  { type: "step-1" | "step-2" | "update" | "refusal" | "saved" }
>

/** What a session works on, and its callbacks. */
export interface SessionOptions {
  readonly doc: Y.Doc
  readonly ledger: Ledger
  /** @returns whether it went out */
  readonly send: (frame: Uint8Array) => boolean
  /** Apply what the room has sent to the document. */
  readonly apply: (update: Uint8Array) => void
  /** `synced` or `readOnly` may have changed. */
  readonly onPhase: () => void
  /** The room takes changes now: send the gathered changes, and ask whether they are saved. */
  readonly onLevel: () => void
  readonly onRefused: (reason: string) => void
  /** Everything made here is on the room's disk. */
  readonly onSaved: () => void
  /** The document was in conflict with the room's, and is made again: use it, and call `replace`. */
  readonly onConflict: (remade: Remade) => void
  /** The whole was compared, and there is no conflict. */
  readonly onAgreement: () => void
  /** A part of this program could not be loaded: the dialogue cannot go on. */
  readonly onFailure: (error: unknown) => void
}

/**
 * The largest part of a step 2 of ours, bytes: well below the 26 MB of a frame, and about a quarter of a second of a room's
 * time. A guess.
 */
const PART_BYTES = 8 * 1024 * 1024

/** The state vector of an empty document. */
const NOTHING = new Uint8Array([0])

/** The dialogue of one socket, from its opening to its end. */
export class Session {
  readonly #options: SessionOptions
  #doc: Y.Doc
  #phase: Phase = { kind: "opening", asked: null }
  /** Loaded at the first conflict. */
  #remake: typeof remake | null = null
  /** Whether the document was empty at the opening, so that all its content has come from the room. */
  readonly #wasEmpty: boolean
  readonly #questions: Question[] = []
  #hasCompared = false
  #refusals = 0
  /** The last answered step 1 with our clocks at the time: the same gap is answered once. */
  #answered = ""

  /** Sends step 1. @param compare whether to compare the whole document first, because it may be in conflict */
  constructor(options: SessionOptions, compare: boolean) {
    this.#options = options
    this.#doc = options.doc
    this.#wasEmpty = isEmpty(options.doc)
    if (compare) this.compare()
    else this.#ask("difference", lowerClocks(this.#doc, options.ledger.unsavedFrom))
  }

  /** Whether this connection has brought everything the room had. */
  get synced(): boolean {
    const phase = this.#phase
    if (phase.kind === "opening") return false
    return phase.kind === "comparing" || phase.kind === "refused" ? phase.synced : true
  }

  /** Whether the room takes no changes; false while that is not known. */
  get readOnly(): boolean {
    return this.#phase.kind === "reading" || this.#phase.kind === "refused"
  }

  /** Why the room refused a change; null if it did not. */
  get refused(): string | null {
    return this.#phase.kind === "refused" ? this.#phase.reason : null
  }

  /** Why nothing more is saved on this connection, or null. */
  get failure(): string | null {
    if (this.#phase.kind === "refused") return `refused a change: ${this.#phase.reason}`
    return this.#phase.kind === "reading" && this.#phase.lacks ? "takes no changes" : null
  }

  /** Whether the room takes a change that is sent now. */
  get takesChanges(): boolean {
    return this.#phase.kind === "level" || this.#phase.kind === "bringing"
  }

  /** Whether a change is to be sent now: also to a room that takes none, so that it refuses visibly. */
  get sendsChanges(): boolean {
    return this.takesChanges || this.#phase.kind === "reading"
  }

  /** Ask for what is missing here. */
  resync(): void {
    this.#ask("difference", Y.encodeStateVector(this.#doc))
  }

  /** The document may be in conflict with the room's: fetch all of that, and compare. */
  compare(): void {
    if (this.#phase.kind === "refused" || this.#phase.kind === "comparing") return
    const writes = this.takesChanges || (this.#phase.kind === "opening" && this.#phase.asked !== null)
    this.#options.ledger.forgetQuestion()
    this.#phase = { kind: "comparing", synced: this.synced, writes }
    this.#ask("whole", NOTHING)
  }

  /** Note a change of the document. @param isLocal made by this page; else it came from its stored copy, and the room may know it */
  noteChange(isLocal: boolean): void {
    if (this.#phase.kind !== "reading" || this.#phase.lacks) return
    this.#phase = { kind: "reading", lacks: isLocal || null }
    if (!isLocal) this.#compareOnce()
  }

  /** Ask the room whether everything sent is saved. */
  askSaved(): void {
    const question = this.#phase.kind === "level" ? this.#options.ledger.ask() : null
    if (question === null) return
    this.#options.send(
      wire.writeSaved(encoding.encode((encoder) => encoding.writeVarUint(encoder, question))),
    )
  }

  /** Handle a frame of the room that is about the document. */
  receive(frame: DocumentFrame): void {
    switch (frame.type) {
      case "step-1":
        this.#receiveStep1(frame.stateVector)
        break
      case "step-2":
        this.#receiveStep2(frame.update)
        break
      case "update":
        // While comparing, the whole document that we wait for includes this update.
        if (this.#phase.kind !== "comparing") this.#options.apply(frame.update)
        break
      case "refusal":
        this.#receiveRefusal(frame.reason)
        break
      case "saved":
        if (this.#options.ledger.confirm(readVarUint(frame.payload))) this.#options.onSaved()
        else this.#options.onLevel()
        break
      default:
        throw new TypeError(`Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }

  #receiveStep1(stateVector: Uint8Array): void {
    const phase = this.#phase
    switch (phase.kind) {
      case "opening":
        this.#phase = { kind: "opening", asked: stateVector }
        break
      case "comparing":
        this.#phase = { ...phase, writes: true }
        break
      case "refused":
        // A refusal may be about one update only, and the room asks for the rest: answered once.
        if (this.#refusals > 1) break
        this.#answered = ""
        if (phase.synced) this.#answer(stateVector, null)
        else this.#phase = { kind: "opening", asked: stateVector }
        break
      case "reading":
      case "level":
      case "bringing":
        this.#answer(stateVector, null)
        break
    }
  }

  #receiveStep2(update: Uint8Array): void {
    const question = this.#questions.shift() ?? "difference"
    const { ledger, apply, onConflict } = this.#options
    const phase = this.#phase
    if (phase.kind === "comparing") {
      if (question !== "whole") return
      const conflicts = findConflicts(this.#doc, update)
      if (conflicts.size > 0) {
        if (this.#remake === null) void this.#loadRemake()
        else onConflict(this.#remake(this.#doc, update, { conflicts, own: ledger.unsavedFrom }))
        return
      }
    } else if (phase.kind === "opening" && ledger.unsavedFrom.size > 0) {
      if (findConflicts(this.#doc, update, ledger.unsavedFrom).size > 0) {
        this.compare()
        return
      }
    }
    try {
      apply(update)
    } finally {
      // Where an observer of the application threw, the document has the update all the same.
      this.#applied(update, question)
    }
  }

  /** After a conflict: the dialogue goes on with this document, of which the room lacks this update. */
  replace(doc: Y.Doc, update: Uint8Array): void {
    const writes = this.#phase.kind === "comparing" && this.#phase.writes
    this.#doc = doc
    this.#phase = writes ? { kind: "level" } : { kind: "reading", lacks: true }
    if (writes) this.#bring(update)
    this.#options.onPhase()
    if (writes) this.#options.onLevel()
  }

  #receiveRefusal(reason: string): void {
    this.#refusals++
    this.#phase = { kind: "refused", reason, synced: this.synced }
    // An answer would only mean that what was not refused is saved.
    this.#options.ledger.forgetQuestion()
    this.#options.onRefused(reason)
    this.#options.onPhase()
  }

  #applied(update: Uint8Array, question: Question): void {
    const phase = this.#phase
    switch (phase.kind) {
      case "opening":
        if (phase.asked === null) this.#read()
        else this.#answer(phase.asked, this.#wasEmpty ? null : update)
        break
      case "comparing":
        if (phase.writes) this.#answer(Y.encodeStateVectorFromUpdate(update), update)
        else this.#read()
        this.#options.onAgreement()
        break
      case "reading":
        if (question === "whole" && phase.lacks === null) this.#compareAsReader(update)
        break
      case "level":
      case "bringing":
      case "refused":
        break
    }
    this.#options.onPhase()
  }

  /** The room takes no changes. Whether it lacks something of ours can only be told from its whole document. */
  #read(): void {
    this.#phase = { kind: "reading", lacks: null }
    if (this.#options.ledger.hasUnsaved) this.#compareOnce()
  }

  /** Compare at most once a connection: a stored copy may bring many changes, and each comparison costs the whole document. */
  #compareOnce(): void {
    if (this.#hasCompared) return
    this.#hasCompared = true
    this.#ask("whole", NOTHING)
  }

  #compareAsReader(whole: Uint8Array): void {
    const stateVector = Y.encodeStateVectorFromUpdate(whole)
    const lacks =
      missingUpdate(this.#doc, { stateVector, update: whole }) !== null ||
      findConflicts(this.#doc, whole).size > 0
    this.#phase = { kind: "reading", lacks }
    if (lacks || !this.#options.ledger.hasUnsaved) return
    this.#options.ledger.confirmAll()
    this.#options.onSaved()
  }

  /** Answer the room's state vector with what it lacks. @param update its step 2, to compare deletes with; null: not needed */
  #answer(stateVector: Uint8Array, update: Uint8Array | null): void {
    const isFirst = !this.takesChanges
    const gap = `${stateVector} ${Y.encodeStateVector(this.#doc)}`
    const missing = gap === this.#answered ? null : this.#missing(stateVector, update)
    this.#answered = gap
    this.#phase = { kind: "level" }
    if (missing !== null) this.#bring(missing)
    if (isFirst) this.#options.onPhase()
    this.#options.onLevel()
  }

  #missing(stateVector: Uint8Array, update: Uint8Array | null): Uint8Array | null {
    if (update !== null) return missingUpdate(this.#doc, { stateVector, update })
    if (this.#phase.kind === "opening") {
      // All content came from the room.
      if (!this.#options.ledger.hasUnsaved) return null
    } else if (this.takesChanges && !lacksStructs(this.#doc, stateVector)) {
      // The room asks again and lacks no structs.
      return null
    }
    return Y.encodeStateAsUpdate(this.#doc, stateVector)
  }

  #bring(update: Uint8Array): void {
    if (update.length <= PART_BYTES) this.#options.send(wire.writeStep2(update))
    else void this.#bringInParts(update)
  }

  async #bringInParts(update: Uint8Array): Promise<void> {
    const phase: Phase = { kind: "bringing" }
    this.#phase = phase
    try {
      const { splitUpdate } = await import("./structs.ts")
      for (const part of splitUpdate(update, PART_BYTES)) this.#options.send(wire.writeStep2(part))
    } catch (error) {
      this.#options.onFailure(error)
      return
    }
    // A refusal or a comparison may have changed the phase meanwhile, or another step 2 may be on its way.
    if (this.#phase !== phase) return
    this.#phase = { kind: "level" }
    this.#options.onLevel()
  }

  async #loadRemake(): Promise<void> {
    try {
      this.#remake = (await import("./remake.ts")).remake
      // Ask once more: updates that came while the module was loading were not taken.
      if (this.#phase.kind === "comparing") this.#ask("whole", NOTHING)
    } catch (error) {
      this.#options.onFailure(error)
    }
  }

  #ask(question: Question, stateVector: Uint8Array): void {
    if (this.#options.send(wire.writeStep1(stateVector))) this.#questions.push(question)
  }
}

/** The number that a payload consists of. */
export function readVarUint(payload: Uint8Array): number {
  return decoding.readVarUint(decoding.createDecoder(payload))
}
