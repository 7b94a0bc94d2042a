/**
 * Owns one other coordinator as we use it: the link that we dialled, the room that its agents have by what it last said, our demands there, and
 * questions to it. Never decides what goes there.
 */
import type { Clock, Timer } from '../../shared/clock.ts';
import { SystemError, toErrorCode } from '../../shared/errors.ts';
import type { EndedExecution } from '../../shared/protocol/agent-messages.ts';
import type { Member } from '../executions/shard-store.ts';
import type { SiteAgent } from '../executions/site-records.ts';
import type { PoolGate } from '../pools/pool-gate.ts';
import type { TenantCharge } from '../scheduler/charges.ts';
import { type Lendable, type LoanKeeper, Loans } from './loans.ts';
import { PeerLink, type PeerLinkDeps, type PeerLinkUser } from './peer-link.ts';
import type { DialledMessage, DiallerMessage } from './peer-messages.ts';
import type { RemoteAgent } from './remote-agent.ts';
import { noSpace, type Room, type RoomDemand, type Space, spaceIn, takeRoom } from './rooms.ts';

/** Who hears of a peer. */
export interface PeerUser extends LoanKeeper {
  /** There is other room there than before, or tenants were charged there. */
  roomChanged(charges: readonly TenantCharge[]): void;
}

/** See the head of this file. */
export class Peer implements PeerLinkUser {
  readonly loans: Loans;
  readonly #clock: Clock;
  readonly #link: PeerLink;
  readonly #user: PeerUser;
  readonly #pools: PoolGate;
  readonly #questions = new Map<string, (message: DialledMessage | null) => void>();
  #rooms: Room[] = [];
  #isUp = false;
  #isLeaving = false;
  #lost = new AbortController();
  #question = 0;

  constructor(
    member: Member,
    deps: PeerLinkDeps & { readonly pools: PoolGate },
    user: PeerUser,
    options: { graceMs: number },
  ) {
    this.#pools = deps.pools;
    this.#clock = deps.clock;
    this.#user = user;
    this.#link = new PeerLink(member, deps, this);
    const send = (message: DiallerMessage) => this.#link.send(message);
    this.loans = new Loans(deps.clock, user, { ...options, send });
  }

  get member(): Member {
    return this.#link.member;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Has it said that it will soon be gone? */
  get isGoing(): boolean {
    return this.#isLeaving;
  }

  /** Can it be asked to run something now? */
  get isStaying(): boolean {
    return this.#isUp && !this.#isLeaving;
  }

  /** Aborted when the link that is up now is not any more. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  start(): void {
    this.#link.start();
  }

  /** It is not there any more: everything of ours comes back. */
  leave(): void {
    this.#link.stop('not a member any more');
    this.#drop(true);
  }

  send(message: DiallerMessage): boolean {
    return this.#link.send(message);
  }

  /** What agents there could take of this. */
  space(demand: RoomDemand): Space {
    return this.isStaying ? spaceIn(this.#rooms, demand, this.#pools) : noSpace;
  }

  /** Slots of all its agents. */
  get slots(): number {
    return this.#rooms.reduce((sum, { slots }) => sum + slots, 0);
  }

  /** Lends a demand; a free slot that it could have is not counted as free until the other has said what there is. */
  lend(lendable: Lendable): boolean {
    if (!this.loans.lend(lendable)) return false;
    takeRoom(this.#rooms, lendable.demand, this.#pools);
    return true;
  }

  up(): void {
    this.#isUp = true;
    this.#isLeaving = false;
    this.#lost = new AbortController();
    this.loans.up();
  }

  down(): void {
    this.#drop(false);
  }

  #drop(isGone: boolean): void {
    this.#isUp = false;
    // One that leaves in order gives the answers that it owes.
    if (!this.#isLeaving) this.#lost.abort();
    this.#rooms = [];
    for (const answer of [...this.#questions.values()]) answer(null);
    this.loans.down(isGone);
  }

  message(message: DialledMessage): void {
    switch (message.type) {
      case 'peer.room':
        this.#rooms = message.rooms;
        this.#user.roomChanged(message.charges);
        break;
      case 'fleet.told':
      case 'site.recorded':
      case 'base.built':
        this.#questions.get(message.question)?.(message);
        break;
      case 'peer.leaving':
        this.#isLeaving = true;
        break;
      case 'peer.challenge':
      case 'peer.welcome':
        break;
      default:
        this.loans.message(message);
    }
  }

  /** The agents that are connected there; null when it does not say in time. */
  async agents(timeMsMax: number): Promise<readonly RemoteAgent[] | null> {
    const answer = await this.#ask((question) => ({ type: 'fleet.ask', question }), timeMsMax);
    return answer?.type === 'fleet.told' ? answer.agents : null;
  }

  /** Has a base built there; resolves when that has ended, however, or the link has. */
  async buildBase(base: string, timeMsMax: number): Promise<void> {
    await this.#ask((question) => ({ type: 'base.build', question, base }), timeMsMax);
  }

  /** Has an execution recorded there; SystemError `shard-moved` when it can't be asked, or whatever it answers. */
  async recordSite(agent: SiteAgent, execution: EndedExecution, timeMsMax: number): Promise<void> {
    const told = await this.#ask((question) => ({ type: 'site.record', question, agent, execution }), timeMsMax);
    if (told?.type !== 'site.recorded') {
      throw new SystemError('shard-moved', `the coordinator of tenant ${execution.tenantId} does not answer now`);
    }
    const { refusal } = told;
    if (refusal !== null) throw new SystemError(toErrorCode(refusal.code), refusal.detail);
  }

  #ask(toMessage: (question: string) => DiallerMessage, timeMsMax: number): Promise<DialledMessage | null> {
    const question = `${++this.#question}`;
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      const answer = (message: DialledMessage | null) => {
        timer?.cancel();
        this.#questions.delete(question);
        resolve(message);
      };
      if (!this.#link.send(toMessage(question))) {
        resolve(null);
        return;
      }
      this.#questions.set(question, answer);
      timer = this.#clock.after(timeMsMax, () => answer(null));
    });
  }
}
