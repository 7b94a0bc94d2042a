/**
 * Owns the proof that a real Prometheus loads our configuration, scrapes a coordinator, understands every question of the dashboard, and warns: an
 * agent goes, and the alert for that fires. Needs Debian's package prometheus, which `make test` installs; nothing beyond loopback.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dashboardQuestions } from '../../ops/grafana/dashboard.ts';
import {
  checkPrometheusFiles,
  PrivatePrometheus,
  type PrometheusAnswer,
} from '../../ops/prometheus/private-prometheus.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeResult } from '../support/lease-results.ts';

const folder = join(import.meta.dirname, '../../ops/prometheus');
const files = {
  'prometheus.yml': readFileSync(join(folder, 'prometheus.yml'), 'utf8'),
  'alerts.yml': readFileSync(join(folder, 'alerts.yml'), 'utf8'),
};

/** The same, for this coordinator, in the time of a test. */
function hasten(url: string): typeof files {
  return {
    'prometheus.yml': files['prometheus.yml']
      .replaceAll('15s', '200ms')
      .replace('127.0.0.1:7070', url.replace('http://', '')),
    'alerts.yml': files['alerts.yml'].replace(/for: \d+[mh]$/gm, 'for: 200ms'),
  };
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastError?: string;
}

const rulesOf = ({ data }: PrometheusAnswer): readonly Rule[] =>
  (data as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);

test('the configuration and every rule are what promtool takes', async () => {
  const said = await checkPrometheusFiles(files);
  assert.match(said, /SUCCESS/);
  assert.match(said, new RegExp(`${files['alerts.yml'].match(/- alert:/g)?.length} rules found`));
});

test('Prometheus scrapes a coordinator, answers the dashboard, and warns when the agent goes', async (t) => {
  const coordinator = await startCoordinator(t);
  const agent = await coordinator.join({
    offered: ({ lease, fence }, self) => self.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
  });
  const request = { environment: { base: 'debian-13' }, run: { script: 'true' } };
  assert.equal((await coordinator.ask('POST', '/v1/executions?wait=true', request)).status, 200);
  const prometheus = await PrivatePrometheus.start(hasten(coordinator.url));
  t.after(() => prometheus.stop());
  const isScraped = ({ data }: PrometheusAnswer) =>
    (data as { activeTargets: { health: string }[] }).activeTargets[0]?.health === 'up';
  await prometheus.until('targets', isScraped, 20_000);

  const rules = files['alerts.yml'].match(/- alert:/g)?.length ?? 0;
  const areLoaded = (answer: PrometheusAnswer) =>
    rulesOf(answer).filter(({ health }) => health === 'ok').length === rules;
  const quiet = await prometheus.until('rules', areLoaded, 20_000);
  const stateOf = (answer: PrometheusAnswer) => rulesOf(answer).find(({ name }) => name === 'EnvicutorNoAgents')?.state;
  assert.equal(stateOf(quiet), 'inactive');

  for (const question of dashboardQuestions) {
    const query = question.replaceAll('$__rate_interval', '1m');
    const { status, error } = await prometheus.ask('query', { query });
    assert.equal(status, 'success', `${query}: ${error}`);
  }
  const slots = await prometheus.ask('query', { query: 'envicutor_pool_slots{state="free"}' });
  assert.equal((slots.data as { result: { value: [number, string] }[] }).result[0]?.value[1], '2');

  agent.socket.terminate();
  await prometheus.until('rules', (answer) => stateOf(answer) === 'firing', 20_000);
});
