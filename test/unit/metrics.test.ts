/**
 * Owns the proof of which figures a scraper gets: those of the coordinator, and what the launchers of all agents count together.
 * Never scrapes over HTTP: test/integration does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fleet, FleetAgent } from '../../coordinator/agents/fleet.ts';
import { Metrics } from '../../coordinator/metrics.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { makeReport } from '../support/lease-results.ts';

function agent(id: string): FleetAgent {
  const facts = {
    ...{ id: id as AgentId, name: id, pool: 'default', labels: {}, architecture: 'x86_64', release: '1' },
    ...{ kernel: '6', cores: 1, memoryBytes: 1, exclusiveCores: false },
  };
  return new FleetAgent(facts, { isDraining: false, connectedAtMs: 0, send: () => undefined });
}

test('the counts of all launchers are summed, and an agent that says nothing counts as none', async () => {
  const fleet = new Fleet();
  const [one, two, silent] = [agent('agent_1'), agent('agent_2'), agent('agent_3')];
  for (const each of [one, two, silent]) fleet.join(each);
  one.report(2, [], { stock: 1, stockWanted: 4, stockMisses: 10, running: 2, sweeping: 3 });
  two.report(2, [], { stock: 2, stockWanted: 4, stockMisses: 20, running: 0, sweeping: 0 });
  silent.report(2, []);
  const metrics = new Metrics();
  const none = () => 0;
  metrics.watch({
    ...{ queueDepth: none, leases: none, builds: none, reproductions: none, agents: () => fleet.size },
    ...{ slots: () => fleet.slots(), sandboxes: () => fleet.sandboxes(), webhooks: () => 0, trustAgeSeconds: none },
  });
  const { text } = await metrics.read();
  const figures = [...text.matchAll(/^envicutor_sandbox_(\w+) (\d+)$/gm)].map(([, name, value]) => `${name} ${value}`);
  assert.deepEqual(figures, ['stock 3', 'stock_wanted 8', 'stock_misses 30', 'running 2', 'sweeping 3']);
  assert.match(text, /^# HELP envicutor_sandbox_stock All connected agents: Prepared sandboxes, ready\.$/m);
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
  const { text } = await metrics.read();
  return [...text.matchAll(/^envicutor_execution_cpu_seconds_count\{environment="(.*)"\} (\d+)$/gm)].map(
    ([, name, value]) => `${name} ${value}`,
  );
}

test('processor time is counted by environment, and a tenant alone is never named', async () => {
  const metrics = new Metrics();
  metrics.ended(ended({}));
  metrics.ended(ended({ environment: environment('2', 'shared'), compile: makeReport() }));
  metrics.ended(ended({ environment: environment('3', 'tenant') }));
  metrics.ended(ended({ environment: environment('4', 'tenant') }));
  metrics.ended(ended({ stage: 'cancelled', verdict: null, run: null }));
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
  const metrics = new Metrics();
  for (let number = 0; number < 100; number += 1)
    metrics.ended(ended({ environment: environment(String(number), 'shared') }));
  metrics.ended(ended({ environment: environment('0', 'shared') }));
  const series = await cpuSeries(metrics);
  assert.equal(series.length, 33);
  assert.equal(series[0], 'env_0 2');
  assert.equal(series.at(-1), 'other 68');
});
