/**
 * Owns the proof that builder, verifier, egress proxy and agent may be killed at any moment while environments are built, published and
 * executed: no half layer is ever visible, every execution ends right or with a named failure of ours and is right when it is asked again,
 * and nothing is left behind. Moments follow from the seed; the supervisor of `make run` starts the successors.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { errorCatalog } from '../../shared/errors.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { ApiClient } from '../support/api-client.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';
import { assertWholeLayers } from '../support/whole-layers.ts';

const CLIENTS = 2;
const AFTER_A_BUILD_MS_MAX = 800;
/** Until the last successor works and what its predecessor left is swept. */
const SETTLED_MS_MAX = 60_000;
const victims = ['builder', 'verifier', 'egress proxy', 'agent'] as const;
const programs = {
  builder: 'coordinator/builder/main.ts',
  verifier: 'coordinator/environments/verifier/main.ts',
  agent: 'agent/main.ts',
} as const;
const kills = howMany('ENVICUTOR_CHAOS_ENVIRONMENT_KILLS', 4, 100);

interface Sum {
  right: number;
  ours: number;
}

const names = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** An environment that nobody asked for before; its script lasts long enough to be met by a kill. */
const orderOf = (word: string) => ({
  environment: { setup: `sleep 0.2; echo ${word} > /environment/word` },
  run: { script: 'cat /environment/word' },
});

/** Is it right? A failure must be ours and have its name. */
function isRight(execution: Execution, word: string): boolean {
  const all = `seed ${testSeed}: ${JSON.stringify(execution)}`;
  if (execution.stage === 'failed') {
    assert.ok(execution.failure !== null && execution.failure.code in errorCatalog, all);
    assert.notEqual(execution.failure.code, 'internal', all);
    return false;
  }
  assert.deepEqual([execution.stage, execution.verdict, execution.run?.stdout], ['finished', 'ok', `${word}\n`], all);
  return true;
}

async function client(api: ApiClient, name: string, isOver: () => boolean, sum: Sum): Promise<void> {
  for (let number = 0; !isOver(); number++) {
    const word = `${name}-${number}`;
    while (!isRight(await api.execute(orderOf(word)), word)) sum.ours++;
    sum.right++;
  }
}

/** Ends one as soon as there is one. */
async function kill(instance: PrivateInstance, victim: (typeof victims)[number], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    try {
      const found = victim === 'egress proxy' ? instance.killEgressProxy() : instance.kill(programs[victim]);
      if (found !== null) return;
    } catch {
      // Its successor is not there yet.
    }
    await wait(5);
  }
}

/** What builds write aside, and must not be there when none runs. */
function scratch(state: string): string[] {
  const folders = ['staging', 'builder/incoming', 'agent/incoming', 'builder/artefacts/incoming'];
  return folders.flatMap((folder) => names(join(state, folder)).map((name) => `${folder}/${name}`));
}

/** What names this instance on the host after its end. */
function leftOnHost({ stateDirectory, port }: PrivateInstance): string[] {
  const said = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  const others = names('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const processes = others.filter((id) => said(`/proc/${id}/cmdline`).includes(stateDirectory));
  const mounts = said('/proc/self/mountinfo').split('\n');
  const groups = mounts.flatMap((line) => (/ - cgroup2? /.test(line) ? names(line.split(' ')[4] ?? '') : []));
  return [
    ...processes.map((id) => `process ${said(`/proc/${id}/cmdline`)}`),
    ...mounts.filter((line) => line.includes(stateDirectory)),
    ...groups.filter((name) => name.startsWith(`envicutor-${port}-`)),
  ];
}

test(`${kills} kills of builder, verifier, egress proxy and agent leave no half layer and lose no execution`, async (context) => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const instance = new PrivateInstance();
  context.after(() => instance.stop());
  await instance.start();
  const api = new ApiClient(instance.url);
  // The base, which takes longest, is built in peace.
  assert.ok(isRight(await api.execute(orderOf('first')), 'first'));
  const state = instance.stateDirectory;
  const { trusted } = await SigningKeys.open(join(state, 'verifier'));
  const sum: Sum = { right: 0, ours: 0 };
  const moments = new SeededNumbers(`${testSeed} moments`);
  const checked = new Set<string>();
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  const chaos = async (): Promise<void> => {
    for (let number = 0; number < kills && !isOver; number++) {
      const target = sum.right + 1;
      while (sum.right < target && !isOver) await wait(1);
      await wait(moments.below(AFTER_A_BUILD_MS_MAX));
      await kill(instance, victims[number % victims.length] ?? 'builder', () => isOver);
      await assertWholeLayers(join(state, 'store'), trusted, checked);
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, index) => client(api, `client-${index}`, () => isOver, sum));
  await Promise.all([Promise.all(clients).finally(end), chaos().finally(end)]);
  const layers = await assertWholeLayers(join(state, 'store'), trusted, checked);
  context.diagnostic(JSON.stringify({ ...sum, layers }));
  assert.ok(layers > sum.right, 'every right execution stands on a layer of its own, and on the base');
  const deadline = performance.now() + SETTLED_MS_MAX;
  while (scratch(state).length > 0 && performance.now() < deadline) await wait(20);
  assert.deepEqual(scratch(state), [], `seed ${testSeed}`);
  assert.ok(isRight(await api.execute(orderOf('last')), 'last'));
  await instance.stop();
  assert.deepEqual(leftOnHost(instance), []);
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  noteInLedger('environment kills', { kills, ...sum, layers, seed: testSeed, seconds });
});
