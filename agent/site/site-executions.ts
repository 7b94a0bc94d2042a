/**
 * Owns the executions of this agent's own site: taken from its keys, run on the slots that leases leave and before the next lease, kept and told.
 * The only mover of their stages. Never talks HTTP, never fetches a layer.
 * Invariants: what was accepted without anybody waiting is durable before that is said, and every answer before it is shown; a slot that is taken
 * is given back once.
 */
import assert from 'node:assert/strict';
import { type Clock, type Random, toTimestamp } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError, toSystemError } from '../../shared/errors.ts';
import type { EventLog } from '../../shared/http/event-log.ts';
import { toClosedLog } from '../../shared/http/execution-terms.ts';
import { createId } from '../../shared/ids.ts';
import type { StageCause } from '../../shared/lifecycle/execution.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Execution as Answer, ExecutionRequest } from '../../shared/model/execution.ts';
import type { TestResult } from '../../shared/model/judging.ts';
import { limitCeilings } from '../../shared/model/limits.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { layersOf, toOrder, toOrderClaim } from '../../shared/protocol/lease-order.ts';
import type { Identity } from '../connection/identity.ts';
import type { AgentFacts, Received } from '../connection/session.ts';
import { Execution, type ExecutorNeeds } from '../execution/executor.ts';
import { type EdgeKey, toBounded } from './edge-keys.ts';
import type { HeldEnvironment, HeldEnvironments } from './held-environments.ts';
import { LocalExecution, type LocalTerms } from './local-execution.ts';
import { checkPlacement } from './local-placement.ts';
import type { Host, Site, SiteClaims } from './site.ts';
import { SiteNews } from './site-news.ts';
import type { SiteRecords } from './site-records.ts';

/** What it works with. */
export interface SiteExecutionsNeeds extends Pick<ExecutorNeeds, 'sandbox' | 'layers' | 'clock'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly identity: Pick<Identity, 'agentId'>;
  readonly facts: Pick<AgentFacts, 'name' | 'pool' | 'labels' | 'architecture' | 'exclusiveCores'>;
  readonly environments: Pick<HeldEnvironments, 'find' | 'findCheck' | 'ran'>;
  readonly records: SiteRecords;
}

/** How a key asks. */
export interface SiteTerms {
  readonly key: EdgeKey;
  readonly isWaited: boolean;
  readonly idempotencyKey: string | null;
}

const QUEUE_WAIT_MS_MAX = 600_000;
/** Of all requests that have not ended, together: they are in memory. */
const REQUESTS_CHARACTERS_MAX = 256 * 1024 * 1024;
/** With their requests and events; larger ones are read from the disk. */
const FINISHED_KEPT = 20;
const FINISHED_BYTES_MAX = 1024 * 1024;

interface Waiting {
  readonly execution: LocalExecution;
  readonly memoryBytes: number;
}

/** See the head of this file. */
export class SiteExecutions implements Site {
  readonly #needs: SiteExecutionsNeeds;
  readonly #queueDepthMax: number;
  readonly #news: SiteNews;
  readonly #live = new Map<string, LocalExecution>();
  readonly #finished = new Map<string, LocalExecution>();
  readonly #waiting = new Set<Waiting>();
  /** Being written down: nobody but who asked first knows of them before that is done. */
  readonly #accepting = new Map<string, Promise<void>>();
  readonly #running = new Map<LocalExecution, { readonly memoryBytes: number; readonly ended: Promise<void> }>();
  #host: Host | null = null;
  #isDraining = false;
  #isStopped = false;

  constructor(needs: SiteExecutionsNeeds, options: { readonly queueDepthMax: number }) {
    this.#needs = needs;
    this.#queueDepthMax = options.queueDepthMax;
    const send: Host['send'] = (message) => this.#host?.send(message) ?? false;
    this.#news = new SiteNews({ clock: needs.clock, logger: needs.logger, records: needs.records, send });
  }

  attach(host: Host): void {
    this.#host = host;
    host.slots.freed = () => this.#fill();
    for (const { tenantId, request, answer } of this.#needs.records.before) {
      const { id, createdAt } = answer;
      const characters = JSON.stringify(request).length;
      const terms = { id, tenantId, request, characters, createdAt, isDurable: true, agent: this.#agent() };
      this.#needs.logger.info({ executionId: id, tenantId }, 'execution taken up again');
      this.#takeUp(terms, answer);
    }
  }

  /** Of an earlier process; its environment may be gone. */
  #takeUp(terms: LocalTerms, answer: Answer): void {
    const { environment: before } = answer;
    const gone: HeldEnvironment = { id: before?.id ?? '', variables: {}, scope: before?.scope ?? 'tenant', layers: [] };
    const execution = new LocalExecution(this.#needs.clock, terms, gone);
    this.#live.set(execution.id, execution);
    this.#enter(execution);
  }

  get claims(): SiteClaims {
    let memoryBytes = 0;
    for (const running of this.#running.values()) memoryBytes += running.memoryBytes;
    for (const waiting of this.#waiting) memoryBytes += waiting.memoryBytes;
    return { slots: this.#running.size + this.#waiting.size, memoryBytes };
  }

  get isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.size === 0;
  }

  ran(order: LeaseOrderMessage): void {
    this.#needs.environments.ran(order);
  }

  welcomed(understood: readonly string[]): void {
    this.#news.welcomed(understood);
  }

  recorded(message: Received<'executions.recorded'>): void {
    this.#news.recorded(message);
  }

  trustChanged(): void {
    for (const { running } of this.#live.values()) {
      const failures = running?.layers.map(({ envelope }) => this.#host?.fatal(envelope) ?? null) ?? [];
      const failure = failures.find((found) => found !== null);
      if (failure !== undefined && failure !== null) running?.execution.fail(failure);
    }
  }

  #agent(): Answer['agent'] {
    const { identity, facts } = this.#needs;
    return { id: identity.agentId ?? '', name: facts.name, pool: facts.pool };
  }

  /**
   * Accepts a request: SystemError `draining`, `queue-full`, `no-agent`, `idempotency-key-reused`, or what keeps its environment from being run.
   * An answer when its key was known and that one is over.
   */
  async submit(
    request: ExecutionRequest,
    { key, isWaited, idempotencyKey }: SiteTerms,
  ): Promise<LocalExecution | Answer> {
    const { clock, random, records, environments, facts } = this.#needs;
    const { tenantId } = key;
    if (this.#isDraining) throw new SystemError('draining', 'this agent is stopping; ask again in a moment');
    const body = JSON.stringify(request);
    const bodyDigest = digestOf(body);
    const known = idempotencyKey === null ? null : records.findKey(tenantId, idempotencyKey);
    if (known !== null) return await this.#repeat(tenantId, known, bodyDigest);
    if (!this.#hasRoomFor(body.length) || records.isFull) {
      throw new SystemError('queue-full', 'too much waits for a slot here, or to be told to the coordinator');
    }
    checkPlacement(request.placement, facts);
    const environment = environments.find(tenantId, request.environment);
    const bounded = toBounded(request, key.maxima);
    const terms: LocalTerms = {
      ...{ id: createId('execution', random), tenantId, request: bounded, createdAt: toTimestamp(clock.nowMs()) },
      ...{ characters: body.length, isDurable: !isWaited || idempotencyKey !== null, agent: this.#agent() },
    };
    const execution = new LocalExecution(clock, terms, environment);
    execution.checkEnvironment = environments.findCheck(tenantId, request);
    this.#checkMemory(execution);
    this.#live.set(execution.id, execution);
    if (terms.isDurable) {
      const idempotency = idempotencyKey === null ? null : { key: idempotencyKey, bodyDigest };
      const accepted = this.#accept(execution, idempotency);
      this.#accepting.set(execution.id, accepted);
      await accepted.finally(() => this.#accepting.delete(execution.id));
      // The next process takes it up.
      if (this.#isStopped) return execution;
    }
    this.#enter(execution);
    return execution;
  }

  /** What is being written down is on its way into the queue, or to a free slot. */
  #hasRoomFor(characters: number): boolean {
    const queued = this.#waiting.size;
    let held = characters;
    for (const { terms } of this.#live.values()) held += terms.characters;
    if (held > REQUESTS_CHARACTERS_MAX) return false;
    const free = this.#host?.slots.free ?? 0;
    return queued < this.#queueDepthMax && queued + this.#accepting.size < this.#queueDepthMax + free;
  }

  async #accept(execution: LocalExecution, idempotency: Parameters<SiteRecords['accept']>[1]): Promise<void> {
    const { tenantId, request } = execution.terms;
    try {
      await this.#needs.records.accept({ tenantId, request, answer: execution.toAnswer() }, idempotency);
    } catch (cause) {
      this.#live.delete(execution.id);
      const sentence = `the execution can't be recorded: ${String(cause)}`;
      throw new SystemError('state-store-unavailable', sentence, { cause });
    }
  }

  async #repeat(tenantId: string, known: { id: string; bodyDigest: string }, bodyDigest: string) {
    const { id } = known;
    if (known.bodyDigest !== bodyDigest)
      throw new SystemError('idempotency-key-reused', `this key belongs to execution ${id}, whose body was another`);
    await this.#accepting.get(id);
    return this.#live.get(id) ?? (await this.get(tenantId, id));
  }

  #order({ id: executionId, terms, environment, checkEnvironment }: LocalExecution): LeaseOrderMessage {
    const { tenantId, request } = terms;
    const toPart = (held: HeldEnvironment) => ({ environment: held, layers: held.layers });
    const check = checkEnvironment === null ? undefined : toPart(checkEnvironment);
    const orderTerms = { executionId, tenantId, ...toPart(environment), check, isOutputStreamed: true };
    // All of them are in the request, within the maxima of its key; here nothing bounds them further.
    return toOrder(request, orderTerms, limitCeilings);
  }

  #claimOf(execution: LocalExecution): number {
    return toOrderClaim(this.#order(execution));
  }

  #checkMemory(execution: LocalExecution): void {
    const claim = this.#claimOf(execution);
    const offered = this.#host?.slots.memoryBytes ?? 0;
    if (claim > offered)
      throw new SystemError('no-agent', `this needs ${claim} bytes of memory and this agent offers ${offered}`);
  }

  #enter(execution: LocalExecution): void {
    const waiting = { execution, memoryBytes: this.#claimOf(execution) };
    this.#waiting.add(waiting);
    const waitMs = Math.min(execution.terms.request.placement?.deadlineMs ?? QUEUE_WAIT_MS_MAX, QUEUE_WAIT_MS_MAX);
    execution.deadline = this.#needs.clock.after(waitMs, () => {
      if (this.#waiting.delete(waiting))
        this.#giveUp(execution, new SystemError('no-agent', `no slot was free within ${waitMs} ms`));
    });
    this.#fill();
    this.#host?.changed();
  }

  /** Runs what waits, oldest first, while there are slots and memory. */
  #fill(): void {
    if (this.#host === null || this.#isStopped) return;
    for (const waiting of this.#waiting) {
      const taken = this.#host.slots.take(waiting.memoryBytes);
      if ('refusal' in taken) return;
      this.#waiting.delete(waiting);
      this.#run(waiting, taken.slot);
    }
  }

  #run({ execution, memoryBytes }: Waiting, slot: number): void {
    const { environments, logger } = this.#needs;
    const { slots, timing } = this.#host as Host;
    const { tenantId, request } = execution.terms;
    let launched: Execution;
    let order: LeaseOrderMessage;
    try {
      // In one turn with taking its layers below: what is held now is held then.
      execution.environment = environments.find(tenantId, request.environment);
      execution.checkEnvironment = environments.findCheck(tenantId, request);
      const needs = { ...this.#needs, cpus: slots.cpusOf(slot), timing };
      order = this.#order(execution);
      launched = new Execution(needs, order, slot, this.#toListener(execution));
    } catch (error) {
      slots.giveBack(slot);
      this.#giveUp(execution, toSystemError(error));
      return;
    }
    execution.running = { execution: launched, layers: layersOf(order) };
    execution.move('placed');
    logger.info({ executionId: execution.id, tenantId, slot }, 'execution of this site placed');
    const ended = launched.execute().then((result) => {
      this.#running.delete(execution);
      this.#complete(execution, result);
      slots.giveBack(slot);
      this.#settle();
    });
    this.#running.set(execution, { memoryBytes, ended });
  }

  #toListener(execution: LocalExecution) {
    return {
      running: () => {
        if (!execution.isOver) execution.move('started');
      },
      fetching: () => undefined,
      output: (script: string, stream: 'stdout' | 'stderr', chunk: Uint8Array) => {
        const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('base64');
        execution.log.append(stream, { script, data, encoding: 'base64' }, data.length + 64);
      },
      tested: (index: number, test: TestResult) => {
        execution.log.append('test', { index, ...test }, JSON.stringify(test).length);
      },
    };
  }

  #complete(execution: LocalExecution, result: LeaseResultMessage | null): void {
    if (execution.isOver || result === null) return;
    execution.result = result;
    const { failure } = result;
    if (failure !== null) execution.failure = { code: failure.code, detail: failure.detail };
    this.#end(execution, failure === null ? 'completed' : 'gave-up');
  }

  #giveUp(execution: LocalExecution, { code, message: detail }: SystemError): void {
    execution.failure = { code, detail };
    this.#end(execution, 'gave-up');
    this.#settle();
  }

  #settle(): void {
    this.#host?.changed();
    if (this.isIdle) this.#host?.idle();
  }

  #end(execution: LocalExecution, cause: StageCause): void {
    const { records, logger } = this.#needs;
    const { id: executionId, terms } = execution;
    execution.move(cause);
    const answer = execution.toAnswer();
    const announce = () => {
      this.#live.delete(executionId);
      if (terms.characters + outputLength(answer) <= FINISHED_BYTES_MAX) this.#finished.set(executionId, execution);
      for (const [oldest] of this.#finished) if (this.#finished.size > FINISHED_KEPT) this.#finished.delete(oldest);
      const { stage, verdict, endedIn } = answer;
      logger.info({ executionId, tenantId: terms.tenantId, stage, verdict, endedIn }, 'execution of this site ended');
      execution.announce(answer);
      this.#news.tell();
    };
    records.end(terms.tenantId, answer).then(announce, (error: unknown) => {
      logger.error({ executionId, detail: String(error) }, 'result not recorded');
      announce();
    });
  }

  /** The live or just ended execution of a tenant, or null. */
  #find(tenantId: string, id: string): LocalExecution | null {
    const execution = this.#live.get(id) ?? this.#finished.get(id);
    return execution?.terms.tenantId === tenantId ? execution : null;
  }

  /** The execution as it is now, its result once it is kept; SystemError `execution-not-found`. */
  async get(tenantId: string, id: string): Promise<Answer> {
    const execution = this.#find(tenantId, id);
    if (execution !== null) return execution.isOver ? await execution.done : execution.toAnswer();
    const answer = await this.#needs.records.get(tenantId, id);
    if (answer === null) throw new SystemError('execution-not-found', `there is no execution ${id}`);
    return answer;
  }

  /** What is recorded of a tenant, newest first. */
  async list(tenantId: string, cursor: number | null, limit: number) {
    const { items, next } = await this.#needs.records.list(tenantId, cursor, limit);
    return { items: items.map((item) => this.#find(tenantId, item.id)?.toAnswer() ?? item), next };
  }

  /** Ends an execution for its client, wherever it is; one that is over stays as it is. */
  async cancel(tenantId: string, id: string): Promise<Answer> {
    const execution = this.#find(tenantId, id);
    if (execution !== null && !execution.isOver) {
      for (const waiting of this.#waiting) if (waiting.execution === execution) this.#waiting.delete(waiting);
      this.#end(execution, 'cancelled');
      execution.running?.execution.cancel();
      this.#settle();
    }
    return await this.get(tenantId, id);
  }

  /** What happens to an execution; of one that is not remembered, its end. */
  async log(tenantId: string, id: string): Promise<EventLog> {
    return this.#find(tenantId, id)?.log ?? toClosedLog(await this.get(tenantId, id));
  }

  drain(): void {
    this.#isDraining = true;
  }

  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#isStopped = true;
    for (const { execution } of this.#waiting) execution.deadline?.cancel();
    this.#waiting.clear();
    for (const execution of this.#running.keys()) execution.running?.execution.cancel();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    this.#news.stop();
    assert.equal(this.#running.size, 0);
  }
}

function outputLength({ compile, run }: Answer): number {
  return [compile, run].reduce((sum, report) => sum + (report?.stdout.length ?? 0) + (report?.stderr.length ?? 0), 0);
}
