/**
 * Owns what an agent does once it has its ground: which leases it holds, on which slots, and which results wait for the coordinator.
 * Never knows how a lease is executed (executor), how messages travel (session, connector), or where its ports come from (embedded-agent).
 * Invariant: a lease is executed at most once here, and its result is kept until the coordinator acknowledged or disowned it.
 */
import type { Digest } from '../shared/digest.ts';
import { toSystemError } from '../shared/errors.ts';
import type { ConnectionState } from '../shared/lifecycle/agent.ts';
import type { Envelope } from '../shared/model/manifest.ts';
import type { AgentMessage, LeaseResultMessage } from '../shared/protocol/agent-messages.ts';
import { layersOf, toOrderClaim } from '../shared/protocol/lease-order.ts';
import type { TerminalNews } from '../shared/protocol/terminal-flow.ts';
import { closeCodes } from '../shared/protocol/version.ts';
import type { TokenBucket } from '../shared/token-bucket.ts';
import { noTracer } from '../shared/tracing/tracer.ts';
import type { AgentNeeds, AgentOptions } from './agent-needs.ts';
import { Connector } from './connection/connector.ts';
import { Fence } from './connection/fence.ts';
import { Outbox } from './connection/outbox.ts';
import { retell, tellResult } from './connection/result-text.ts';
import { type AgentReport, type Received, Session, type SessionListener } from './connection/session.ts';
import { Execution } from './execution/executor.ts';
import { toLeaseListener } from './execution/lease-listener.ts';
import { LeaseReceipt } from './execution/lease-receipt.ts';
import { LeaseTerminal } from './execution/lease-terminal.ts';
import { LeaseTrace } from './execution/lease-trace.ts';
import { LentSlots } from './execution/lent-slots.ts';
import { agentPace, Pace } from './execution/pace.ts';
import { SandboxCounts } from './execution/sandbox-counts.ts';
import { Slots } from './execution/slots.ts';
import { LayerNews } from './layers/layer-news.ts';
import { findOrderObjection } from './site/order-objection.ts';
import { Calibrations } from './timing/calibrations.ts';
import { TimingWitness } from './timing/timing-witness.ts';

interface HeldLease {
  fence: number;
  readonly execution: Execution;
  readonly ended: Promise<void>;
  readonly order: Received<'lease.offer'>['order'];
  readonly receipt: LeaseReceipt;
  readonly terminal: LeaseTerminal | null;
  /** Null: nobody looks. */
  readonly trace: LeaseTrace | null;
}

/** An agent on the ports that it was given; it has not connected before `start`. `start`, `drain` and `stop` are idempotent. */
export class LeasingAgent implements SessionListener {
  readonly #needs: AgentNeeds;
  readonly #slots: Slots;
  readonly #lent: LentSlots;
  readonly #offer: AgentOptions['offer'];
  readonly #outbox: Outbox;
  readonly #session: Session;
  readonly #layers: LayerNews;
  readonly #connector: Connector;
  readonly #fence: Fence | null;
  readonly #leases = new Map<string, HeldLease>();
  readonly #idle = Promise.withResolvers<void>();
  readonly #counts: SandboxCounts;
  readonly #calibrations: Calibrations;
  readonly #timing: TimingWitness | undefined;
  /** What all leases together may tell of what they write. */
  readonly #pace: TokenBucket;
  /** What the coordinator of the last connection takes. */
  #understood: readonly string[] = [];
  #isStopping = false;
  #isDrainWanted = false;

  constructor(needs: AgentNeeds, options: AgentOptions) {
    const { identity, token, clock, random, logger } = needs;
    this.#needs = needs;
    this.#pace = agentPace(clock);
    this.#counts = new SandboxCounts(needs.sandbox, clock);
    this.#slots = new Slots(options.slots, options.offer.memoryBytes, options.slotCpus);
    this.#lent = new LentSlots(this.#slots, () => this.#session.changed());
    this.#offer = options.offer;
    const bounds = { entriesMax: options.outboxEntriesMax, bytesMax: options.outboxBytesMax };
    this.#outbox = new Outbox(bounds, needs.results);
    this.#layers = new LayerNews(needs, (message) => this.#session.send(message));
    this.#fence = options.whenCutOff === 'end' ? new Fence(clock, () => this.#endFenced()) : null;
    this.#session = new Session({ identity, token, facts: options.facts, clock, logger }, this);
    const { redialMinMs, redialMaxMs, heartbeatMs, coordinatorUrl, ca } = options;
    this.#connector = new Connector(
      { urls: coordinatorUrl.split(','), ca, redialMinMs, redialMaxMs, heartbeatMs, clock, random, logger },
      this.#session,
    );
    this.#calibrations = new Calibrations(
      { ...needs, borrow: (slot, memoryBytes) => this.#lent.borrowSlot(slot, memoryBytes) },
      ...[options.slotCpus ?? [], options.calibrationIntervalMs ?? 0],
    );
    const { processors } = needs;
    const witnessed = { slots: this.#slots, clock, calibrations: this.#calibrations };
    this.#timing = processors === undefined ? undefined : new TimingWitness({ processors, ...witnessed });
    this.#serveSite();
  }

  #serveSite(): void {
    this.#needs.site?.attach({
      slots: this.#slots,
      timing: this.#timing,
      changed: () => this.#session.changed(),
      send: (message) => this.#session.send(message),
      idle: () => this.#checkIdle(),
      fatal: (envelope) => this.#needs.trust.fatal(envelope),
    });
  }

  /** Where the connection to the coordinator is. */
  get connection(): ConnectionState {
    return this.#session.state;
  }

  /** Connects to the coordinator, again and again, until `stop`. */
  start(): void {
    this.#calibrations.start();
    this.#connector.start();
  }

  /** Takes no more leases and no more work of its site; resolves when nothing runs and every result is acknowledged. */
  drain(): Promise<void> {
    this.#isStopping = true;
    this.#needs.site?.drain();
    this.#session.setDraining(true);
    this.#checkIdle();
    return this.#idle.promise;
  }

  /** Ends what runs without results and closes the connection; resolves when neither is left. What nobody was told yet is kept. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const leases = [...this.#leases.values()];
    for (const { execution } of leases) execution.cancel();
    const closed = this.#connector.stop(closeCodes.draining, 'agent stops');
    const calibrated = this.#calibrations.stop();
    await Promise.all([closed, calibrated, this.#needs.site?.stop(), ...leases.map(({ ended }) => ended)]);
    // Last: the closed connection was a loss to it.
    this.#fence?.stop();
    this.#outbox.away();
  }

  welcomed(message: Received<'session.welcome'>): void {
    this.#connector.settled();
    this.#fence?.held(message.leaseTtlMs);
    this.#outbox.back();
    this.#learn(message.trust);
    this.#layers.welcomed();
    this.#understood = message.understands ?? [];
    this.#needs.site?.welcomed(this.#understood);
    for (const { terminal } of this.#leases.values()) terminal?.repeat();
    for (const { text } of this.#outbox.entries()) this.#session.sendText(retell(text, this.#understood));
    if (this.#isDraining) this.#session.setDraining(true);
  }

  refused(): void {
    this.#connector.discouraged();
  }

  lost(): void {
    this.#needs.logger.warn({ leases: this.#leases.size, results: this.#outbox.size }, 'coordinator lost');
    this.#outbox.away();
    this.#fence?.lost();
  }

  offered({ lease, fence, order }: Received<'lease.offer'>): void {
    const held = this.#leases.get(lease);
    const result = this.#outbox.get(lease);
    if (result !== undefined) {
      this.#session.sendText(retell(result.text, this.#understood));
    } else if (held !== undefined) {
      held.fence = fence;
      this.#session.send({ type: 'lease.accepted', lease });
    } else if (this.#isDraining) {
      this.#refuse(lease, order, 'this agent is draining');
    } else if (this.#outbox.isFull) {
      this.#refuse(lease, order, 'too many results are waiting to be acknowledged');
    } else if (!this.#isObjected(lease, order)) {
      const taken = this.#slots.take(toOrderClaim(order));
      if ('refusal' in taken) this.#refuse(lease, order, taken.refusal);
      else this.#accept(lease, fence, order, taken.slot);
    }
  }

  /** Refuses what the agent's owner does not want here. */
  #isObjected(lease: string, order: Received<'lease.offer'>['order']): boolean {
    const { policy: source, trust, clock, logger } = this.#needs;
    if (!source?.policy) return false;
    const holders = [...this.#leases.values()].map((held) => held.order.tenantId);
    const terms = { trust, nowMs: clock.nowMs(), slots: this.#slots.total, holders };
    const objection = findOrderObjection(source.policy, order, terms);
    if (objection === null) return false;
    this.#session.send({ type: 'lease.refused', lease, ...objection });
    logger.warn({ lease, executionId: order.executionId, ...objection }, 'lease refused by the policy of this site');
    return true;
  }

  cancelled(lease: string): void {
    this.#leases.get(lease)?.execution.cancel();
    this.#outbox.forget(lease);
  }

  commanded({ lease, command }: Received<'lease.command'>): void {
    this.#leases.get(lease)?.terminal?.command(command);
  }

  acknowledged(lease: string): void {
    this.#outbox.forget(lease);
    this.#checkIdle();
  }

  wanted(leases: readonly string[]): void {
    const wanted = new Set(leases);
    for (const lease of [...this.#leases.keys(), ...this.#outbox.entries().map((entry) => entry.lease)]) {
      if (wanted.has(lease)) continue;
      const executionId = this.#leases.get(lease)?.order.executionId ?? this.#outbox.get(lease)?.executionId;
      this.#needs.logger.info({ lease, executionId }, 'lease not wanted');
      this.cancelled(lease);
    }
    this.#checkIdle();
  }

  recorded(message: Received<'executions.recorded'>): void {
    this.#needs.site?.recorded(message);
  }

  drainWanted(isDraining: boolean): void {
    this.#isDrainWanted = isDraining;
    this.#session.setDraining(this.#isDraining);
  }

  prefetch(message: Received<'layers.prefetch'>): void {
    void this.#layers.prefetch(message).then(() => this.#session.changed());
  }

  pinned(digests: readonly string[]): void {
    this.#needs.layers.pinExactly(digests).catch((error: unknown) => {
      this.#needs.logger.error({ detail: toSystemError(error).message }, 'pins not written down');
    });
  }

  trusted({ trust }: Received<'trust.state'>): void {
    this.#learn(trust);
    this.#session.changed();
  }

  /** Takes a trust state over; what it forbids is not used any more, and ended where it says so. */
  #learn(envelope: Envelope): void {
    const { trust, layers, logger } = this.#needs;
    try {
      if (!trust.accept(envelope)) return;
    } catch (error) {
      const { code, message } = toSystemError(error);
      logger.error({ code, detail: message }, 'trust state refused');
      return;
    }
    logger.info({ version: trust.version }, 'trust changed');
    this.#needs.site?.trustChanged();
    for (const digest of layers.held()) if (trust.revoked.hasLayer(digest)) layers.discard(digest as Digest);
    for (const [lease, { execution, order }] of this.#leases) {
      const { executionId } = order;
      const failure = layersOf(order)
        .map((layer) => trust.fatal(layer.envelope))
        .find((found) => found !== null);
      if (failure === undefined || failure === null) continue;
      logger.warn({ lease, executionId, detail: failure.message }, 'lease ended by a revocation');
      execution.fail(failure);
    }
  }

  report(): AgentReport {
    this.#needs.policy?.refresh();
    const held = [...this.#leases].map(([lease, { fence }]) => ({ lease, fence }));
    const finished = this.#outbox.entries().map(({ lease, fence }) => ({ lease, fence }));
    return {
      ...this.#room(),
      leases: [...held, ...finished],
      layers: [...this.#needs.layers.held()],
      draining: this.#isDraining,
      trustVersion: this.#needs.trust.version,
      ...this.#layers.used(),
      ...this.#counts.latest(),
      ...this.#cacheCounts(),
    };
  }

  #cacheCounts(): Pick<AgentReport, 'cache'> {
    const cache = this.#understood.includes('report.cache') ? (this.#needs.layerCounts?.latest() ?? null) : null;
    return cache === null ? {} : { cache };
  }

  /** What leases may have: all but what its site has, or waits for, and what some have beside their own. */
  #room(): Pick<AgentReport, 'slots' | 'offer'> {
    const site = this.#needs.site?.claims ?? { slots: 0, memoryBytes: 0 };
    const { slots, memoryBytes } = this.#lent.claims;
    const total = Math.max(0, this.#slots.total - site.slots - slots);
    const { diskBytes } = this.#offer;
    return {
      slots: { total, free: this.#isDraining ? 0 : Math.min(total, this.#slots.free) },
      offer: { memoryBytes: Math.max(0, this.#offer.memoryBytes - site.memoryBytes - memoryBytes), diskBytes },
    };
  }

  get #isDraining(): boolean {
    return this.#isStopping || this.#isDrainWanted;
  }

  /** Nobody has a use for what is left: after so long the coordinator has given it to others, and an old fence has no effect. */
  #endFenced(): void {
    for (const [lease, { execution, order }] of this.#leases) {
      const { executionId } = order;
      this.#needs.logger.warn({ lease, executionId }, 'lease over while the coordinator was lost');
      execution.cancel();
    }
  }

  #refuse(lease: string, { executionId }: HeldLease['order'], reason: string): void {
    this.#session.send({ type: 'lease.refused', lease, reason });
    this.#needs.logger.info({ lease, executionId, reason }, 'lease refused');
  }

  #accept(lease: string, fence: number, order: Received<'lease.offer'>['order'], slot: number): void {
    const say = (news: TerminalNews) => this.#session.send({ type: 'lease.news', lease, news });
    const { tracer = noTracer, clock } = this.#needs;
    const toPace = (due: () => void) => new Pace(clock, this.#pace, due);
    const terminal = order.terminal === undefined ? null : new LeaseTerminal(order.terminal, say, toPace);
    const slots = this.#lent.lenderFor(toOrderClaim(order));
    const trace = LeaseTrace.begin(tracer, clock, { lease, slot, order });
    const needs = { ...this.#needs, cpus: this.#slots.cpusOf(slot), slots, terminal, timing: this.#timing, trace };
    const receipt = new LeaseReceipt(this.#needs.clock, order);
    const listener = this.#toListener(lease, order, slot, receipt);
    const execution = new Execution(needs, order, slot, listener);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const held: HeldLease = { fence, execution, ended, order, receipt, terminal, trace };
    this.#leases.set(lease, held);
    this.#session.send({ type: 'lease.accepted', lease });
    terminal?.begin();
    void execution.execute().then((result) => {
      listener.flush();
      terminal?.flush();
      this.#leases.delete(lease);
      this.#slots.giveBack(slot);
      this.#finish(lease, held, result);
      this.#checkIdle();
      resolve();
    });
  }

  #finish(lease: string, { fence, order, receipt, trace }: HeldLease, unsigned: LeaseResultMessage | null): void {
    const { logger, identity, site } = this.#needs;
    const { executionId } = order;
    trace?.ended(unsigned);
    if (unsigned === null) {
      logger.info({ lease, executionId }, 'lease ended without result');
      this.#session.changed();
      return;
    }
    const sign = (fitted: LeaseResultMessage) => receipt.signed(identity, { lease, fence }, fitted);
    const { result, text } = tellResult({ lease, fence }, unsigned, this.#understood, sign);
    if (result.failure === null) site?.ran(order);
    this.#outbox.add({ lease, fence, text, executionId });
    this.#session.sendText(text);
    // The coordinator places by what is held here, so it hears at once of layers that came, and of those that went for them.
    if (result.failure !== null || result.layers.some(({ origin }) => origin !== 'local')) this.#session.changed();
    const { verdict, endedIn, failure } = result;
    logger.info({ lease, executionId, verdict, endedIn, failure }, 'lease completed');
  }

  #toListener(lease: string, { executionId }: HeldLease['order'], slot: number, receipt: LeaseReceipt) {
    const { logger, clock } = this.#needs;
    const send = (message: AgentMessage) => this.#session.send(message);
    const news = { send, logger, clock, layers: this.#layers, pace: this.#pace };
    return toLeaseListener(news, { lease, executionId, slot }, () => receipt.prepare());
  }

  #checkIdle(): void {
    const isSiteIdle = this.#needs.site?.isIdle !== false;
    if (this.#isStopping && isSiteIdle && this.#leases.size === 0 && this.#outbox.size === 0) this.#idle.resolve();
  }
}
