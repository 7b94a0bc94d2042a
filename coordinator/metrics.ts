/**
 * Owns the coordinator's metrics: what is counted and under which name. Core files know nothing of it: they are listened to, or asked when
 * somebody scrapes. Never labels by tenant, id or anything else without bound.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DeliveryState } from '../shared/lifecycle/delivery.ts';
import type { Execution } from '../shared/model/execution.ts';
import { SandboxCounts, sandboxCountNames } from '../shared/model/sandbox-gauges.ts';
import type { LookupOutcome } from './environments/layer-demand.ts';
import type { ReproductionOutcome } from './environments/reproduction.ts';
import type { AdmissionRefusal } from './executions/admission.ts';

/** What is read when somebody scrapes. */
export interface Gauges {
  readonly queueDepth: () => number;
  readonly leases: () => number;
  readonly builds: () => number;
  readonly reproductions: () => number;
  readonly agents: () => number;
  readonly slots: () => { total: number; free: number };
  readonly sandboxes: () => SandboxCounts;
  readonly trustAgeSeconds: () => number;
  readonly webhooks: () => number;
}

/** Environments that have a series of their own; those that come later are counted together. */
const NAMED_ENVIRONMENTS_MAX = 32;

/** Of everything that ran for its client: scripts 3 and 4, and every test. */
function cpuSecondsOf({ compile, run, tests }: Execution): number {
  const reports = [compile, run, ...tests.map(({ report }) => report)];
  return reports.reduce((sum, report) => sum + (report?.usage.cpuTimeMs ?? 0), 0) / 1000;
}

const SECONDS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1, 4, 16, 64, 300];

/** Of programs, whose distribution somebody plans by: each bound is twice the one before, from 1 ms to 64 s. */
const CPU_SECONDS = Array.from({ length: 17 }, (_, power) => 2 ** power / 1000);

const toSnakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Counters that core events move, and the text that a scraper reads. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #executions: Counter;
  readonly #refusals: Counter;
  readonly #retries: Counter;
  readonly #lookups: Counter;
  readonly #reproductions: Counter;
  readonly #damaged: Counter;
  readonly #attempts: Counter;
  readonly #http: Histogram;
  readonly #overhead: Histogram;
  readonly #cpu: Histogram;
  readonly #named = new Set<string>();

  constructor() {
    const registers = [this.#registry];
    this.#executions = new Counter({
      name: 'envicutor_executions_total',
      help: 'Executions that are over, by stage and verdict.',
      labelNames: ['stage', 'verdict'],
      registers,
    });
    this.#refusals = new Counter({
      name: 'envicutor_executions_refused_total',
      help: 'Executions that were not accepted, by reason: rate (of the tenant), queue (no room), time (could not be served in time).',
      labelNames: ['reason'],
      registers,
    });
    this.#retries = new Counter({
      name: 'envicutor_execution_retries_total',
      help: 'Attempts beyond the first.',
      registers,
    });
    this.#lookups = new Counter({
      name: 'envicutor_layer_lookups_total',
      help: 'Layers looked up, by kind and outcome: hit, built, failed (by its script), broken (by us).',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.#reproductions = new Counter({
      name: 'envicutor_layer_reproductions_total',
      help: 'Second builds of layers, by outcome: shared, refused (they differ), failed, interrupted (tried again), given-up.',
      labelNames: ['outcome'],
      registers,
    });
    this.#damaged = new Counter({
      name: 'envicutor_layers_damaged_total',
      help: 'Layers that agents found damaged on their disks and put aside.',
      registers,
    });
    this.#attempts = new Counter({
      name: 'envicutor_webhook_attempts_total',
      help: 'Attempts to deliver a webhook, by outcome (taken, refused) and what its delivery is afterwards.',
      labelNames: ['outcome', 'state'],
      registers,
    });
    this.#http = new Histogram({
      name: 'envicutor_http_request_seconds',
      help: 'Duration of requests by route.',
      labelNames: ['method', 'route', 'code'],
      buckets: SECONDS,
      registers,
    });
    this.#overhead = new Histogram({
      name: 'envicutor_execution_overhead_seconds',
      help: 'Time of an execution that was spent in none of its phases.',
      buckets: SECONDS,
      registers,
    });
    this.#cpu = new Histogram({
      name: 'envicutor_execution_cpu_seconds',
      help: `Processor time of executions that ran, by environment: the first ${NAMED_ENVIRONMENTS_MAX} that everybody may use by their ids, other (of those), tenant (all that are a tenant's alone).`,
      labelNames: ['environment'],
      buckets: CPU_SECONDS,
      registers,
    });
  }

  /** Adds what is asked for at every scrape. */
  watch(gauges: Gauges): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge('envicutor_queue_depth', 'Executions that wait for an agent or an environment.', gauges.queueDepth);
    gauge('envicutor_leases', 'Leases that are out.', gauges.leases);
    gauge('envicutor_builds', 'Environments being built.', gauges.builds);
    gauge('envicutor_layer_reproductions_waiting', 'Layers that wait for a second build.', gauges.reproductions);
    gauge('envicutor_webhooks', 'Attempts to deliver a webhook that are under way.', gauges.webhooks);
    gauge('envicutor_agents', 'Connected agents.', gauges.agents);
    gauge('envicutor_slots', 'Slots of all connected agents.', () => gauges.slots().total);
    gauge('envicutor_slots_free', 'Free slots of all connected agents.', () => gauges.slots().free);
    const aged = 'Age of the trust state; agents take in no new layer above their trustTtlMs.';
    gauge('envicutor_trust_age_seconds', aged, gauges.trustAgeSeconds);
    for (const name of sandboxCountNames) {
      const text = `All connected agents: ${SandboxCounts.properties[name].description}`;
      gauge(`envicutor_sandbox_${toSnakeCase(name)}`, text, () => gauges.sandboxes()[name]);
    }
  }

  ended(execution: Execution): void {
    const { stage, verdict, attempts, timing, agent, environment } = execution;
    this.#executions.inc({ stage, verdict: verdict ?? 'none' });
    if (attempts > 1) this.#retries.inc(attempts - 1);
    if (agent !== null) this.#overhead.observe(timing.overheadMs / 1000);
    if (stage === 'finished' && agent !== null && environment !== null)
      this.#cpu.observe({ environment: this.#nameOf(environment) }, cpuSecondsOf(execution));
  }

  /** Whoever may scrape is not to learn what one tenant has; and there are no more series than this. */
  #nameOf({ id, scope }: NonNullable<Execution['environment']>): string {
    if (scope === 'tenant') return 'tenant';
    if (this.#named.size < NAMED_ENVIRONMENTS_MAX) this.#named.add(id);
    return this.#named.has(id) ? id : 'other';
  }

  refused(reason: AdmissionRefusal): void {
    this.#refusals.inc({ reason });
  }

  looked(kind: string, outcome: LookupOutcome): void {
    this.#lookups.inc({ kind, outcome });
  }

  reproduced(outcome: ReproductionOutcome): void {
    this.#reproductions.inc({ outcome });
  }

  damaged(): void {
    this.#damaged.inc();
  }

  attempted(outcome: 'taken' | 'refused', state: DeliveryState): void {
    this.#attempts.inc({ outcome, state });
  }

  answered(route: string, method: string, code: number, durationMs: number): void {
    this.#http.observe({ method, route, code }, durationMs / 1000);
  }

  /** What a scraper reads. */
  async read(): Promise<{ text: string; type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }
}
