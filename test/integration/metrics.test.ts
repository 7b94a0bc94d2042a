/**
 * Owns the proof that what a coordinator tells a scraper and what the catalogue declares are the same, over HTTP, with an agent that counts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricCatalogue } from '../../coordinator/metrics/catalogue.ts';
import type { AgentCounts } from '../../shared/model/agent-gauges.ts';
import { setStage } from '../support/agent-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';
import { namesIn } from '../support/scraped-names.ts';

const counts: AgentCounts = {
  ...{ hits: 5, misses: 1, evictions: 0, fetchedBytes: 100 },
  ...{ layerBytes: 100, diskBytes: 1000, diskFreeBytes: 250 },
};

test('a running coordinator has every metric of the catalogue with its type, and no other', async (t) => {
  const coordinator = await startCoordinator(t);
  await coordinator.join({
    offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
  assert.equal((await coordinator.ask('POST', '/v1/executions?wait=true', request)).status, 200);
  const text = await (await coordinator.ask('GET', '/metrics')).text();
  const declared = Object.entries(metricCatalogue).map(([name, { type }]) => [
    name,
    type === 'read-counter' ? 'counter' : type,
  ]);
  assert.deepEqual([...namesIn(text)].sort(), declared.sort());
  const series = text.split('\n').filter((line) => /^[a-z]/.test(line));
  for (const line of series) {
    const [, name = '', labels = ''] = /^([a-z_]+)(?:\{(.*?)\})? /.exec(line) ?? [];
    const metric = metricCatalogue[name] ?? metricCatalogue[name.replace(/_(bucket|sum|count)$/, '')];
    const known = [...Object.keys(metric?.labels ?? {}), 'le'];
    const found = [...labels.matchAll(/([a-z]+)="/g)].map(([, label = '']) => label);
    assert.deepEqual(
      found.filter((label) => !known.includes(label)),
      [],
      line,
    );
  }
  assert.match(text, /^envicutor_execution_phase_seconds_count\{phase="execute"\} 1$/m);
  assert.match(text, /^envicutor_build_seconds_count\{kind="base",outcome="built"\} 1$/m);
  assert.match(text, /^envicutor_requirement_met\{requirement="agents"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes \d{7,}$/m);
});

test("an agent's cache and disk are told by its report, and counted from report to report", async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join({ understands: ['report.cache'] });
  const { understands } = await agent.heard('session.welcome');
  assert.ok(understands?.includes('report.cache'));
  const report = { slots: { total: 1, free: 1 }, leases: [], layers: [], draining: false };
  const read = async () => await (await coordinator.ask('GET', '/metrics')).text();
  for (const more of [0, 2]) {
    agent.say({ type: 'agent.report', ...report, cache: { ...counts, hits: 5 + more } });
  }
  // Its answer comes after both reports.
  agent.say({ type: 'agent.report', ...report, leases: [{ lease: 'lease_none', fence: 1 }] });
  await agent.heard('session.wanted');
  const text = await read();
  assert.match(text, /^envicutor_agent_cache_hits_total\{agent="scripted"\} 2$/m);
  assert.match(text, /^envicutor_agent_cache_misses_total\{agent="scripted"\} 0$/m);
  assert.match(text, /^envicutor_agent_disk_free_ratio\{agent="scripted"\} 0.25$/m);
  agent.socket.terminate();
  await coordinator.untilLogged('agent left');
  assert.match(await read(), /^envicutor_agents_left_total\{cause="lost"\} 1$/m);
});

test('a real agent tells of the layer that it fetched, and of its disk', async (t) => {
  const { coordinator, startAgent, execute } = await setStage(t);
  await startAgent({ NAME: 'counted' });
  assert.equal((await execute({ run: { script: 'true' } })).verdict, 'ok');
  // Its report comes by itself, soon after the layer.
  for (;;) {
    const text = await (await coordinator.ask('GET', '/metrics')).text();
    if (!/^envicutor_agent_cache_misses_total\{agent="counted"\} 1$/m.test(text)) continue;
    assert.match(text, /^envicutor_agent_cache_fetched_bytes_total\{agent="counted"\} \d{4,}$/m);
    assert.match(text, /^envicutor_agent_disk_free_ratio\{agent="counted"\} (0\.\d+|1)$/m);
    break;
  }
});
