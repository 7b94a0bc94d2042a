/**
 * Owns letting requests in, one or many at once: admission, their environments, their record. Never runs anything: what is let in is its user's.
 * Invariants: of many all are accepted or none; nothing is recorded of what is refused; what is asynchronous is durable before it is accepted; a key that
 * is known is answered as it was the first time, whatever the queue is like now.
 */
import { SystemError } from '../../shared/errors.ts';
import { createExecutionId, type ExecutionId } from '../../shared/ids.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import type { OpenedEnvironment } from '../environments/environment-service.ts';
import type { Tenant } from '../tenants/keys.ts';
import { checkTaken, recordAcceptance, toIdempotency } from './acceptance.ts';
import { checkNamedPool, toWaitMsMax } from './demand.ts';
import { checkEnvironmentOf, type OpenedEnvironments } from './environment-wait.ts';
import type { ExecutionServiceDeps, ExecutionServiceOptions } from './execution-service.ts';
import type { RequestTrace } from './execution-trace.ts';
import { giveBodyBack } from './handled-body.ts';
import { type ExecutionTerms, LiveExecution } from './live-execution.ts';
import type { LiveExecutions, Submitted } from './live-executions.ts';
import type { IdempotencyKey } from './state-store.ts';

/** How a client asks. */
export interface SubmitTerms {
  readonly tenantId: string;
  readonly isWaited: boolean;
  /** Is output to be told as it comes? Absent: unless it is waited for. */
  readonly isStreamed?: boolean;
  /** Has an interactive one pipes in the place of a terminal? Absent: no. */
  readonly isPiped?: boolean;
  /** The client's Idempotency-Key, or null. */
  readonly key: string | null;
  /** Of the request; null or absent: nobody looks. */
  readonly trace?: RequestTrace | null;
}

/** Who goes on with what was let in. */
export interface SubmissionsUser {
  isDraining(): boolean;
  /** Do others take up what is durable? */
  isLeaving(): boolean;
  begin(execution: LiveExecution, opened: OpenedEnvironments): void;
  /** It is somebody else's to run. */
  abandon(executions: ReadonlySet<LiveExecution>): void;
}

/** Says where in a body a problem of one of its executions is. */
type ToPlace = (index: number, pointer: string, problem: SystemError) => SystemError;

const noPlace: ToPlace = (_index, _pointer, problem) => problem;

const toPlaceInBatch: ToPlace = (index, within, { code, message, retryAfterSeconds, cause }) => {
  const pointer = `/executions/${index}${within}`;
  const context = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new SystemError(code, `${pointer}: ${message}`, {
    ...{ cause, errors: [{ pointer, detail: message }] },
    ...context,
  });
};

/** One that is recorded, with its environment unless another coordinator is to open that. */
interface Recorded {
  readonly execution: LiveExecution;
  readonly opened: OpenedEnvironments | null;
}

/** See the head of this file. */
export class Submissions {
  readonly #deps: ExecutionServiceDeps;
  readonly #options: ExecutionServiceOptions;
  readonly #live: LiveExecutions;
  readonly #user: SubmissionsUser;

  constructor(
    deps: ExecutionServiceDeps,
    options: ExecutionServiceOptions,
    live: LiveExecutions,
    user: SubmissionsUser,
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#live = live;
    this.#user = user;
  }

  /** Accepts a request: SystemError `queue-full`, `rate-exceeded`, `quota-exceeded`, `draining`, `environment-not-found`, `forbidden`, `idempotency-key-reused`, `shard-moved`. */
  async submit(request: ExecutionRequest, how: SubmitTerms): Promise<Submitted> {
    const { tenantId, isWaited, key, trace = null, isStreamed = !isWaited, isPiped = false } = how;
    const isDurable = !isWaited || key !== null || request.webhook !== undefined;
    const terms: ExecutionTerms = { tenantId, request, isDurable, isStreamed, isPiped, trace };
    const idempotency = toIdempotency(key, request, this.#options.idempotencyTtlMs);
    const [accepted] = await this.#acceptAll([terms], idempotency, noPlace);
    if (accepted === undefined) throw new Error('a request was neither accepted nor refused');
    if (typeof accepted !== 'string') return accepted;
    const { store, clock } = this.#deps;
    return await this.#live.found(accepted, () => store.get(tenantId, accepted), clock);
  }

  /** Accepts all of these requests or none; a problem of one names its place. The errors of `submit`, and `request-invalid` for more than could ever wait. */
  async submitAll(
    requests: readonly ExecutionRequest[],
    { tenantId, key, trace = null }: Pick<SubmitTerms, 'tenantId' | 'key' | 'trace'>,
  ): Promise<readonly ExecutionId[]> {
    const terms = requests.map((request) => ({ tenantId, request, isDurable: true, isStreamed: true, trace }));
    const idempotency = toIdempotency(key, { executions: requests }, this.#options.idempotencyTtlMs);
    const accepted = await this.#acceptAll(terms, idempotency, toPlaceInBatch);
    return accepted.map((one) => (typeof one === 'string' ? one : one.id));
  }

  /** What was accepted, or the ids of what was accepted when their key came first. */
  async #acceptAll(
    all: readonly ExecutionTerms[],
    idempotency: IdempotencyKey | null,
    toPlace: ToPlace,
  ): Promise<readonly (LiveExecution | ExecutionId)[]> {
    const [first] = all;
    if (first === undefined) return [];
    if (this.#user.isDraining()) {
      throw new SystemError('draining', 'this instance is stopping; ask again in a moment', { retryAfterSeconds: 5 });
    }
    const { admission, memory, tenants, store } = this.#deps;
    const tenant = tenants(first.tenantId);
    const known = idempotency === null ? null : await store.findKey(tenant.id, idempotency.key);
    if (known !== null) {
      // Its client may wait for what another request began.
      giveBodyBack();
      return checkTaken(known, idempotency);
    }
    if (first.isDurable) await this.#deps.storage?.check(tenant.id);
    const waits = all.map(({ request }) => toWaitMsMax(request, this.#options.queueWaitMsMax));
    admission.admit(tenant, Math.min(...waits), all.length);
    const weights = this.#takeMemory(tenant, all);
    // Until they begin: whoever asks meanwhile is to find less room.
    admission.entered(tenant, all.length);
    const recorded = await this.#record(all, idempotency, toPlace).catch((error: unknown) => {
      this.#giveBack(tenant, all.length, weights);
      throw error;
    });
    if ('taken' in recorded) {
      this.#giveBack(tenant, all.length, weights);
      return recorded.taken;
    }
    admission.left(tenant, all.length);
    for (const [index, { execution }] of recorded.executions.entries()) {
      void execution.done.then(() => memory.giveBack(tenant, weights[index] ?? 0));
    }
    return this.#beginAll(recorded.executions);
  }

  #takeMemory(tenant: Tenant, all: readonly ExecutionTerms[]): readonly number[] {
    try {
      return this.#deps.memory.take(
        tenant,
        all.map(({ request }) => request),
      );
    } catch (error) {
      this.#deps.admission.giveBack(tenant, all.length);
      throw error;
    } finally {
      // Until here they were bodies.
      giveBodyBack();
    }
  }

  #giveBack(tenant: Tenant, count: number, weights: readonly number[]): void {
    const { admission, memory } = this.#deps;
    admission.giveBack(tenant, count);
    admission.left(tenant, count);
    for (const weight of weights) memory.giveBack(tenant, weight);
  }

  async #record(
    all: readonly ExecutionTerms[],
    idempotency: IdempotencyKey | null,
    toPlace: ToPlace,
  ): Promise<{ readonly executions: readonly Recorded[] } | { readonly taken: readonly ExecutionId[] }> {
    const { clock, random, store, shards } = this.#deps;
    const live = all.map((terms) => new LiveExecution(clock, createExecutionId(random), terms));
    const release = () => {
      for (const { files } of live) files.release(null);
    };
    try {
      // Refuses files that are not there, and an unknown environment, before anything is recorded.
      await this.#holdAll(live, toPlace);
      const opened = await this.#openAll(live, toPlace);
      const executions = live.map((execution, index) => ({ execution, opened: opened[index] ?? null }));
      const [first] = all;
      if (first?.isDurable !== true) return { executions };
      const lease = shards.leaseFor(first.tenantId);
      const taken = await this.#live.accepting(live, () => recordAcceptance(store, live, idempotency, lease));
      if (taken === null) return { executions };
      release();
      return { taken };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #holdAll(live: readonly LiveExecution[], toPlace: ToPlace): Promise<void> {
    for (const [index, execution] of live.entries()) {
      execution.files = await this.#deps.files.hold(execution).catch((error: unknown) => {
        throw error instanceof SystemError ? toPlace(index, error.errors[0]?.pointer ?? '', error) : error;
      });
    }
  }

  /** In the order of the requests; environments that are asked for alike are opened once. */
  async #openAll(live: readonly LiveExecution[], toPlace: ToPlace): Promise<readonly (OpenedEnvironments | null)[]> {
    const { environments, pools, tenants } = this.#deps;
    const known = new Map<string, OpenedEnvironment>();
    const all = live.map(({ terms }) => terms);
    const allOpened: (OpenedEnvironments | null)[] = all.map(() => null);
    // Those that may be unknown first: then nothing has been begun for the others.
    const indices = [...all.keys()].sort((one, other) => toOrder(all[one]) - toOrder(all[other]) || one - other);
    for (const index of indices) {
      const terms = all[index];
      if (terms === undefined || this.#isSuccessors(terms)) continue;
      const place = (pointer: string) => (error: unknown) => {
        throw error instanceof SystemError ? toPlace(index, pointer, error) : error;
      };
      const { tenantId, request } = terms;
      const open = async (described: ExecutionRequest['environment'], pointer: string) => {
        const key = JSON.stringify(described);
        const found =
          known.get(key) ?? (await environments.open(tenantId, described, live[index]?.id).catch(place(pointer)));
        known.set(key, found);
        return found;
      };
      const own = await open(request.environment, '/environment');
      const described = checkEnvironmentOf(request);
      const opened = { own, check: described === null ? null : await open(described, '/check/environment') };
      allOpened[index] = opened;
      try {
        checkNamedPool(pools, tenants(tenantId), request, opened, this.#options.limitMaxima);
      } catch (error) {
        place('/placement/pool')(error);
      }
    }
    return allOpened;
  }

  /** Is its environment to be opened by whoever takes it up? */
  #isSuccessors({ isDurable, request }: ExecutionTerms): boolean {
    return this.#user.isLeaving() && isDurable && typeof request.environment !== 'string';
  }

  #beginAll(recorded: readonly Recorded[]): readonly LiveExecution[] {
    const others = new Set<LiveExecution>();
    for (const { execution, opened } of recorded) {
      // Its shard may have been lost, or be about to be left, while it was recorded.
      const isOthers = execution.isAbandoned || (this.#user.isLeaving() && execution.terms.isDurable);
      if (opened === null || isOthers) others.add(execution);
      else this.#user.begin(execution, opened);
    }
    if (others.size > 0) this.#user.abandon(others);
    return recorded.map(({ execution }) => execution);
  }
}

function toOrder(terms: ExecutionTerms | undefined): number {
  return typeof terms?.request.environment === 'string' ? 0 : 1;
}
