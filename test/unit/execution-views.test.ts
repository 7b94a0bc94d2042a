/**
 * Owns what is followed of an execution that is recorded and not here yet, as after a start: nothing is told as its end before it is over.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExecutionViews } from '../../coordinator/executions/execution-views.ts';
import type { LiveExecution } from '../../coordinator/executions/live-execution.ts';
import { LiveExecutions } from '../../coordinator/executions/live-executions.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import type { ExecutionId } from '../../shared/ids.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { answeredExample } from '../../shared/model/execution-examples.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const ended = answeredExample as unknown as Execution;
const queued: Execution = { ...ended, stage: 'queued', verdict: null, endedIn: null, finishedAt: null };
const id = ended.id as ExecutionId;

function viewsOf(read: () => Execution) {
  const clock = new VirtualClock();
  const live = new LiveExecutions(1);
  const store = { get: async () => read(), list: () => assert.fail(), tenantOf: () => assert.fail() };
  const views = new ExecutionViews({ clock, store, scheduler: { explain: () => assert.fail() } }, live);
  return { clock, live, views };
}

/** Lets so many looks go by. */
async function passing(clock: VirtualClock, looks = 3): Promise<void> {
  for (let look = 0; look < looks; look += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.pass(100);
  }
}

test('what is recorded and not over is waited for until it is taken up, and then told as it happens', async () => {
  const { clock, live, views } = viewsOf(() => queued);
  const log = new EventLog(0);
  const followed = views.follow('one', id);
  await passing(clock);
  live.add({ id, log, terms: { tenantId: 'one' } } as unknown as LiveExecution);
  await passing(clock);
  assert.equal(await followed, log);
});

test('what ends elsewhere meanwhile is told by its end', async () => {
  let stored = queued;
  const { clock, views } = viewsOf(() => stored);
  const followed = views.follow('one', id);
  await passing(clock);
  stored = ended;
  await passing(clock);
  assert.equal((await followed).isClosed, true);
});

test('what nobody takes up is no end, but to be asked for again', async () => {
  const { clock, views } = viewsOf(() => queued);
  const followed = assert.rejects(views.follow('one', id), { code: 'shard-moved', retryAfterSeconds: 2 });
  await passing(clock, 100);
  await followed;
});
