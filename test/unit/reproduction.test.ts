/**
 * Owns the proof of when second builds are begun, given up and remembered, in virtual time: order, back-off, bounds, the end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as settled } from 'node:timers/promises';
import type { FinishedBuild } from '../../coordinator/environments/builder-client.ts';
import type { LayerDemand } from '../../coordinator/environments/layer-demand.ts';
import type { LayerUrls } from '../../coordinator/environments/layer-urls.ts';
import type { Layer } from '../../coordinator/environments/manifest.ts';
import { type ReproductionOutcome, Reproductions } from '../../coordinator/environments/reproduction.ts';
import { systemRandom } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { manifestKey } from '../../shared/layers/layer-manifest.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import { defaultEgressPolicy, defaultEgressQuotas } from '../../shared/model/egress.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { trustState } from '../support/trust-states.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const { signing } = createTestKey();
const options = { idleMs: 2000, retryDelayMs: 30_000, signedPlainHttpUrls: [] };

function layerOf(name: string, scope: string): Layer {
  const { manifest, reference } = createTestLayer(signing, name, 10, { scope, key: `k1s-${name}-000`, kind: 'setup' });
  return { manifest, envelope: reference.envelope, objectKey: manifestKey(scope, manifest.key) };
}

/** A wish for this layer on those parents; nothing of it is looked at but what is given. */
function demandFor(layer: Layer, parents: readonly Layer[] = []): LayerDemand {
  const description = { isPrivate: false, base: 'debian-13', files: [], variables: {}, secrets: {}, limits: {} };
  const keys = { shareable: layer.manifest.key, private: 'k1t-00000000', specDigest: digestOf('spec') };
  const plan = { kind: 'setup', script: layer.manifest.key, verify: null };
  return { tenantId: 'one', description, plan, parents, keys } as never;
}

/** Reproductions over a verifier that refuses what `refused` says, with a record of what was built. */
function createReproductions() {
  const clock = new VirtualClock();
  const state = {
    running: 0,
    built: [] as string[],
    outcomes: [] as ReproductionOutcome[],
    shared: new Map<string, Layer>(),
    refused: null as SystemError | null,
  };
  const finished = { layer: {}, endedIn: null, materials: [], isPrivate: false } as never as FinishedBuild;
  const reproductions = new Reproductions(
    {
      ...{ clock, random: systemRandom, log: silentLogger },
      urls: { urlOf: () => 'http://nowhere/' } as never as LayerUrls,
      trust: { envelope: async () => trustState([createTestKey().signing]) },
      egress: { policy: defaultEgressPolicy, quotas: defaultEgressQuotas },
      layers: {
        get running() {
          return state.running;
        },
        read: async (objectKey) => state.shared.get(objectKey) ?? null,
      },
      builder: {
        build: async (order: BuildOrder) => {
          assert.equal(order.isStoreUsed, false, 'a second build that is served what was kept proves nothing');
          state.built.push(order.script);
          return finished;
        },
        forget: async () => undefined,
      },
      verifier: {
        checkCandidate: async () => undefined,
        reproduce: async () => {
          if (state.refused !== null) throw state.refused;
          return { envelope: layerOf('any', 'shared').envelope, isNew: true };
        },
      },
      shared: async (own) => {
        const { key } = own.manifest;
        state.shared.set(manifestKey('shared', key), { ...own, manifest: { ...own.manifest, scope: 'shared' } });
      },
      ended: (outcome) => state.outcomes.push(outcome),
    },
    options,
  );
  /** Lets time pass, and then everything happen that it brought. */
  const pass = async (durationMs: number) => {
    clock.pass(durationMs);
    for (let turn = 0; turn < 10; turn++) await settled();
  };
  return Object.assign(state, { reproductions, pass });
}

const own = layerOf('own', 'tenant-one');

test('a second build begins when it has been quiet for long enough, and one at a time', async () => {
  const bench = createReproductions();
  const { reproductions, pass } = bench;
  const other = layerOf('other', 'tenant-one');
  bench.running = 1;
  reproductions.obtained(demandFor(own), own);
  reproductions.obtained(demandFor(own), own);
  reproductions.obtained(demandFor(other), other);
  await pass(60_000);
  assert.deepEqual([bench.built, reproductions.waiting], [[], 2]);
  bench.running = 0;
  reproductions.idle();
  await pass(1999);
  assert.deepEqual(bench.built, []);
  await pass(1);
  assert.deepEqual(bench.built, [own.manifest.key]);
  await pass(2000);
  assert.deepEqual(bench.outcomes, ['shared', 'shared']);
  reproductions.obtained(demandFor(own), own);
  await pass(60_000);
  assert.equal(bench.built.length, 2, 'what was decided is not begun again');
});

test('shared, private and fresh layers are none of its business', async () => {
  const { reproductions } = createReproductions();
  const shared = layerOf('shared', 'shared');
  reproductions.obtained(demandFor(shared), shared);
  const secret = demandFor(own);
  reproductions.obtained({ ...secret, description: { ...secret.description, isPrivate: true } }, own);
  reproductions.obtained({ ...secret, keys: { ...secret.keys, shareable: 'k1s-another0' } }, own);
  assert.equal(reproductions.waiting, 0);
});

test('our own failures are tried five times, later each time; a refusal once', async () => {
  const bench = createReproductions();
  bench.refused = new SystemError('verifier-unavailable', 'gone');
  bench.reproductions.obtained(demandFor(own), own);
  const waits = [2000, 60_000, 120_000, 240_000, 480_000];
  for (const [index, waitMs] of waits.entries()) {
    await bench.pass(waitMs - 1);
    assert.equal(bench.built.length, index);
    await bench.pass(1);
    assert.equal(bench.built.length, index + 1);
  }
  assert.deepEqual(bench.outcomes, ['failed', 'failed', 'failed', 'failed', 'given-up']);
  const other = layerOf('other', 'tenant-one');
  bench.refused = new SystemError('publication-refused', 'reproduction-differs: 1 of its files differ: /x');
  bench.reproductions.obtained(demandFor(other), other);
  await bench.pass(10_000_000);
  assert.equal(bench.outcomes.at(-1), 'refused');
  assert.deepEqual([bench.built.length, bench.reproductions.waiting], [6, 0]);
});

test("a layer waits for those below it, and is left alone while one of them is its tenant's", async () => {
  const bench = createReproductions();
  const below = layerOf('below', 'tenant-one');
  bench.refused = new SystemError('verifier-unavailable', 'gone');
  bench.reproductions.obtained(demandFor(below), below);
  bench.reproductions.obtained(demandFor(own, [below]), own);
  await bench.pass(10_000);
  assert.deepEqual(bench.built, [below.manifest.key]);
  bench.refused = null;
  await bench.pass(60_000);
  assert.deepEqual(bench.built, [below.manifest.key, below.manifest.key]);
  await bench.pass(2000);
  assert.deepEqual(bench.built.at(-1), own.manifest.key);
  const alone = createReproductions();
  alone.reproductions.obtained(demandFor(own, [below]), own);
  await alone.pass(2000);
  assert.deepEqual([alone.built, alone.reproductions.waiting], [[], 0]);
  alone.shared.set(manifestKey('shared', below.manifest.key), below);
  alone.reproductions.obtained(demandFor(own, [below]), own);
  await alone.pass(2000);
  assert.deepEqual(alone.built, [own.manifest.key], 'it is taken up when what is below has become shared');
});

test('only so many wait, and after the stop nothing begins', async () => {
  const bench = createReproductions();
  for (let number = 0; number < 300; number++) {
    const layer = layerOf(`number-${number}`, 'tenant-one');
    bench.reproductions.obtained(demandFor(layer), layer);
  }
  assert.equal(bench.reproductions.waiting, 256);
  bench.reproductions.stop();
  await bench.pass(1_000_000);
  assert.deepEqual(bench.built, []);
});
