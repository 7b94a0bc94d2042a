/**
 * Owns the proof of what is counted for a tenant, that it reaches the store once, and that what is stored is measured seldom. Virtual time, SQLite.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import type { DayUsage, UsageStore } from '../../coordinator/executions/tenant-store.ts';
import { StoredBytes } from '../../coordinator/tenants/stored-bytes.ts';
import { mergeDays, timesOf, UsageLedger } from '../../coordinator/tenants/usage-ledger.ts';
import { SystemError } from '../../shared/errors.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { temporaryFolder } from '../support/captured.ts';
import { makeReport } from '../support/lease-results.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const answer = (changes: object = {}) =>
  ({ compile: null, run: makeReport(), tests: [], ...changes }) as never as Execution;
const turns = async () => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

function start(t: TestContext) {
  const state = openSqliteStateStore(join(temporaryFolder(t), 'state.sqlite'));
  t.after(() => state.close());
  const clock = new VirtualClock();
  const batches: (readonly DayUsage[])[] = [];
  // What goes wrong with the next writes: before anything happened, or after it did.
  const faults: ('before' | 'after')[] = [];
  const store: UsageStore = {
    ...state.usage,
    async add(...given) {
      const fault = faults.shift();
      batches.push(given[2]);
      if (fault !== 'before') await state.usage.add(...given);
      if (fault !== undefined) throw new SystemError('state-store-unavailable', fault);
    },
  };
  const ledger = new UsageLedger({ clock, log: silentLogger, store, writer: 'w' }, { usageFlushMs: 2000 });
  const day = new Date(clock.nowMs()).toISOString().slice(0, 10);
  return { state, clock, ledger, batches, faults, days: () => state.usage.days('one', ''), day };
}

test('an execution counts with the times of its scripts, tests and checks, without those that built its environment', () => {
  const report = makeReport();
  const tests = [
    { name: '1', report, check: { message: '', report } },
    { name: '2', report: null },
  ];
  const { cpuMs, wallMs } = timesOf(answer({ compile: report, tests, setup: report, verify: report }));
  assert.deepEqual([cpuMs, wallMs], [6, 10]);
  assert.deepEqual(timesOf(answer({ run: null })), { cpuMs: 0, wallMs: 0 });
});

test('a thousand executions are one row in one write, seconds later', async (t) => {
  const { ledger, clock, batches, days, day } = start(t);
  for (let index = 0; index < 1000; index += 1) ledger.ended('one', answer());
  ledger.ended('two', answer());
  ledger.stored('one', 77);
  assert.deepEqual(await days(), []);
  assert.equal(ledger.unwritten('one')[0]?.executions, 1000);
  clock.pass(2000);
  await turns();
  assert.deepEqual(await days(), [
    { tenantId: 'one', day, executions: 1000, cpuMs: 2000, wallMs: 3000, storedBytes: 77 },
  ]);
  assert.deepEqual([batches.length, batches[0]?.length, ledger.unwritten('one').length], [1, 2, 0]);
  clock.pass(60_000);
  await turns();
  assert.equal(batches.length, 1, 'nothing happens, nothing is written');
});

test('a batch is written again until that worked and counts once, whether it had worked or not', async (t) => {
  const { ledger, clock, faults, days, batches } = start(t);
  faults.push('after', 'before', 'after');
  ledger.ended('one', answer());
  for (let round = 0; round < 6; round += 1) {
    clock.pass(2000);
    await turns();
    if (round < 3) ledger.ended('one', answer());
  }
  assert.equal((await days())[0]?.executions, 4);
  assert.deepEqual([faults.length, batches.length > 4], [0, true]);
});

test('what is not written yet is written at the end, and days follow each other', async (t) => {
  const { ledger, clock, days } = start(t);
  ledger.ended('one', answer());
  clock.pass(86_400_000 - 1);
  await turns();
  ledger.ended('one', answer());
  clock.pass(1000);
  ledger.ended('one', answer());
  await ledger.stop();
  const counts = (await days()).map(({ executions }) => executions);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    3,
  );
  assert.ok(counts.length >= 2);
  const merged = mergeDays([...(await days()), ...(await days())]);
  assert.deepEqual(
    merged.map(({ executions }) => executions),
    counts.map((count) => 2 * count),
  );
});

test('what is stored is measured at most once in a while, and refused above the bound until the next measurement', async (t) => {
  const clock = new VirtualClock();
  let [bytes, max, asked] = [50, 100, 0];
  const measured: number[] = [];
  const store = {
    storedBytes: async (_tenant: string, scope: string) => {
      assert.equal(scope, 'tenant-one');
      asked += 1;
      return bytes;
    },
  };
  const deps = { clock, store, maxOf: () => max, measured: (_id: string, found: number) => void measured.push(found) };
  const storage = new StoredBytes(deps, { storedBytesAgeMsMax: 30_000 });
  await storage.check('one');
  bytes = 100;
  await Promise.all(Array.from({ length: 100 }, () => storage.check('one')));
  assert.deepEqual([asked, await storage.of('one')], [1, 50]);
  clock.pass(30_000);
  await assert.rejects(storage.check('one'), { code: 'quota-exceeded', retryAfterSeconds: 30 });
  clock.pass(12_500);
  await assert.rejects(storage.check('one'), { code: 'quota-exceeded', retryAfterSeconds: 18 });
  max = 0;
  await storage.check('one');
  max = 101;
  await storage.check('one');
  assert.deepEqual([asked, measured], [2, [50, 100]]);
  t.diagnostic('measured twice');
});
