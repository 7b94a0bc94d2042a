/**
 * Owns the proof of which figures a scraper gets: those of the coordinator, what agents and their launchers count, and that names are bounded.
 * Never scrapes over HTTP: test/integration does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentGrowth } from '../../coordinator/agents/agent-growth.ts';
import { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import { Metrics } from '../../coordinator/metrics/metrics.ts';
import { createReaders, type ReadingDeps } from '../../coordinator/metrics/readings.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { AgentCounts } from '../../shared/model/agent-gauges.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { makeReport } from '../support/lease-results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function agent(id: string, pool = 'default', isDraining = false): FleetAgent {
  const facts = {
    ...{ id: id as AgentId, name: id, pool, labels: {}, architecture: 'x86_64', release: '1' },
    ...{ kernel: '6', cores: 1, memoryBytes: 1, exclusiveCores: false },
  };
  return new FleetAgent(facts, { isDraining, connectedAtMs: 0, send: () => undefined });
}

const counts: AgentCounts = {
  ...{ hits: 0, misses: 0, evictions: 0, fetchedBytes: 0 },
  ...{ layerBytes: 10, diskBytes: 100, diskFreeBytes: 50 },
};

interface Held {
  readonly tenantId: string;
  readonly slots: number;
}

function watched(
  namesMax: number,
  fleet: Fleet,
  held: readonly Held[] = [],
  waiting: [string, number][] = [],
): Metrics {
  const metrics = new Metrics(namesMax);
  const deps: ReadingDeps = {
    ...{ clock: new VirtualClock(), fleet, requirements: {} },
    admission: { waiting: waiting.length, waitingByTenant: () => waiting.values() },
    local: { running: held.length, held: () => held.values(), retriesLeft: 7 },
    ...{ environments: { building: 0 }, reproductions: { waiting: 0 }, trust: { ageSeconds: 0 } },
    deliveries: { underWay: 0 },
  };
  metrics.watch(createReaders(deps, metrics));
  return metrics;
}

async function series(metrics: Metrics, name: string): Promise<string[]> {
  const { text } = await metrics.read();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.map((line) => line.slice(name.length).trim());
}

test('the counts of all launchers are summed, and an agent that says nothing counts as none', async () => {
  const fleet = new Fleet();
  const [one, two, silent] = [agent('agent_1'), agent('agent_2'), agent('agent_3')];
  for (const each of [one, two, silent]) fleet.join(each);
  one.report(2, [], { stock: 1, stockWanted: 4, stockMisses: 10, running: 2, sweeping: 3 });
  two.report(2, [], { stock: 2, stockWanted: 4, stockMisses: 20, running: 0, sweeping: 0 });
  silent.report(2, []);
  const { text } = await watched(0, fleet).read();
  const figures = [...text.matchAll(/^envicutor_sandbox_(\w+) (\d+)$/gm)].map(([, name, value]) => `${name} ${value}`);
  assert.deepEqual(figures, ['stock 3', 'stock_wanted 8', 'stock_misses 30', 'running 2', 'sweeping 3']);
  assert.match(text, /^# HELP envicutor_sandbox_stock All connected agents: Prepared sandboxes, ready\.$/m);
});

test('slots are free, busy or draining, by pool; pools beyond the bound are together', async () => {
  const fleet = new Fleet();
  const [one, leaving, far, farther] = [
    agent('a', 'near'),
    agent('b', 'near', true),
    agent('c', 'far'),
    agent('d', 'farther'),
  ];
  for (const each of [one, leaving, far, farther]) {
    each.report(4, []);
    fleet.join(each);
  }
  one.take(1);
  const metrics = watched(1, fleet);
  const expected = [
    ...['{pool="near",state="free"} 3', '{pool="near",state="busy"} 1', '{pool="near",state="draining"} 4'],
    ...['{pool="other",state="free"} 8', '{pool="other",state="busy"} 0', '{pool="other",state="draining"} 0'],
  ];
  assert.deepEqual(await series(metrics, 'envicutor_pool_slots'), expected);
  assert.deepEqual(await series(metrics, 'envicutor_pool_agents'), [
    ...['{pool="near",state="ready"} 1', '{pool="near",state="draining"} 1', '{pool="other",state="ready"} 2'],
  ]);
});

test('a tenant has its part of all slots by its dominant resource, and no tenant is named beyond the bound', async () => {
  const fleet = new Fleet();
  const one = agent('a');
  one.report(8, []);
  fleet.join(one);
  const held = [
    { tenantId: 'first', slots: 2 },
    { tenantId: 'first', slots: 1 },
    { tenantId: 'second', slots: 1 },
    { tenantId: 'third', slots: 1 },
  ];
  const metrics = watched(1, fleet, held, [
    ['first', 3],
    ['second', 4],
    ['third', 5],
  ]);
  const shares = ['{tenant="first"} 0.375', '{tenant="other"} 0.25'];
  assert.deepEqual(await series(metrics, 'envicutor_tenant_dominant_share'), shares);
  assert.deepEqual(await series(metrics, 'envicutor_tenant_running'), ['{tenant="first"} 2', '{tenant="other"} 2']);
  assert.deepEqual(await series(metrics, 'envicutor_tenant_queue_depth'), ['{tenant="first"} 3', '{tenant="other"} 9']);
  metrics.refused('rate', 'second');
  assert.deepEqual(await series(metrics, 'envicutor_tenant_refused_total'), ['{tenant="other",reason="rate"} 1']);
  const { text } = await watched(0, fleet, held, [['first', 3]]).read();
  assert.doesNotMatch(text, /tenant="(first|second|third)"/);
});

test('of agents together the fullest disk counts, and caches are counted from the first report of a connection on', async () => {
  const fleet = new Fleet();
  const [one, two] = [agent('a'), agent('b')];
  for (const each of [one, two]) fleet.join(each);
  one.cache = counts;
  two.cache = { ...counts, diskFreeBytes: 25 };
  const metrics = watched(0, fleet);
  assert.deepEqual(await series(metrics, 'envicutor_agent_disk_free_ratio'), ['{agent="other"} 0.25']);
  assert.deepEqual(await series(metrics, 'envicutor_agent_cache_bytes'), ['{agent="other"} 20']);
  const growth = new AgentGrowth();
  assert.equal(growth.since({ ...counts, hits: 100 }), null);
  assert.equal(growth.since({ ...counts, hits: 103, fetchedBytes: 9 })?.hits, 3);
  assert.deepEqual(growth.since({ ...counts, hits: 2, fetchedBytes: 11 }), {
    ...{ hits: 2, misses: 0, evictions: 0, fetchedBytes: 2 },
  });
});

test('a requirement that does not answer in time is not met, and fails no scrape', async () => {
  const clock = new VirtualClock();
  const metrics = new Metrics(0);
  const requirements = {
    state: async () => undefined,
    verifier: async () => Promise.reject(new Error('away')),
    builder: () => new Promise<void>(() => undefined),
  };
  const none = { running: 0, held: () => [].values(), retriesLeft: 0 };
  const deps: ReadingDeps = {
    ...{ clock, fleet: new Fleet(), requirements, local: none },
    admission: { waiting: 0, waitingByTenant: () => [].values() },
    ...{ environments: { building: 0 }, reproductions: { waiting: 0 }, trust: { ageSeconds: 0 } },
    deliveries: { underWay: 0 },
  };
  metrics.watch(createReaders(deps, metrics));
  const reading = series(metrics, 'envicutor_requirement_met');
  await new Promise((resolve) => setImmediate(resolve));
  clock.pass(1000);
  const met = ['{requirement="state"} 1', '{requirement="verifier"} 0', '{requirement="builder"} 0'];
  assert.deepEqual(await reading, met);
});

function ended(changes: Partial<Execution>): Execution {
  const { verdict, run, tests, compile } = { verdict: 'ok' as const, run: makeReport(), tests: [], compile: null };
  const timing = { queuedMs: 0, buildMs: 0, fetchMs: 0, prepareMs: 0, executeMs: 0, collectMs: 0, overheadMs: 0 };
  return {
    ...{ id: 'exec_1', stage: 'finished', verdict, endedIn: 'run', environment: environment('1', 'shared') },
    ...{ setup: null, dependencies: null, verify: null, compile, run, tests, check: null, score: null, timing },
    ...{ certificate: null, receipt: null, files: [], agent: { id: 'agent_1', name: 'one', pool: 'default' } },
    ...{ attempts: 1, failure: null, metadata: {}, createdAt: '', finishedAt: '', ...changes },
  };
}

const environment = (name: string, scope: 'tenant' | 'shared') => ({ id: `env_${name}`, scope, layers: [] });

async function cpuSeries(metrics: Metrics): Promise<string[]> {
  const found = await series(metrics, 'envicutor_execution_cpu_seconds_count');
  return found.map((line) => line.replace(/^\{environment="(.*)"\}/, '$1'));
}

test('processor time is counted by environment, and a tenant alone is never named', async () => {
  const metrics = new Metrics(0);
  metrics.ended(ended({}), 't');
  metrics.ended(ended({ environment: environment('2', 'shared'), compile: makeReport() }), 't');
  metrics.ended(ended({ environment: environment('3', 'tenant') }), 't');
  metrics.ended(ended({ environment: environment('4', 'tenant') }), 't');
  metrics.ended(ended({ stage: 'cancelled', verdict: null, run: null }), 't');
  assert.deepEqual(await cpuSeries(metrics), ['env_1 1', 'env_2 1', 'tenant 2']);
  const { text } = await metrics.read();
  const sums = [...text.matchAll(/^envicutor_execution_cpu_seconds_sum\{environment="(env_.)"\} (.*)$/gm)];
  assert.deepEqual(
    sums.map(([, name, value]) => [name, Number(value)]),
    [
      ['env_1', 0.0015],
      ['env_2', 0.003],
    ],
  );
});

test('however many environments there are, few have a series of their own', async () => {
  const metrics = new Metrics(0);
  for (let number = 0; number < 100; number += 1)
    metrics.ended(ended({ environment: environment(String(number), 'shared') }), 't');
  metrics.ended(ended({ environment: environment('0', 'shared') }), 't');
  const found = await cpuSeries(metrics);
  assert.equal(found.length, 33);
  assert.equal(found[0], 'env_0 2');
  assert.equal(found.at(-1), 'other 68');
});

test('where the time of an execution went is told phase by phase, with what ended its programs', async () => {
  const metrics = new Metrics(8);
  const timing = {
    ...{ queuedMs: 1000, buildMs: 2000, fetchMs: 3000, prepareMs: 4000 },
    ...{ executeMs: 5000, collectMs: 6000, overheadMs: 7000 },
  };
  const killed = makeReport({
    verdict: 'memory-exceeded',
    exceeded: { limit: 'memoryBytes', allowed: 1, observed: 2 },
  });
  const rerun = { reason: 'dirty-near-limit', outcome: 'repeated' } as Execution['rerun'];
  metrics.ended(ended({ timing, run: killed, attempts: 3, ...(rerun === undefined ? {} : { rerun }) }), 'one');
  metrics.looked('setup', 'failed', {
    durationMs: 1500,
    report: makeReport({ exceeded: { limit: 'diskBytes', allowed: 1, observed: 2 } }),
  });
  metrics.requeued('agent-lost');
  assert.deepEqual(await series(metrics, 'envicutor_execution_phase_seconds_sum'), [
    ...['{phase="queue"} 1', '{phase="build"} 2', '{phase="fetch"} 3', '{phase="prepare"} 4'],
    ...['{phase="execute"} 5', '{phase="collect"} 6', '{phase="overhead"} 7'],
  ]);
  assert.deepEqual(await series(metrics, 'envicutor_execution_seconds_sum'), ['28']);
  assert.deepEqual(await series(metrics, 'envicutor_tenant_queue_seconds_sum'), ['{tenant="one"} 1']);
  assert.deepEqual(await series(metrics, 'envicutor_execution_retries_total'), ['2']);
  assert.deepEqual(await series(metrics, 'envicutor_execution_reruns_total'), ['{outcome="repeated"} 1']);
  assert.deepEqual(await series(metrics, 'envicutor_sandbox_kills_total'), [
    ...['{limit="memoryBytes",script="run"} 1', '{limit="diskBytes",script="build"} 1'],
  ]);
  assert.deepEqual(await series(metrics, 'envicutor_build_seconds_sum'), ['{kind="setup",outcome="failed"} 1.5']);
  assert.deepEqual(await series(metrics, 'envicutor_executions_requeued_total'), ['{code="agent-lost"} 1']);
});
