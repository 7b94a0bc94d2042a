/**
 * Owns what becomes of one demand that was lent: what it weighs while it waits there, and that it ends once, whatever the other says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loans } from '../../coordinator/cluster/loans.ts';
import type { DialledMessage, DiallerMessage } from '../../coordinator/cluster/peer-messages.ts';
import type { Demand, DemandListener } from '../../coordinator/scheduler/scheduler.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { makeOrder } from '../support/lease-orders.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import { siteOf } from '../support/site-cases.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function stage(changes: Partial<LeaseOrderMessage> = {}) {
  const told: string[] = [];
  const sent: DiallerMessage[] = [];
  const say = (what: string) => () => void told.push(what);
  const listener: DemandListener = {
    ...{ placed: say('placed'), started: say('started'), fetching: say('fetching'), output: say('output') },
    ...{ tested: say('tested'), told: say('told'), requeued: say('requeued'), gaveUp: say('gave up') },
    completed: (_id, { run }) => void told.push(`completed ${run?.stdout}`),
  };
  const claim = { kind: 'k', durationMsMax: 1, memoryBytes: 1, diskBytes: 0, layers: [], waitMsMax: 1, weight: 1 };
  const constraints = { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false };
  const demand: Demand = {
    ...{ executionId: 'exec_00000000', tenantId: 'one', ...claim, constraints, site: siteOf('one'), listener },
    order: () => makeOrder(changes),
  };
  const loans = new Loans(
    new VirtualClock(),
    { returned: (_demand, cause) => void told.push(`returned ${cause?.code}`), ended: say('ended') },
    {
      graceMs: 10_000,
      send: (message) => {
        sent.push(message);
        return true;
      },
    },
  );
  loans.lend({ demand, waitMsMax: 1 });
  const hear = (message: Record<string, unknown>) =>
    loans.message({ demand: '1', ...message } as Extract<DialledMessage, { demand: string }>);
  hear({ type: 'demand.placed', agent: {}, considered: [] });
  return { loans, told, hear, last: () => sent.at(-1) };
}

test('a result that was packed is told as it was', () => {
  const { told, hear, last } = stage();
  const stdout = Buffer.from('hello').toString('base64');
  const result = { ...makeResult({ run: makeReport({ stdout }) }), packed: ['/run/stdout'] };
  hear({ type: 'demand.completed', result });
  assert.deepEqual(told, ['placed', 'ended', 'completed hello']);
  assert.deepEqual(last(), { type: 'demand.kept', demand: '1' });
});

test('a result that nobody packs so is none: the demand comes back with the cause, and nobody keeps it there', () => {
  const { told, hear, last } = stage();
  const result = { ...makeResult({ run: makeReport({ stdout: 'no base64' }) }), packed: ['/run/stdout'] };
  hear({ type: 'demand.completed', result });
  assert.deepEqual(told, ['placed', 'returned message-invalid']);
  assert.deepEqual(last(), { type: 'demand.withdraw', demand: '1' });
  hear({ type: 'demand.completed', result: makeResult() });
  assert.equal(told.length, 2);
});

test('what waits elsewhere weighs all that its order has, what it is judged by, too', () => {
  const weigh = (changes: Partial<LeaseOrderMessage> = {}) => {
    const { loans, hear } = stage(changes);
    hear({ type: 'demand.requeued', code: 'agent-lost', detail: '' });
    return loans.waitingBytes;
  };
  const cases = Array.from({ length: 1000 }, (_, index) => ({ name: `${index}`, stdin: 'x'.repeat(1000) }));
  const bytes = weigh({ tests: { cases } as never }) - weigh();
  assert.ok(bytes > 1_000_000 && bytes < 1_200_000, `${bytes}`);
  assert.equal(weigh({ files: [{ path: 'main.c', content: 'x'.repeat(10_004) }] }) > weigh() + 9900, true);
});
