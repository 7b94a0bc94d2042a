/**
 * Owns the other coordinators that share our store: a link to each, their sessions here, and what is said to all of them.
 * Never decides where a demand waits (cluster-scheduler) or who answers for which tenant (shard-keeper).
 * Invariant: there is one Peer for each other member that the store knows, and the guests of one that left are ended.
 */
import type { Clock, Random, Timer } from '../../shared/clock.ts';
import { toSystemError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { EndedExecution } from '../../shared/protocol/agent-messages.ts';
import type { Fleet } from '../agents/fleet.ts';
import type { Member } from '../executions/shard-store.ts';
import type { SiteAgent } from '../executions/site-records.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { FairScheduler } from '../scheduler/fair-scheduler.ts';
import { Guests } from './guests.ts';
import { Peer, type PeerUser } from './peer.ts';
import type { PeerSocketUser } from './peer-gateway.ts';
import type { DiallerMessage } from './peer-messages.ts';
import { PeerSession, type PeerWord } from './peer-session.ts';
import { describeAgent, type RemoteAgent } from './remote-agent.ts';
import { countRooms, type Room } from './rooms.ts';

/** What others tell us. */
export interface PeerNews {
  /** Something is to be read from the store again. */
  changed(what: Extract<PeerWord, { type: 'changed' }>['what']): void;
  trusted(trust: Extract<PeerWord, { type: 'trust.state' }>['trust']): void;
  /** An agent has connected there, or was retired: its connection here ends. */
  agentJoined(agentId: string): void;
  drained(agentId: string, isDraining: boolean): void;
  /** Records what an agent there ran for its own site; rejects with a SystemError. */
  recordSite(agent: SiteAgent, execution: EndedExecution): Promise<void>;
  /** Builds a base; resolves when that has ended. */
  buildBase(base: string): Promise<void>;
}

/** What peers need. */
export interface PeersDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly key: Uint8Array;
  readonly memberId: string;
  readonly fleet: Fleet;
  readonly local: FairScheduler;
  readonly pools: PoolGate;
  /** Opens a connection to another coordinator. */
  readonly dial: (url: string, user: PeerSocketUser) => void;
}

const TICK_MS = 100;
const ASK_MS_MAX = 2000;
/** What runs for another coordinator goes on for so many of its graces without it. */
const GUEST_GRACES = 2;

/** See the head of this file. */
export class Peers {
  readonly #deps: PeersDeps;
  readonly #graceMs: number;
  readonly #peers = new Map<string, Peer>();
  readonly #sessions = new Set<PeerSession>();
  readonly #guests = new Map<string, Guests>();
  #list: readonly Peer[] = [];
  #user: (PeerUser & { spread(): void }) | null = null;
  #news: PeerNews | null = null;
  #timer: Timer | null = null;
  #toldRooms = '';
  #drained: (() => void) | null = null;
  #isStopped = false;

  constructor(deps: PeersDeps, options: { reconnectGraceMs: number }) {
    this.#deps = deps;
    this.#graceMs = options.reconnectGraceMs;
  }

  /** All others. */
  get all(): readonly Peer[] {
    return this.#list;
  }

  find(memberId: string): Peer | undefined {
    return this.#peers.get(memberId);
  }

  /** Whoever uses the room of others, and whoever hears what they say; once, before `start`. */
  serve(user: PeerUser & { spread(): void }, news: PeerNews): void {
    this.#user = user;
    this.#news = news;
  }

  /** Begins to tell what room there is. */
  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#deps.clock.after(TICK_MS, () => {
      this.#tick();
      this.start();
    });
  }

  /** The members are these now. */
  viewed(members: readonly Member[]): void {
    if (this.#isStopped || this.#user === null) return;
    const there = new Map(members.filter(({ id }) => id !== this.#deps.memberId).map((member) => [member.id, member]));
    for (const [id, peer] of this.#peers) {
      if (there.has(id)) continue;
      this.#peers.delete(id);
      this.#list = [...this.#peers.values()];
      peer.leave();
      this.#guests.get(id)?.end();
      // It may be there all the same, and reach us: to say goodbye, or because the store alone does not hear of it.
      if (![...this.#sessions].some(({ member }) => member === id)) this.#guests.delete(id);
    }
    for (const [id, member] of there) {
      if (this.#peers.has(id)) continue;
      const peer = new Peer(member, this.#deps, this.#user, { graceMs: this.#graceMs });
      this.#peers.set(id, peer);
      this.#list = [...this.#peers.values()];
      peer.start();
    }
  }

  /** Another coordinator has opened a connection: who uses it. */
  welcome(): PeerSession {
    return new PeerSession({
      ...this.#deps,
      guestsOf: (member) => this.#guestsOf(member),
      welcomed: (session) => {
        // What is still on its way over an older link was said again, or given up.
        this.#endSessions(session.member);
        this.#sessions.add(session);
        // What was said while there was no link was said to nobody.
        this.#news?.changed('revocations');
        this.#news?.changed('pins');
        this.#news?.changed('pools');
        session.send({ type: 'peer.room', rooms: this.#rooms(), charges: [] });
        if (this.#drained !== null) session.send({ type: 'peer.leaving' });
        // It may be one that we have not heard of yet.
        if (!this.#peers.has(session.member)) this.#news?.changed('shards');
      },
      ended: (session) => {
        this.#sessions.delete(session);
        const { member } = session;
        const isGone = !this.#peers.has(member) && ![...this.#sessions].some((other) => other.member === member);
        if (isGone) {
          this.#guests.get(member)?.end();
          this.#guests.delete(member);
        }
        // Whoever leaves gives up what it had.
        this.#news?.changed('shards');
      },
      said: (word, answer) => this.#hear(word, answer),
    });
  }

  #endSessions(member: string): void {
    for (const session of [...this.#sessions]) if (session.member === member) session.end('not used any more');
  }

  #guestsOf(member: string): Guests {
    const { clock, local: scheduler } = this.#deps;
    const guests =
      this.#guests.get(member) ?? new Guests(member, { clock, scheduler }, { graceMs: GUEST_GRACES * this.#graceMs });
    this.#guests.set(member, guests);
    return guests;
  }

  #hear(word: PeerWord, answer: PeerSession['send']): void {
    switch (word.type) {
      case 'changed':
        this.#news?.changed(word.what);
        break;
      case 'trust.state':
        this.#news?.trusted(word.trust);
        break;
      case 'agent.joined':
        this.#news?.agentJoined(word.agentId);
        break;
      case 'agent.drain':
        this.#news?.drained(word.agentId, word.isDraining);
        break;
      case 'fleet.ask':
        answer({ type: 'fleet.told', question: word.question, agents: [...this.#deps.fleet.all()].map(describeAgent) });
        break;
      case 'site.record': {
        const { question, agent, execution } = word;
        const told = (refusal: { code: string; detail: string } | null) =>
          answer({ type: 'site.recorded', question, refusal });
        this.#news?.recordSite(agent, execution).then(
          () => told(null),
          (error: unknown) => {
            const { code, message: detail } = toSystemError(error);
            told({ code, detail });
          },
        );
        break;
      }
      case 'base.build': {
        const { question } = word;
        const done = () => answer({ type: 'base.built', question });
        this.#news?.buildBase(word.base).then(done, done);
      }
    }
  }

  #tick(): void {
    // What is charged while nobody is told is past when somebody comes: all of it at once would keep a tenant waiting there for as long.
    const charges = this.#deps.local.takeCharges();
    if (this.#sessions.size > 0) {
      const rooms = this.#rooms();
      const text = JSON.stringify(rooms);
      if (charges.length > 0 || text !== this.#toldRooms) {
        for (const session of this.#sessions) session.send({ type: 'peer.room', rooms, charges });
      }
      this.#toldRooms = text;
    }
    this.#user?.spread();
    if (this.#drained !== null && [...this.#guests.values()].every(({ size }) => size === 0)) {
      this.#drained();
    }
  }

  #rooms(): Room[] {
    const rooms = countRooms(this.#deps.fleet, this.#deps.local);
    return this.#drained === null ? rooms : rooms.map((room) => ({ ...room, free: 0 }));
  }

  /** Offers nothing more, gives back what waits; resolves when nothing of others runs here. */
  drain(): Promise<void> {
    for (const session of this.#sessions) session.send({ type: 'peer.leaving' });
    for (const guests of this.#guests.values()) guests.release();
    // Nothing was begun, or all is over: nobody looks any more.
    if (this.#timer === null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Says something to all others. */
  tell(message: DiallerMessage): void {
    for (const peer of this.#list) peer.send(message);
  }

  /** Agents that are connected to others; those that do not answer in time are left out. */
  async agents(): Promise<readonly RemoteAgent[]> {
    const answers = await Promise.all(this.#list.map((peer) => peer.agents(ASK_MS_MAX)));
    return answers.flatMap((agents) => agents ?? []);
  }

  /** Slots of all agents of others. */
  get slots(): number {
    return this.#list.reduce((sum, peer) => sum + peer.slots, 0);
  }

  /** Ends all links; idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const guests of this.#guests.values()) guests.end();
    for (const peer of this.#peers.values()) peer.leave();
  }
}
