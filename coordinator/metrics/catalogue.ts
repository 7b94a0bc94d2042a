/**
 * Owns the coordinator's metrics: every name with its type, its labels and what it tells. The only place that declares one: what is registered,
 * the types of whoever counts, docs/metrics.md and the check of dashboard and alerts derive from here. Names follow Prometheus' conventions.
 * Invariant: nothing is labelled by an id, or by anything else without bound.
 */
import { SandboxCounts, sandboxCountNames } from '../../shared/model/sandbox-gauges.ts';
import {
  counter,
  type GaugeDeclaration,
  gauge,
  histogram,
  type MetricDeclaration,
  readCounter,
} from './declaration.ts';

const SECONDS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1, 4, 16, 64, 300];

/** Of programs, whose distribution somebody plans by: each bound is twice the one before, from 1 ms to 64 s. */
const CPU_SECONDS = Array.from({ length: 17 }, (_, power) => 2 ** power / 1000);

/** Of builds: a script that does nothing, and a compiler that is fetched and compiled. */
const BUILD_SECONDS = [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 3600];

/** Environments that have a series of their own; those that come later are counted together. */
export const NAMED_ENVIRONMENTS_MAX = 32;

const tenant = 'Its id, for the first ENVICUTOR_METRICS_NAMES_MAX tenants; `other`: all that came later, together.';
const pool = 'Its name, for the first ENVICUTOR_METRICS_NAMES_MAX pools; `other`: the rest together.';
const agent = 'Its name, for the first ENVICUTOR_METRICS_NAMES_MAX agents; `other`: the rest together.';
const kind = 'base, setup or dependencies.';

const api = {
  envicutor_http_request_seconds: histogram(
    'Duration of requests by route: rate, errors and durations of the API.',
    { method: 'As HTTP says it.', route: 'Its pattern; `unknown`: there is none.', code: 'The status.' },
    SECONDS,
  ),
};

const executions = {
  envicutor_executions_total: counter('Executions that are over, by stage and verdict.', {
    stage: 'finished, failed (by us) or cancelled.',
    verdict: 'As the API says it; `none`: there is none.',
  }),
  envicutor_executions_refused_total: counter('Executions that were not accepted.', {
    reason: '`rate` (of the tenant), `queue` (no room), `time` (could not be served in time).',
  }),
  envicutor_execution_retries_total: counter('Attempts beyond the first, of executions that are over.', {}),
  envicutor_executions_requeued_total: counter('Leases that gave no result: their executions went back to the queue.', {
    code: 'Why, as docs/errors.md says it; `agent-lost`: the lease was lost with its agent, or ran out; `timing-unclean`: it is run again.',
  }),
  envicutor_execution_reruns_total: counter(
    'Executions whose first result was dirty and near a limit (docs/timing.md).',
    {
      outcome: '`repeated`, `not-repeated` (nobody gave another), `no-other-agent`.',
    },
  ),
  envicutor_execution_seconds: histogram('Executions that ran, from request to result.', {}, SECONDS),
  envicutor_execution_phase_seconds: histogram(
    'The same by where the time went.',
    { phase: '`queue`, `build`, `fetch`, `prepare`, `execute`, `collect` or `overhead`, as `timing` of the API.' },
    SECONDS,
  ),
  envicutor_execution_overhead_seconds: histogram(
    'Time of an execution that was spent in none of its phases.',
    {},
    SECONDS,
  ),
  envicutor_execution_cpu_seconds: histogram(
    'Processor time of executions that ran.',
    {
      environment: `The first ${NAMED_ENVIRONMENTS_MAX} that everybody may use by their ids, \`other\` (of those), \`tenant\` (all that are a tenant's alone).`,
    },
    CPU_SECONDS,
  ),
  envicutor_sandbox_kills_total: counter('Programs that were ended by a limit.', {
    limit: 'Which, as the API calls it.',
    script: '`build`, `compile`, `run`, `test` or `check`.',
  }),
};

const queue = {
  envicutor_queue_depth: gauge('Executions that wait for an agent or an environment.', {}),
  envicutor_leases: gauge('Leases that are out.', {}),
  envicutor_retry_budget: gauge('Executions that may still be tried again now; at 0 they fail at once.', {}),
  envicutor_tenant_queue_depth: gauge('Executions of a tenant that wait.', { tenant }),
  envicutor_tenant_running: gauge('Executions of a tenant that hold a lease of an agent of this coordinator.', {
    tenant,
  }),
  envicutor_tenant_dominant_share: gauge(
    "A tenant's part of all agents of this coordinator now, by the resource of which it has the largest part.",
    { tenant },
  ),
  envicutor_tenant_queue_seconds: histogram(
    'How long executions of a tenant waited for an agent.',
    { tenant },
    SECONDS,
  ),
  envicutor_tenant_refused_total: counter('Executions of a tenant that were not accepted.', {
    tenant,
    reason: 'As in envicutor_executions_refused_total.',
  }),
};

const fleet = {
  envicutor_agents: gauge('Connected agents.', {}),
  envicutor_agents_left_total: counter('Connections of agents that ended.', {
    cause:
      '`lost`, `heartbeat-missed`, `refused`, `superseded` (by another of the same agent) or `stopped` (by this coordinator).',
  }),
  envicutor_slots: gauge('Slots of all connected agents.', {}),
  envicutor_slots_free: gauge('Free slots of all connected agents.', {}),
  envicutor_pool_agents: gauge('Connected agents of a pool.', { pool, state: '`ready` or `draining`.' }),
  envicutor_pool_slots: gauge('Slots of a pool.', {
    pool,
    state: '`free`, `busy` (taken, or not offered at present) or `draining`; all together are the total.',
  }),
  envicutor_agent_cache_hits_total: counter('Layers that were there when an execution wanted them.', { agent }),
  envicutor_agent_cache_misses_total: counter('Layers that had to be fetched.', { agent }),
  envicutor_agent_cache_evictions_total: counter('Layers that went to make room.', { agent }),
  envicutor_agent_cache_fetched_bytes_total: counter('Blobs that were fetched.', { agent }),
  envicutor_agent_cache_bytes: gauge('Weight of the layers that are there.', { agent }),
  envicutor_agent_disk_free_ratio: gauge(
    "Free part of the disk of an agent's state; of several agents together: the least.",
    { agent },
  ),
};

const layers = {
  envicutor_builds: gauge('Environments being built.', {}),
  envicutor_build_seconds: histogram(
    'Builds of layers that are over, with what was tried again and publication.',
    { kind, outcome: '`built`, `failed` (by its script) or `broken` (by us).' },
    BUILD_SECONDS,
  ),
  envicutor_layer_lookups_total: counter('Layers looked up.', {
    kind,
    outcome: '`hit`, `built`, `failed` (by its script) or `broken` (by us).',
  }),
  envicutor_layer_reproductions_total: counter('Second builds of layers.', {
    outcome: '`shared`, `refused` (they differ), `failed`, `interrupted` (tried again) or `given-up`.',
  }),
  envicutor_layer_reproductions_waiting: gauge('Layers that wait for a second build.', {}),
  envicutor_layers_damaged_total: counter('Layers that agents found damaged on their disks and put aside.', {}),
  envicutor_trust_age_seconds: gauge('Age of the trust state; agents take in no new layer above their trustTtlMs.', {}),
};

const deliveries = {
  envicutor_webhooks: gauge('Attempts to deliver a webhook that are under way.', {}),
  envicutor_webhook_attempts_total: counter('Attempts to deliver a webhook.', {
    outcome: '`taken` or `refused`.',
    state: 'What its delivery is afterwards.',
  }),
};

const toSnakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What launchers count, as metrics. */
export const sandboxMetrics = sandboxCountNames.map((count) => ({
  count,
  name: `envicutor_sandbox_${toSnakeCase(count)}`,
  declaration: gauge(`All connected agents: ${SandboxCounts.properties[count].description}`, {}),
}));

const sandboxes: Readonly<Record<string, GaugeDeclaration>> = Object.fromEntries(
  sandboxMetrics.map(({ name, declaration }) => [name, declaration]),
);

const itself = {
  envicutor_requirement_met: gauge('1 when it answers, as /readyz sees it; 0 when not.', {
    requirement: '`state`, `verifier`, `builder`, `agents` or `staying`.',
  }),
  process_cpu_seconds_total: readCounter('Processor time of the coordinator.', {}),
  process_resident_memory_bytes: gauge('Resident memory of the coordinator.', {}),
  process_start_time_seconds: gauge('When its process began; seconds since 1970.', {}),
  nodejs_heap_used_bytes: gauge('Of its heap, in use.', {}),
  nodejs_eventloop_lag_seconds: gauge('How long the event loop takes to come round, at the moment of the scrape.', {}),
  nodejs_eventloop_active_seconds_total: readCounter(
    'Time that the event loop was not idle: 1 in a second is all that there is.',
    {},
  ),
};

/** Everything that is declared here by its own name. */
export const namedMetrics = { ...api, ...executions, ...queue, ...fleet, ...layers, ...deliveries, ...itself } as const;

/** The catalogue in its parts, for readers. */
export const metricGroups: readonly {
  readonly title: string;
  readonly metrics: Readonly<Record<string, MetricDeclaration>>;
}[] = [
  { title: 'API', metrics: api },
  { title: 'Executions', metrics: executions },
  { title: 'Queue and tenants', metrics: queue },
  { title: 'Agents and slots', metrics: fleet },
  { title: 'Sandboxes', metrics: sandboxes },
  { title: 'Builds and layers', metrics: layers },
  { title: 'Webhooks', metrics: deliveries },
  { title: 'The coordinator itself', metrics: itself },
];

/** All metrics by name. */
export const metricCatalogue: Readonly<Record<string, MetricDeclaration>> = { ...namedMetrics, ...sandboxes };

type Names<Type extends MetricDeclaration['type']> = {
  [Name in keyof typeof namedMetrics]: (typeof namedMetrics)[Name]['type'] extends Type ? Name : never;
}[keyof typeof namedMetrics];

/** Those that go up when something happens. */
export type CounterName = Names<'counter'>;
export type HistogramName = Names<'histogram'>;
/** Those that are read when somebody scrapes. */
export type ReadName = Names<'gauge' | 'read-counter'>;

/** A value for each label of a metric. */
export type LabelsOf<Name extends keyof typeof namedMetrics> = Readonly<
  Record<keyof (typeof namedMetrics)[Name]['labels'], string | number>
>;
