/**
 * Owns the proof that the builder, the verifier and a build's proxy may be killed at any moment: no half layer is ever visible, a build
 * resumes or fails with its reason, and nothing is left of it in staging, in the launcher or among the processes. Moments follow from the seed.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { SystemError } from '../../shared/errors.ts';
import { atRest } from '../support/launcher-vitals.ts';
import { howMany, noteInLedger, testSeed } from '../support/ledger.ts';
import { leftBehind } from '../support/left-behind.ts';
import { setPublishingStage } from '../support/publishing-stage.ts';
import { SeededNumbers } from '../support/seeded-numbers.ts';
import { assertWholeLayers } from '../support/whole-layers.ts';

const CLIENTS = 3;
/** In `make test` environment-kills.test.ts strikes the same programs; this one looks closer and longer. */
const kills = howMany('ENVICUTOR_CHAOS_BUILD_KILLS', 0, 90);
const victims = ['builder', 'verifier', 'proxy'] as const;
/** What a build that was hit may say; each is worth repeating, by the coordinator as here. */
const reasons = [
  /^builder-unavailable: asking the builder: /,
  /^verifier-unavailable: asking the verifier: /,
  /^build-failed: build-failed: the record of what the build fetched is incomplete: the proxy ended without its summary$/,
  // The builder swept it: it was killed between its last event and the publication.
  /^publication-refused: staging-missing: /,
];

type Stage = Awaited<ReturnType<typeof setPublishingStage>>;

/** How many layers the stage's store has, all of them whole; those that `checked` has were so before. */
const assertWhole = ({ folder, trusted }: Stage, checked?: Set<string>): Promise<number> =>
  assertWholeLayers(join(folder, 'cache'), trusted, checked);

interface Sum {
  published: number;
  retried: number;
  reasons: Record<string, number>;
}

/** One environment after the other, each until it is published. */
async function client(stage: Stage, index: number, isOver: () => boolean, sum: Sum): Promise<void> {
  const random = new SeededNumbers(`${testSeed} client ${index}`);
  for (let layer = 0, attempt = 0; !isOver(); ) {
    const bytes = 1000 + random.below(4_000_000);
    const script = `head -c ${bytes} /dev/urandom > /client-${index}-${layer}; sleep 0.${random.below(10)}`;
    const buildId = `build_client${index}x${layer}x${attempt}`;
    try {
      const { finished, publication } = await stage.publish(buildId, script);
      assert.ok(publication?.isNew, `seed ${testSeed}: ${JSON.stringify(finished.report)}`);
      sum.published++;
      layer++;
      attempt = 0;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const said = `${error.code}: ${error.message}`;
      const at = reasons.findIndex((reason) => reason.test(said));
      assert.notEqual(at, -1, `seed ${testSeed}: ${said}`);
      sum.reasons[error.code] = (sum.reasons[error.code] ?? 0) + 1;
      sum.retried++;
      attempt++;
      await stage.ready();
    }
  }
}

const strikes = async (context: TestContext): Promise<void> => {
  context.diagnostic(`seed ${testSeed}`);
  const from = performance.now();
  const stage = await setPublishingStage(context);
  assert.ok((await stage.publish('build_warmup00', 'true')).publication?.isNew);
  const moments = new SeededNumbers(`${testSeed} moments`);
  const sum: Sum = { published: 0, retried: 0, reasons: {} };
  const checked = new Set<string>();
  let isOver = false;
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(stage, index, () => isOver, sum)));
  const strike = async (victim: (typeof victims)[number]): Promise<void> => {
    if (victim !== 'proxy') {
      await stage.programs[victim].restart();
      await stage.ready();
      return;
    }
    while (!isOver) {
      const seen = stage.proxies();
      // Early, it has let nothing through; later, its build must be repeated. Drawn for each: few live as long as the longest.
      if (seen.length > 0) await wait(moments.below(1000));
      const proxies = stage.proxies().filter((id) => seen.includes(id));
      if (proxies.length > 0) return void process.kill(moments.of(proxies), 'SIGKILL');
      await wait(1);
    }
  };
  const chaos = async (): Promise<void> => {
    for (let kill = 0; kill < kills && !isOver; kill++) {
      const target = sum.published + moments.below(2);
      while (sum.published < target && !isOver) await wait(1);
      await wait(moments.below(400));
      await strike(victims[kill % victims.length] ?? 'builder');
      await assertWhole(stage, checked);
    }
  };
  const end = (): void => {
    isOver = true;
  };
  await Promise.all([clients.finally(end), chaos().finally(end)]);
  assert.ok((await stage.publish('build_after000', ': after')).publication?.isNew);
  // The base, the first and the last of this test.
  assert.ok((await assertWhole(stage)) >= sum.published + 3);
  const { reasons: told, ...counts } = sum;
  context.diagnostic(JSON.stringify(sum));
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  noteInLedger('builder, verifier and proxy kills', { kills, ...counts, ...told, seed: testSeed, seconds });
  await atRest(stage.launcher, 1);
  assert.deepEqual(leftBehind(stage.launcher, []), []);
  for (const name of ['staging', 'state/incoming', 'cache/incoming']) {
    mkdirSync(join(stage.folder, name), { recursive: true });
    assert.deepEqual(readdirSync(join(stage.folder, name)), [], `${name}; seed ${testSeed}`);
  }
  assert.deepEqual(stage.proxies(), []);
  assert.ok(sum.published > 0 && sum.retried > 0, JSON.stringify(sum));
};
const title = `${kills} kills of builder, verifier and proxy show no half layer, and leave nothing`;
if (kills > 0) test(title, { timeout: 1_800_000 }, strikes);

test('a build whose proxy is killed while it serves has no layer, and says so; the next one has', {
  timeout: 300_000,
}, async (context) => {
  const stage = await setPublishingStage(context);
  const building = stage.publish('build_proxyless', 'sleep 8; : > /there', ({ type }) => {
    // Its first record says that it serves.
    if (type === 'fetched') for (const id of stage.proxies()) process.kill(id, 'SIGKILL');
  });
  const refused = assert.rejects(building, { code: 'build-failed', message: /the proxy ended without its summary/ });
  await refused;
  assert.deepEqual(readdirSync(stage.staging), []);
  assert.ok((await stage.publish('build_withproxy', ': > /there')).publication?.isNew);
});
