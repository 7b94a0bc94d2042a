/**
 * Owns how everything is read that is looked at when somebody scrapes: from the fleet, the queue and this process, by tenants, pools and agents.
 * Never changes anything. Invariant: one thing that does not answer fails no scrape.
 */
import { atMost, type Clock } from '../../shared/clock.ts';
import type { Fleet, FleetAgent } from '../agents/fleet.ts';
import type { Admission } from '../executions/admission.ts';
import type { FairScheduler } from '../scheduler/fair-scheduler.ts';
import type { Metrics, Readers, Reading } from './metrics.ts';

/** What is asked. */
export interface ReadingDeps {
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly admission: Pick<Admission, 'waiting' | 'waitingByTenant'>;
  /** Of this coordinator's own agents. */
  readonly local: Pick<FairScheduler, 'running' | 'held' | 'retriesLeft'>;
  readonly environments: { readonly building: number };
  readonly reproductions: { readonly waiting: number };
  readonly trust: { readonly ageSeconds: number };
  readonly deliveries: { readonly underWay: number };
  /** Each resolves when it answers. */
  readonly requirements: Readonly<Record<string, () => Promise<unknown>>>;
}

/** What does not answer in this time does not answer. */
const ANSWER_MS_MAX = 1000;

/** Sums by the values of labels. */
class Sums {
  readonly #sums = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>();

  add(labels: Readonly<Record<string, string>>, value: number): void {
    const key = Object.values(labels).join(' ');
    const sum = this.#sums.get(key);
    if (sum === undefined) this.#sums.set(key, { labels, value });
    else sum.value += value;
  }

  toReading(): Reading {
    return [...this.#sums.values()].map(({ labels, value }) => [labels, value] as const);
  }
}

/** All readers. */
export function createReaders(deps: ReadingDeps, metrics: Pick<Metrics, 'tenants' | 'pools' | 'agents'>): Readers {
  const { admission, local, fleet, environments, reproductions, trust, deliveries } = deps;
  return {
    envicutor_queue_depth: () => admission.waiting,
    envicutor_leases: () => local.running,
    envicutor_retry_budget: () => local.retriesLeft,
    envicutor_builds: () => environments.building,
    envicutor_layer_reproductions_waiting: () => reproductions.waiting,
    envicutor_trust_age_seconds: () => trust.ageSeconds,
    envicutor_webhooks: () => deliveries.underWay,
    envicutor_agents: () => fleet.size,
    envicutor_slots: () => fleet.slots().total,
    envicutor_slots_free: () => fleet.slots().free,
    envicutor_requirement_met: () => readRequirements(deps),
    sandboxes: () => fleet.sandboxes(),
    ...tenantReaders(deps, metrics),
    ...agentReaders(fleet, metrics),
    ...processReaders(deps.clock),
  };
}

type Part<Name extends keyof Readers> = Pick<Readers, Name>;

function tenantReaders(
  { admission, local, fleet }: ReadingDeps,
  { tenants }: Pick<Metrics, 'tenants'>,
): Part<'envicutor_tenant_queue_depth' | 'envicutor_tenant_running' | 'envicutor_tenant_dominant_share'> {
  const perTenant = (add: (sums: Sums) => void): Reading => {
    const sums = new Sums();
    add(sums);
    return sums.toReading();
  };
  const labelsOf = (tenantId: string) => ({ tenant: tenants.of(tenantId) });
  return {
    envicutor_tenant_queue_depth: () =>
      perTenant((sums) => {
        for (const [tenantId, count] of admission.waitingByTenant()) sums.add(labelsOf(tenantId), count);
      }),
    envicutor_tenant_running: () =>
      perTenant((sums) => {
        for (const { tenantId } of local.held()) sums.add(labelsOf(tenantId), 1);
      }),
    envicutor_tenant_dominant_share: () =>
      perTenant((sums) => {
        const all = Math.max(1, fleet.capacity().slots);
        for (const { tenantId, slots } of local.held()) sums.add(labelsOf(tenantId), slots / all);
      }),
  };
}

function agentReaders(
  fleet: Fleet,
  { pools, agents }: Pick<Metrics, 'pools' | 'agents'>,
): Part<
  'envicutor_pool_agents' | 'envicutor_pool_slots' | 'envicutor_agent_cache_bytes' | 'envicutor_agent_disk_free_ratio'
> {
  const perAgent = (add: (sums: Sums, agent: FleetAgent) => void) => (): Reading => {
    const sums = new Sums();
    for (const agent of fleet.all()) add(sums, agent);
    return sums.toReading();
  };
  return {
    envicutor_pool_agents: perAgent((sums, { pool, isDraining }) =>
      sums.add({ pool: pools.of(pool), state: isDraining ? 'draining' : 'ready' }, 1),
    ),
    envicutor_pool_slots: perAgent((sums, agent) => {
      const { slots, freeSlots, isDraining } = agent;
      const pool = pools.of(agent.pool);
      sums.add({ pool, state: 'free' }, freeSlots);
      sums.add({ pool, state: 'busy' }, isDraining ? 0 : slots - freeSlots);
      sums.add({ pool, state: 'draining' }, isDraining ? slots : 0);
    }),
    envicutor_agent_cache_bytes: perAgent((sums, { cache, facts }) => {
      if (cache !== null) sums.add({ agent: agents.of(facts.name) }, cache.layerBytes);
    }),
    envicutor_agent_disk_free_ratio: () => {
      const least = new Map<string, number>();
      for (const { cache, facts } of fleet.all()) {
        if (cache === null || cache.diskBytes === 0) continue;
        const agent = agents.of(facts.name);
        least.set(agent, Math.min(least.get(agent) ?? 1, cache.diskFreeBytes / cache.diskBytes));
      }
      return [...least].map(([agent, ratio]) => [{ agent }, ratio] as const);
    },
  };
}

async function readRequirements({ clock, requirements }: ReadingDeps): Promise<Reading> {
  const read = async ([requirement, check]: readonly [string, () => Promise<unknown>]) => {
    let isMet = false;
    const checked = check().then(
      () => {
        isMet = true;
      },
      () => undefined,
    );
    await atMost(clock, ANSWER_MS_MAX, checked);
    return [{ requirement }, isMet ? 1 : 0] as const;
  };
  return await Promise.all(Object.entries(requirements).map(read));
}

function processReaders(
  clock: Clock,
): Part<
  | 'process_cpu_seconds_total'
  | 'process_resident_memory_bytes'
  | 'process_start_time_seconds'
  | 'nodejs_heap_used_bytes'
  | 'nodejs_eventloop_lag_seconds'
  | 'nodejs_eventloop_active_seconds_total'
> {
  const startedAtSeconds = Math.round(clock.nowMs() / 1000 - process.uptime());
  return {
    process_cpu_seconds_total: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000_000;
    },
    process_resident_memory_bytes: () => process.memoryUsage.rss(),
    process_start_time_seconds: () => startedAtSeconds,
    nodejs_heap_used_bytes: () => process.memoryUsage().heapUsed,
    nodejs_eventloop_lag_seconds: async () => {
      const fromMs = clock.monotonicMs();
      await new Promise((resolve) => setImmediate(resolve));
      return (clock.monotonicMs() - fromMs) / 1000;
    },
    nodejs_eventloop_active_seconds_total: () => performance.eventLoopUtilization().active / 1000,
  };
}
