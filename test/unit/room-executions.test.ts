/**
 * Owns how much of a tenant's executions a room of another protocol gathers for a listing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomExecutions, type RoomExecutionsDeps } from '../../coordinator/compatibility/room-executions.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { makeReport } from '../support/lease-results.ts';

/** A room over endless executions that are all like this one. */
function over(execution: Partial<Execution>) {
  const list = async (_tenantId: string, cursor: number | null, limit: number) => ({
    items: Array.from({ length: limit }, () => execution),
    next: (cursor ?? 0) + limit,
  });
  return new RoomExecutions({ executions: { views: { list } } } as unknown as RoomExecutionsDeps);
}

const report = makeReport({ stdout: 'x'.repeat(1 << 20) });
const judged: Execution['tests'][number] = { name: '1', outcome: 'accepted', report, check: null };

test('as many are gathered as are asked for while they are small', async () => {
  assert.equal((await over({ run: makeReport(), tests: [] }).newest('one', 1000)).length, 1000);
});

for (const [what, execution] of [
  ['the run', { run: report, compile: null, tests: [] }],
  ['a test', { run: null, compile: null, tests: [judged] }],
  ['a build', { run: null, compile: null, tests: [], setup: report }],
] satisfies [string, Partial<Execution>][]) {
  test(`no more are gathered once they weigh what a process should hold, by the output of ${what}`, async () => {
    assert.equal((await over(execution).newest('one', 1000)).length, 100);
  });
}
