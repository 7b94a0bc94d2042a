/**
 * Owns counting what the catalogue declares, and the text that a scraper reads: the only importer of prom-client. Core files know nothing of it: they
 * are listened to, or asked when somebody scrapes.
 * Never labels by an id, or by anything else without bound. Invariant: what is read has every metric of the catalogue, and no other.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ErrorCode } from '../../shared/errors.ts';
import type { ConnectionCause } from '../../shared/lifecycle/agent.ts';
import type { DeliveryState } from '../../shared/lifecycle/delivery.ts';
import type { Execution } from '../../shared/model/execution.ts';
import type { SandboxCounts } from '../../shared/model/sandbox-gauges.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { CacheGrowth } from '../agents/agent-growth.ts';
import type { EndedBuild, LookupOutcome } from '../environments/layer-demand.ts';
import type { ReproductionOutcome } from '../environments/reproduction.ts';
import type { AdmissionRefusal } from '../executions/admission.ts';
import { BoundedNames } from './bounded-names.ts';
import {
  type CounterName,
  type HistogramName,
  type LabelsOf,
  metricCatalogue,
  NAMED_ENVIRONMENTS_MAX,
  namedMetrics,
  type ReadName,
  sandboxMetrics,
} from './catalogue.ts';
import type { MetricDeclaration } from './declaration.ts';

/** What is read at a scrape: a value, or one for each set of labels. */
export type Reading = number | readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];

/** How each metric that is read is read. */
export type Readers = Readonly<Record<ReadName, () => Reading | Promise<Reading>>> & {
  readonly sandboxes: () => SandboxCounts;
};

/** The scripts that ran for a client, with what each is called in a label. */
function* reportsOf({ compile, run, tests, check }: Execution): IterableIterator<readonly [string, Report | null]> {
  yield ['compile', compile];
  yield ['run', run];
  for (const { report, check: checked } of tests) {
    yield ['test', report];
    yield ['check', checked?.report ?? null];
  }
  yield ['check', check?.compile ?? null];
}

/** Of everything that ran for its client: scripts 3 and 4, and every test. */
function cpuSecondsOf({ compile, run, tests }: Execution): number {
  const reports = [compile, run, ...tests.map(({ report }) => report)];
  return reports.reduce((sum, report) => sum + (report?.usage.cpuTimeMs ?? 0), 0) / 1000;
}

/** A metric that is filled anew at each scrape. */
interface Filled {
  reset(): void;
  inc(labels: Readonly<Record<string, string>>, value: number): void;
}

type Add = (labels: Readonly<Record<string, string | number>>, value: number) => void;

/** See the head of this file. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #adders = new Map<string, Add>();
  readonly #environments = new BoundedNames(NAMED_ENVIRONMENTS_MAX);
  /** Whose names are labels. */
  readonly tenants: BoundedNames;
  readonly pools: BoundedNames;
  readonly agents: BoundedNames;

  /** `namesMax`: how many tenants, pools and agents have a name here, each. */
  constructor(namesMax: number) {
    this.tenants = new BoundedNames(namesMax);
    this.pools = new BoundedNames(namesMax);
    this.agents = new BoundedNames(namesMax);
    for (const [name, declaration] of Object.entries(metricCatalogue)) this.#register(name, declaration);
  }

  #register(name: string, declaration: MetricDeclaration): void {
    const { type, tells: help, labels } = declaration;
    const about = { name, help, labelNames: Object.keys(labels), registers: [this.#registry] };
    if (type === 'counter') {
      const metric = new Counter(about);
      this.#adders.set(name, (values, value) => metric.inc(values, value));
    } else if (type === 'histogram') {
      const metric = new Histogram({ ...about, buckets: [...declaration.buckets] });
      this.#adders.set(name, (values, value) => metric.observe(values, value));
    }
  }

  /** Adds what is asked for at every scrape. */
  watch({ sandboxes, ...readers }: Readers): void {
    for (const [name, read] of Object.entries(readers)) this.#read(name, namedMetrics[name as ReadName], read);
    for (const { name, count, declaration } of sandboxMetrics) this.#read(name, declaration, () => sandboxes()[count]);
  }

  #read(name: string, { type, tells: help, labels }: MetricDeclaration, read: () => Reading | Promise<Reading>): void {
    const about = { name, help, labelNames: Object.keys(labels), registers: [this.#registry] };
    const fill = async (metric: Filled) => {
      const reading = await read();
      metric.reset();
      for (const [values, value] of typeof reading === 'number' ? ([[{}, reading]] as const) : reading)
        metric.inc(values, value);
    };
    if (type === 'read-counter')
      new Counter({
        ...about,
        collect() {
          return fill(this);
        },
      });
    else
      new Gauge({
        ...about,
        collect() {
          return fill(this);
        },
      });
  }

  #count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, count = 1): void {
    this.#adders.get(name)?.(labels as Readonly<Record<string, string | number>>, count);
  }

  #observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, value: number): void {
    this.#adders.get(name)?.(labels as Readonly<Record<string, string | number>>, value);
  }

  ended(execution: Execution, tenantId: string): void {
    const { stage, verdict, attempts, timing, agent, environment, rerun } = execution;
    this.#count('envicutor_executions_total', { stage, verdict: verdict ?? 'none' });
    if (attempts > 1) this.#count('envicutor_execution_retries_total', {}, attempts - 1);
    if (rerun !== undefined) this.#count('envicutor_execution_reruns_total', { outcome: rerun.outcome });
    for (const [script, report] of reportsOf(execution)) this.#killed(script, report);
    if (agent === null) return;
    this.#timed(timing, this.tenants.of(tenantId));
    if (stage === 'finished' && environment !== null)
      this.#observe(
        'envicutor_execution_cpu_seconds',
        { environment: this.#nameOf(environment) },
        cpuSecondsOf(execution),
      );
  }

  #timed(timing: Execution['timing'], tenant: string): void {
    const phases = {
      ...{ queue: timing.queuedMs, build: timing.buildMs, fetch: timing.fetchMs, prepare: timing.prepareMs },
      ...{ execute: timing.executeMs, collect: timing.collectMs, overhead: timing.overheadMs },
    };
    let totalMs = 0;
    for (const [phase, ms] of Object.entries(phases)) {
      totalMs += ms;
      this.#observe('envicutor_execution_phase_seconds', { phase }, ms / 1000);
    }
    this.#observe('envicutor_execution_seconds', {}, totalMs / 1000);
    this.#observe('envicutor_execution_overhead_seconds', {}, timing.overheadMs / 1000);
    this.#observe('envicutor_tenant_queue_seconds', { tenant }, timing.queuedMs / 1000);
  }

  #killed(script: string, report: Report | null): void {
    if (report === null || report.exceeded === null) return;
    this.#count('envicutor_sandbox_kills_total', { limit: report.exceeded.limit, script });
  }

  /** Whoever may scrape is not to learn what one tenant has; and there are no more series than this. */
  #nameOf({ id, scope }: NonNullable<Execution['environment']>): string {
    return scope === 'tenant' ? 'tenant' : this.#environments.of(id);
  }

  refused(reason: AdmissionRefusal, tenantId: string): void {
    this.#count('envicutor_executions_refused_total', { reason });
    this.#count('envicutor_tenant_refused_total', { tenant: this.tenants.of(tenantId), reason });
  }

  requeued(code: ErrorCode): void {
    this.#count('envicutor_executions_requeued_total', { code });
  }

  looked(kind: string, outcome: LookupOutcome, build: EndedBuild | null = null): void {
    this.#count('envicutor_layer_lookups_total', { kind, outcome });
    if (build === null) return;
    this.#observe('envicutor_build_seconds', { kind, outcome }, build.durationMs / 1000);
    this.#killed('build', build.report);
  }

  reproduced(outcome: ReproductionOutcome): void {
    this.#count('envicutor_layer_reproductions_total', { outcome });
  }

  damaged(): void {
    this.#count('envicutor_layers_damaged_total', {});
  }

  attempted(outcome: 'taken' | 'refused', state: DeliveryState): void {
    this.#count('envicutor_webhook_attempts_total', { outcome, state });
  }

  answered(route: string, method: string, code: number, durationMs: number): void {
    this.#observe('envicutor_http_request_seconds', { method, route, code }, durationMs / 1000);
  }

  agentLeft(cause: ConnectionCause): void {
    this.#count('envicutor_agents_left_total', { cause });
  }

  /** What an agent's cache did since its report before. */
  agentGrew(name: string, { hits, misses, evictions, fetchedBytes }: CacheGrowth): void {
    const labels = { agent: this.agents.of(name) };
    this.#count('envicutor_agent_cache_hits_total', labels, hits);
    this.#count('envicutor_agent_cache_misses_total', labels, misses);
    this.#count('envicutor_agent_cache_evictions_total', labels, evictions);
    this.#count('envicutor_agent_cache_fetched_bytes_total', labels, fetchedBytes);
  }

  /** What a scraper reads. */
  async read(): Promise<{ text: string; type: string }> {
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }
}
