/**
 * Owns the proof that an agent, or the launcher under it, may be killed at any moment: every execution that the coordinator accepted ends, with
 * the verdict that its program earned or with a failure of ours; afterwards the launcher holds nothing. Moments follow from the seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Execution } from '../../shared/model/execution.ts';
import { setStage } from '../support/agent-stage.ts';
import { atRest } from '../support/launcher-vitals.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { leftBehind } from '../support/left-behind.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';

const CLIENTS = 8;
const kills = howMany('ENVICUTOR_CHAOS_AGENT_KILLS', 3, 30);

/** What a client asks, and the one answer that is right. */
const orders = [
  { run: { script: 'echo begun; sleep 0.1; echo done' }, verdict: 'ok', stdout: 'begun\ndone\n' },
  { run: { script: 'exit 3' }, verdict: 'nonzero-exit', stdout: '' },
  { run: { script: 'kill -11 $$' }, verdict: 'signaled', stdout: '' },
  { compile: { script: 'echo made > program' }, run: { script: 'cat program' }, verdict: 'ok', stdout: 'made\n' },
  { run: { script: 'sleep 60', limits: { wallTimeMs: 200 } }, verdict: 'wall-time-exceeded', stdout: '' },
] as const;

type Stage = Awaited<ReturnType<typeof setStage>>;

/** Submits and follows to the end. */
async function execute({ coordinator }: Stage, request: object): Promise<Execution> {
  const body = { environment: { base: 'debian-13' }, ...request };
  const answer = await coordinator.ask('POST', '/v1/executions?wait=5', body);
  const execution = (await answer.json()) as Execution;
  assert.ok(answer.ok, JSON.stringify(execution));
  if (execution.finishedAt !== null) return execution;
  // Its events end with it.
  const events = await coordinator.ask('GET', `/v1/executions/${execution.id}/events`);
  await events.text();
  const later = await coordinator.ask('GET', `/v1/executions/${execution.id}`);
  return (await later.json()) as Execution;
}

interface Sum {
  right: number;
  ours: number;
  retried: number;
}

async function client(stage: Stage, random: SeededNumbers, isOver: () => boolean, sum: Sum): Promise<void> {
  while (!isOver()) {
    const { verdict, stdout, ...request } = random.of(orders);
    const execution = await execute(stage, request);
    const all = `seed ${testSeed}: ${JSON.stringify(execution)}`;
    if (execution.attempts > 1) sum.retried++;
    if (execution.stage === 'failed') {
      assert.ok(execution.failure !== null && execution.verdict === null, all);
      sum.ours++;
      continue;
    }
    assert.deepEqual([execution.stage, execution.verdict, execution.run?.stdout], ['finished', verdict, stdout], all);
    sum.right++;
  }
}

test(`${kills} kills of the agent and as many of its launcher lose no execution and give no program a wrong verdict`, async (context) => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const stage = await setStage(context);
  const { launcher, startAgent } = stage;
  const changes = { LAUNCHER_WAIT_MS: '5000', SLOTS: '4' };
  let agent = await startAgent(changes);
  await execute(stage, { run: { script: 'true' } });
  const clean = await atRest(launcher);
  const moments = new SeededNumbers(`${testSeed} moments`);
  const sum: Sum = { right: 0, ours: 0, retried: 0 };
  const killed: number[] = [];
  let isOver = false;
  const clients = Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      client(stage, new SeededNumbers(`${testSeed} client ${index}`), () => isOver, sum),
    ),
  );
  /** So many more executions came out right, then a little later. */
  const moment = async (): Promise<void> => {
    const target = sum.right + moments.below(8);
    while (sum.right < target && !isOver) await wait(1);
    await wait(moments.below(200));
  };
  const chaos = async (): Promise<void> => {
    for (let kill = 0; kill < kills; kill++) {
      await moment();
      await agent.end('SIGKILL');
      agent = await startAgent(changes);
      await moment();
      killed.push(launcher.processId);
      await launcher.restart();
    }
    await moment();
  };
  const end = (): void => {
    isOver = true;
  };
  await Promise.all([clients.finally(end), chaos().finally(end)]);
  context.diagnostic(JSON.stringify(sum));
  noteInLedger('agent and launcher kills', {
    kills: kills * 2,
    ...sum,
    seed: testSeed,
    seconds: ((performance.now() - from) / 1000).toFixed(0),
  });
  const vitals = await atRest(launcher);
  assert.deepEqual(leftBehind(launcher, killed), []);
  for (const name of ['mounts', 'IPC objects', 'shared files', 'files of the store'])
    assert.equal(vitals[name], clean[name], `${name}; seed ${testSeed}`);
  assert.ok(sum.right > 0 && sum.retried > 0, JSON.stringify(sum));
});
