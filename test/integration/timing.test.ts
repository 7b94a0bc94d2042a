/**
 * Owns the proof of timing certificates through the API: a real agent's, on whatever machine this is; what is told to whom; and that a doubtful result is had
 * again from another agent, with both recorded.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Execution } from '../../shared/model/execution.ts';
import type { LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import { setStage } from '../support/agent-stage.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';
import { makeCertificate } from '../support/timing-facts.ts';

const request = { environment: { base: 'debian-13' }, run: { script: 'true', limits: { cpuTimeMs: 1000 } } };

/** A result with this processor time. */
function resultOf(cpuTimeMs: number, clean: boolean, stdout = 'hello\n'): LeaseResultMessage {
  const run = makeReport({ stdout, usage: { ...makeReport().usage, cpuTimeMs } });
  return makeResult({ run, certificate: makeCertificate(clean) });
}

/** An agent that gives every execution this result. */
function giving(result: LeaseResultMessage, more: AgentScript = {}): AgentScript {
  return {
    understands: ['order.tests', 'order.environment', 'result.certificate'],
    ...more,
    offered: ({ lease, fence }, agent) => {
      agent.say({ type: 'lease.accepted', lease });
      agent.say({ type: 'lease.stage', lease, stage: 'running' });
      agent.say({ type: 'lease.completed', lease, fence, result });
    },
  };
}

test("a real agent's executions carry a certificate of what was seen while they ran", async (t) => {
  const { startAgent, execute, launcher } = await setStage(t);
  const canPin = !launcher.sandbox.facts.missing.includes('cpuset');
  const pinned = { SLOTS: '1', SLOT_CPUS: 'one-core-each' };
  const agent = await startAgent(
    canPin ? pinned : {},
    canPin ? ({ msg }) => msg === 'processors calibrated' : undefined,
  );
  const script = 'i=0; while [ "$i" -lt 20000 ]; do i=$((i+1)); done';
  const { certificate, run, rerun } = await execute({ run: { script } });
  assert.ok(certificate !== null);
  assert.equal(certificate.cpus, canPin ? '0' : null);
  assert.deepEqual([certificate.isAddressSpaceFixed, certificate.areHugePagesOff], [canPin, canPin]);
  assert.equal(certificate.clean === true, certificate.reasons.length === 0);
  assert.equal(certificate.cpuTimeMs, run?.usage.cpuTimeMs);
  assert.ok(certificate.wallTimeMs >= (run?.usage.wallTimeMs ?? 0), 'both looks were outside of the run');
  assert.deepEqual([certificate.slots, certificate.neighbours, rerun], [1, 0, undefined]);
  assert.ok((certificate.after.stealMs ?? 0) >= (certificate.before.stealMs ?? 0));
  assert.equal(certificate.calibration?.runs, canPin ? 10 : undefined);
  if (certificate.isVirtual && certificate.governor === null) {
    assert.notEqual(certificate.clean, true);
    assert.ok(certificate.reasons.includes('virtual-machine'));
  }
  const judged = await execute({ run: { script: 'cat' }, tests: [{ stdin: 'a', expected: 'a' }, { stdin: 'b' }] });
  const usages = judged.tests.map(({ report }) => report?.usage.cpuTimeMs ?? 0);
  assert.equal(judged.certificate?.cpuTimeMs, (usages[0] ?? 0) + (usages[1] ?? 0), 'of all tests together');
  assert.equal((await execute({ compile: { script: 'exit 1' }, run: { script } })).certificate, null, 'nothing ran');
  await agent.end('SIGTERM');
});

test('a dirty result near its limit is had again from another agent; the answer has the second and tells of the first', async (t) => {
  const coordinator = await startCoordinator(t);
  const dirty = await coordinator.join(giving(resultOf(990, false, 'first\n'), { slots: 4 }));
  const ask = async (): Promise<Execution> =>
    await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  const alone = await ask();
  const told = { verdict: 'ok', limit: 'cpuTimeMs', allowed: 1000, observed: 990, reasons: ['throttled'] };
  const { agentId } = await dirty.heard('session.welcome');
  const first = { agent: agentId, ...told };
  assert.deepEqual(alone.rerun, { reason: 'dirty-near-limit', outcome: 'no-other-agent', first });
  assert.deepEqual([alone.run?.stdout, alone.attempts, alone.certificate?.clean], ['first\n', 1, false]);

  const clean = await coordinator.join(giving(resultOf(1010, true, 'second\n'), { slots: 1 }));
  const { agentId: other } = await clean.heard('session.welcome');
  let again = await ask();
  // Whom an execution goes to first is placement's affair.
  for (let attempt = 0; attempt < 20 && again.rerun === undefined; attempt += 1) again = await ask();
  assert.deepEqual(again.rerun, { reason: 'dirty-near-limit', outcome: 'repeated', first });
  assert.deepEqual([again.run?.stdout, again.attempts, again.agent?.id], ['second\n', 2, other]);
  assert.equal(again.certificate?.clean, true);
  const stored = await (await coordinator.ask('GET', `/v1/executions/${again.id}`)).json();
  assert.deepEqual(stored.rerun, again.rerun);
});

test('when the other agent never answers well, the first result is the answer, of the agent that gave it, durably', async (t) => {
  const coordinator = await startCoordinator(t, { retriesMax: 0 });
  const dirty = await coordinator.join(giving(resultOf(990, false), { slots: 4, labels: { room: '1' } }));
  const { agentId } = await dirty.heard('session.welcome');
  const failure = { code: 'sandbox-failed', detail: 'broken', isRetryable: true };
  const broken = makeResult({ verdict: null, endedIn: null, run: null, failure });
  const placement = { labels: { room: '1' } };
  const accepted = await coordinator.ask('POST', '/v1/executions', { ...request, placement });
  assert.equal(accepted.status, 202);
  const { id } = await accepted.json();
  await dirty.heard('lease.acknowledged');
  // That one had nobody else; the next one has, and finds it broken.
  await coordinator.join(giving(broken, { slots: 1, labels: { room: '1' } }));
  let answer: Execution | null = null;
  for (let attempt = 0; attempt < 20 && answer === null; attempt += 1) {
    const asked = await coordinator.ask('POST', '/v1/executions?wait=20', { ...request, placement });
    const got = (await asked.json()) as Execution;
    if (got.rerun?.outcome === 'not-repeated') answer = got;
  }
  assert.deepEqual(
    [answer?.stage, answer?.verdict, answer?.agent?.id, answer?.failure],
    ['finished', 'ok', agentId, null],
  );
  const stored: Execution = await (await coordinator.ask('GET', `/v1/executions/${id}`)).json();
  assert.deepEqual([stored.stage, stored.rerun?.outcome], ['finished', 'no-other-agent']);
});

test('nothing runs again where the operator has switched that off', async (t) => {
  const coordinator = await startCoordinator(t, { rerunNearLimitPercent: 0 });
  const one = await coordinator.join(giving(resultOf(990, false)));
  await coordinator.join(giving(resultOf(990, false)));
  const answer: Execution = await (await coordinator.ask('POST', '/v1/executions?wait=20', request)).json();
  assert.deepEqual([answer.attempts, answer.rerun, answer.certificate?.clean], [1, undefined, false]);
  assert.ok(one.said.length > 0);
});
