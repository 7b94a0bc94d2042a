/**
 * Owns the proof that the scheduler runs a doubtful result again on another agent, once, and that the first result stands when nobody gives another.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand, DemandListener, DemandResult } from '../../coordinator/scheduler/scheduler.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import { schedulerOptions, setUpScheduler } from '../support/scheduler-stage.ts';
import { makeCertificate } from '../support/timing-facts.ts';

const limits = { ...limitDefaults.run, cpuTimeMs: 1000 };
const order: LeaseOrderMessage = makeOrder({ run: { ...makeOrder().run, limits } });

/** A result with this processor time of a second that is allowed. */
function resultOf(cpuTimeMs: number, clean: boolean | 'unprovable' = false) {
  const run = makeReport({ usage: { ...makeReport().usage, cpuTimeMs } });
  return makeResult({ run, certificate: makeCertificate(clean) });
}

function setUp(rerunNearLimitPercent = 5) {
  const stage = setUpScheduler(undefined, undefined, { ...schedulerOptions, rerunNearLimitPercent });
  const told: string[] = [];
  const results: DemandResult[] = [];
  const tell = (what: string) => () => void told.push(what);
  const listener: DemandListener = {
    placed: (_, agent) => void told.push(`placed ${agent.name}`),
    ...{ started: tell('started'), fetching: tell('fetching'), output: tell('output'), tested: tell('tested') },
    told: tell('told'),
    requeued: (_, { code }) => void told.push(code),
    completed: (_, result) => {
      told.push('completed');
      results.push(result);
      return undefined;
    },
    gaveUp: (_, { code }) => void told.push(code),
  };
  const submit = (changes: Partial<Demand> = {}) => stage.submit('one', { order: () => order, listener, ...changes });
  const end = (agent: ReturnType<typeof stage.join>, result = resultOf(990)) => {
    const { lease, fence } = agent.last();
    stage.scheduler.accepted(agent.id, lease);
    return { kept: stage.scheduler.completed(agent.id, lease, fence, result) };
  };
  return { ...stage, told, results, submit, end };
}

const first = (cpuTimeMs: number, agent = 'agent_a') => ({
  ...{ agent, verdict: 'ok', limit: 'cpuTimeMs', allowed: 1000, observed: cpuTimeMs, reasons: ['throttled'] },
});

test('a doubtful result is run again on another agent, whose result counts, whatever it is', () => {
  for (const clean of [true, false]) {
    const stage = setUp();
    const a = stage.join('a', 4);
    stage.submit();
    const b = stage.join('b', 1);
    assert.equal(stage.end(a, resultOf(990)).kept, undefined, 'the first agent may forget its result');
    assert.deepEqual(stage.told, ['placed a', 'timing-unclean', 'placed b']);
    stage.end(b, resultOf(1010, clean));
    assert.deepEqual(stage.told.slice(3), ['completed'], 'there is no third run');
    const [result] = stage.results;
    assert.equal(result?.run?.usage.cpuTimeMs, 1010);
    assert.deepEqual(result?.rerun, { reason: 'dirty-near-limit', outcome: 'repeated', first: first(990) });
    assert.deepEqual([stage.scheduler.depth, stage.scheduler.running], [0, 0]);
  }
});

test('it never comes back to the agent that gave the first result, however long the other is busy, and stands after a while', () => {
  const stage = setUp();
  const a = stage.join('a', 4);
  const b = stage.join('b', 1);
  stage.submit();
  const [held, other] = a.offers().length === 1 ? [a, b] : [b, a];
  other.agent.report(0, []);
  stage.end(held);
  stage.clock.pass(29_000);
  assert.deepEqual(stage.told.slice(1), ['timing-unclean']);
  assert.deepEqual([...stage.scheduler.waiting()], [], 'it is not lent to others');
  stage.clock.pass(1500);
  assert.deepEqual(stage.told.slice(1), ['timing-unclean', 'completed']);
  assert.deepEqual(stage.results[0]?.rerun?.outcome, 'not-repeated');
  assert.equal(stage.results[0]?.run?.usage.cpuTimeMs, 990);
});

test('without another agent the first result stands, marked', () => {
  const stage = setUp();
  const a = stage.join('a', 4);
  stage.submit();
  stage.end(a);
  assert.deepEqual(stage.told, ['placed a', 'completed']);
  assert.deepEqual(stage.results[0]?.rerun, {
    reason: 'dirty-near-limit',
    outcome: 'no-other-agent',
    first: first(990),
  });
});

test('an agent that drains or does not fit is no other agent', () => {
  const stage = setUp();
  const a = stage.join('a', 4);
  stage.submit();
  const b = stage.join('b', 4);
  b.agent.drain(true);
  stage.end(a);
  assert.deepEqual(stage.told, ['placed a', 'completed']);
});

test('when the others fail by their own fault, the first result stands', () => {
  const stage = setUp();
  const a = stage.join('a', 4);
  stage.submit();
  const b = stage.join('b', 1);
  stage.end(a);
  const failure = { code: 'sandbox-failed', detail: '', isRetryable: true };
  for (let attempt = 0; attempt <= schedulerOptions.retriesMax && stage.results.length === 0; attempt += 1) {
    stage.end(b, makeResult({ verdict: null, endedIn: null, run: null, failure }));
    stage.clock.pass(5000);
  }
  assert.equal(stage.told.at(-1), 'completed');
  assert.deepEqual([stage.results[0]?.rerun?.outcome, stage.results[0]?.failure], ['not-repeated', null]);
  assert.equal(a.offers().length, 1);
});

test('what is clean, unprovable or far from its limits counts at once, and nothing is doubted where that is switched off', () => {
  for (const [percent, result] of [
    [5, resultOf(990, true)],
    [5, resultOf(990, 'unprovable')],
    [5, resultOf(500)],
    [0, resultOf(990)],
  ] as const) {
    const stage = setUp(percent);
    const a = stage.join('a', 4);
    stage.submit();
    stage.join('b', 1);
    stage.end(a, result);
    assert.deepEqual(stage.told, ['placed a', 'completed']);
    assert.equal(stage.results[0]?.rerun, undefined);
  }
});

test('what is withdrawn while it runs again is over', () => {
  const stage = setUp();
  const a = stage.join('a', 4);
  stage.submit();
  const b = stage.join('b', 1);
  stage.end(a);
  stage.scheduler.withdraw('exec_one');
  stage.end(b);
  stage.clock.pass(60_000);
  assert.deepEqual(stage.told, ['placed a', 'timing-unclean', 'placed b']);
});
