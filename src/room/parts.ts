/**
 * The parts of a room and how they are joined: this file shows who calls whom. A part knows the parts below it; calls
 * upward go through ports, which are filled in here.
 */
import type { Connection } from "partyserver"
import type { Grant } from "../access/rights.ts"
import type { Archive } from "../archive/archive.ts"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { PING, PONG } from "../wire/y-websocket.ts"
import { Agenda } from "./agenda.ts"
import { Agents } from "./agents.ts"
import { Archivist } from "./archivist.ts"
import { Aside } from "./aside.ts"
import { Authors } from "./authors.ts"
import { Changes } from "./changes.ts"
import { listChores } from "./chores.ts"
import { Crowd, type SocketPeer } from "./crowd.ts"
import type { Desk } from "./desk.ts"
import { Dialogue } from "./dialogue.ts"
import type { Emit } from "./events.ts"
import { FanOut } from "./fan-out.ts"
import { Idle } from "./idle.ts"
import { Intake } from "./intake.ts"
import { Knockers } from "./knockers.ts"
import { Log } from "./log.ts"
import { Mover } from "./mover.ts"
import type { Outbox } from "./outbox.ts"
import { Past } from "./past.ts"
import type { Speaker } from "./peer.ts"
import { Postbox, type Receiver } from "./postbox.ts"
import { Presence } from "./presence.ts"
import { Repeats } from "./repeats.ts"
import { Replica } from "./replica.ts"
import { type Seed, Seeder } from "./seed.ts"
import { Streams } from "./streams.ts"
import { Tunnels } from "./tunnels.ts"

/** What the parts need of the Durable Object around them. */
export interface Host {
  readonly name: string
  readonly ctx: DurableObjectState
  readonly limits: Limits
  readonly archive: Archive | null
  /** What an operator sees; null: nothing. */
  readonly desk: Desk | null
  /** Who is told what happens; null: nobody. */
  readonly receiver: Receiver | null
  readonly emit: Emit
  /** What this document begins with where it is new; null: with nothing. */
  seed(signal: AbortSignal): Seed | null | Promise<Seed | null>
  /** Handle a custom message. */
  custom(peer: SocketPeer, message: string): void
  /** Handle a fresh token. */
  renew(peer: SocketPeer, token: string): void
  /** Somebody goes, and its socket stays. */
  leave(peer: SocketPeer): void
  /** Somebody has gone, and its socket goes. */
  left(peer: SocketPeer): void
  /** What a token is worth here. */
  verify(token: string): Promise<Grant>
  /** Drop the room's own storage. */
  retire(): Promise<void>
  /** The sockets that outlived the room's memory. */
  connections(): Iterable<Connection>
}

/** The parts of a room. */
export interface Parts {
  readonly log: Log
  readonly replica: Replica
  readonly presence: Presence<Speaker>
  readonly authors: Authors
  readonly crowd: Crowd
  readonly fanOut: FanOut<SocketPeer>
  readonly intake: Intake<SocketPeer>
  readonly dialogue: Dialogue
  readonly changes: Changes<SocketPeer>
  readonly agents: Agents<SocketPeer>
  readonly streams: Streams
  readonly tunnels: Tunnels
  readonly knockers: Knockers
  readonly archivist: Archivist
  readonly seeder: Seeder
  readonly outbox: Outbox
  readonly postbox: Postbox
  readonly idle: Idle
  readonly agenda: Agenda
  readonly past: Past
  readonly desk: Desk | null
}

/** Make the parts of a room that wakes, from its storage and the attachments of its sockets. */
export function assemble(host: Host): Parts {
  const { name, ctx, limits, archive, emit, desk } = host
  const log = new Log(ctx.storage, limits, () => emit({ type: "past-damaged" }))
  const presence = new Presence<Speaker>(limits, {
    subjectOf: ({ grant }) => grant.subject,
    shelf: log.shelf,
  })
  const authors = new Authors(log, (client) => {
    const peer = presence.speakerOf(client)
    return peer === null ? null : { id: peer.id, subject: peer.grant.subject }
  })
  const repeats = new Repeats(log, limits)
  const postbox = new Postbox(name, { receiver: host.receiver, log, limits })
  const replica = new Replica(log, {
    limits,
    claims: authors,
    emit,
    alongside: {
      write: () => {
        past.history.persons.write()
        repeats.write()
      },
      wrote: () => past.history.persons.wrote(),
    },
  })
  const crowd: Crowd = new Crowd(ctx, {
    limits,
    emit,
    presence,
    desk,
    onCame: ({ grant }) => {
      if (grant.rights === "write") past.history.persons.meet(grant)
    },
    onLeft: ({ clients, announced }) => {
      if (clients.length > 0) fanOut.awareness(clients, null)
      if (announced !== null) intake.ownerLeft(announced)
    },
  })
  const fanOut = new FanOut<SocketPeer>(
    {
      peers: crowd.peers,
      dialectOf: ({ dialect }) => dialect,
      send: (peer, message) => crowd.send(peer, message),
      encodePresence: (clients) => presence.encode(clients),
      moved: (clients) => streams.moved(clients),
      ...(desk !== null && { told: (frame, sent) => desk.told(frame, sent) }),
    },
    limits,
  )
  const intake: Intake<SocketPeer> = new Intake({
    replica,
    authors,
    limits,
    emit,
    ports: {
      relay: (update, sender) => {
        dialogue.changed()
        fanOut.update(update, sender)
      },
      refuse: (dropped) => crowd.refuseLate(dropped),
      release: () => fanOut.flush(),
      acknowledge: () => dialogue.acknowledge(),
      dirty: () => {
        idle.stir()
        archivist.outbox.touch()
        past.touch()
        agenda.arm()
      },
    },
  })
  intake.isLocked = log.noted("read_only") !== null
  const aside = new Aside(replica, limits)
  const mover = new Mover(name, { archive, log, aside, limits, emit })
  const past: Past = new Past({ log, replica, intake, limits, emit, aside, mover })
  const dialogue: Dialogue = new Dialogue({
    crowd,
    intake,
    replica,
    authors,
    presence,
    fanOut,
    limits,
    hooks: { custom: host.custom, renew: host.renew, leave: host.leave, arm: () => agenda.arm() },
  })
  const knockers: Knockers = new Knockers(name, {
    limits,
    emit,
    verify: host.verify,
    checkSpace: (grant) => crowd.checkSpace(grant, knockers.size - 1),
    admit: (connection, { grant, dialect, messages }) => {
      const peer = crowd.admit(connection, grant, dialect)
      dialogue.greet(peer)
      for (const message of messages) dialogue.hear(peer, message)
      agenda.arm()
    },
  })
  const streams: Streams = new Streams({
    replica,
    log,
    limits,
    emit,
    commit: () => intake.commitOrThrow(),
    sync: () => ctx.storage.sync(),
    presence,
  })
  const tunnels = new Tunnels({ crowd, dialogue, limits, left: host.left })
  const changes = new Changes({
    ...{ replica, intake, limits },
    stateAt: async (at, grant) => past.stateAside(await past.reading(() => past.revisionAt(at, grant))),
  })
  const agents = new Agents({
    ...{ replica, intake, changes, past, log, presence, repeats, limits },
    relay: (clients) => {
      if (clients.length > 0) fanOut.awareness(clients, null)
    },
  })
  const archivist = new Archivist(name, {
    archive,
    log,
    replica,
    authors,
    intake,
    limits,
    emit,
    mover,
    keeper: {
      askEveryone: () => {
        for (const peer of crowd.peers) if (peer.grant.rights === "write") dialogue.askForAll(peer)
      },
      buried: () => {
        // The note of it goes with the document.
        intake.isLocked = false
        const error = new SyncError("deleted", "The document was deleted")
        crowd.closeAll(error)
        streams.close(() => true, error)
      },
      changed: () => dialogue.changed(),
    },
  })
  const seeder = new Seeder(host.seed, { replica, intake, archivist, limits })
  const { outbox } = archivist
  const idle = new Idle({ log, replica, crowd, knockers, archivist, past, limits })
  const chores = listChores({
    log,
    replica,
    crowd,
    knockers,
    intake,
    dialogue,
    archivist,
    idle,
    postbox,
    past,
    mover,
    streams,
    desk,
    retire: host.retire,
  })
  const agenda: Agenda = new Agenda(ctx.storage, { chores, limits, emit })
  // The platform answers our provider's heartbeat itself, so a sleeping room sleeps on.
  ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
  for (const connection of host.connections()) {
    if (!knockers.recall(connection)) crowd.recall(connection)
  }
  // Updates that waited for a connected owner may not have to wait any more.
  if (replica.waiting.size > 0 && crowd.peers.size === 0) intake.lookAgain()
  // After a deploy or a crash nobody has taken large states off the shelf.
  if (crowd.peers.size === 0) log.clearShelf()
  const parts: Parts = {
    log,
    replica,
    presence,
    authors,
    crowd,
    fanOut,
    intake,
    dialogue,
    changes,
    agents,
    streams,
    tunnels,
    postbox,
    knockers,
    archivist,
    seeder,
    outbox,
    idle,
    agenda,
    past,
    desk,
  }
  desk?.sit(parts)
  return parts
}
