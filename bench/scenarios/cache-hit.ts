/**
 * Question: what does a warm execution pay for its layers?
 * Three layers that are here are asked for and let go again, with every check that each use makes: signature (remembered), scope, architecture,
 * parents, and what the order says that each is to be. Set against the same with one layer.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../shared/clock.ts';
import { type Digest, digestOf } from '../../shared/digest.ts';
import { toSigningKey, toTrustedKey } from '../../shared/layers/envelope.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { LayerIndex } from '../../shared/layers/layer-index.ts';
import { layerName, machineArchitecture, signManifest } from '../../shared/layers/layer-manifest.ts';
import { digestOfSpec } from '../../shared/layers/layer-spec.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import { layerKinds } from '../../shared/model/environment.ts';
import type { LayerManifest, LayerReference, LayerSpec } from '../../shared/model/manifest.ts';
import type { FreeScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration } from '../wording.ts';

const HIT_MS_MAX = 0.2;
const signing = toSigningKey(generateKeyPairSync('ed25519').privateKey);

/** Layers upon each other as an order names them. */
function layersOf(): { readonly manifests: LayerManifest[]; readonly references: LayerReference[] } {
  const manifests: LayerManifest[] = [];
  const references: LayerReference[] = [];
  for (const kind of layerKinds) {
    const parents = manifests.map(({ tar }) => tar.digest);
    const spec: LayerSpec = {
      ...{ kind, base: 'debian-13', architecture: machineArchitecture, script: digestOf(kind), verify: null },
      ...{ observable: digestOf('{}'), limits: digestOf('limits'), egress: digestOf('rules'), capture: 2, builder: 1 },
      ...{ epoch: '1', salt: digestOf(''), generation: '' },
    };
    const manifest: LayerManifest = {
      ...{ version: 1, key: `k1s-${kind.padEnd(52, '0')}`, specDigest: digestOfSpec(spec, parents), scope: 'shared' },
      ...{ kind, base: spec.base, architecture: spec.architecture, parents, variables: {}, provenance: null },
      blob: { digest: digestOf(`blob ${kind}`), bytes: 1, codec: 'zstd' },
      tar: { digest: digestOf(`tar ${kind}`), bytes: 1, entries: 1, rules: 2 },
      builtAt: '2026-01-01T00:00:00.000Z',
    };
    manifests.push(manifest);
    references.push({ spec, envelope: signManifest(manifest, signing), url: 'http://127.0.0.1:1/', origin: 'stored' });
  }
  return { manifests, references };
}

/** A cache that has these layers already, over a store that only says so. */
async function openCache(directory: string, manifests: readonly LayerManifest[]): Promise<LayerCache> {
  const names = manifests.map(({ tar }) => layerName(tar.digest));
  const store = { list: async () => names, remove: async () => undefined };
  const refuse = () => Promise.reject(new Error('nothing is fetched here'));
  const cache = new LayerCache({
    sandbox: { store, launch: refuse } as never,
    trust: new ManifestTrust([toTrustedKey(signing)]),
    fetcher: { fetch: refuse },
    ...{ directory, bytesMax: 1e9, logger: silentLogger },
  });
  const remembered = manifests.map(({ tar }) => ({ digest: tar.digest as Digest, bytes: 1, isPinned: false }));
  await new LayerIndex(directory, { clock: systemClock, logger: silentLogger, layers: () => remembered }).save();
  await cache.start();
  return cache;
}

/** The scenario. */
export const cacheHit: FreeScenario = {
  needs: 'nothing',
  name: 'cache-hit',
  question: 'What does a warm execution pay for layers that are here?',
  async run({ warmUp, rounds }): Promise<ScenarioResult> {
    const directory = mkdtempSync(join(tmpdir(), 'envicutor-bench-cache-'));
    const { manifests, references } = layersOf();
    const cache = await openCache(directory, manifests);
    try {
      const measure = async (count: number): Promise<number[]> => {
        const samples: number[] = [];
        for (let round = -warmUp; round < rounds * 10; round += 1) {
          // As an order comes from the wire: nothing of it was seen before but its bytes.
          const order = structuredClone(references.slice(0, count));
          const from = performance.now();
          const acquired = await cache.acquire(order, 'local');
          acquired.release();
          if (round >= 0) samples.push(performance.now() - from);
        }
        return samples;
      };
      const [one, three] = [summarise(await measure(1)), summarise(await measure(3))];
      return {
        answer: `Three layers that are here cost a warm execution ${toDuration(three.p50)}, one ${toDuration(one.p50)}.`,
        plots: [{ kind: 'distribution', title: 'Taking layers that are here', rows: ['one layer', 'three layers'] }],
        rows: [
          { label: 'one layer', summary: one },
          { label: 'three layers', summary: three, against: one },
        ],
        goals: [
          {
            promise: `a cache hit adds ≤ ${HIT_MS_MAX} ms to a warm execution`,
            seen: `p50 ${three.p50.toFixed(3)} ms, p99 ${three.p99.toFixed(3)} ms`,
            isReached: three.p50 <= HIT_MS_MAX,
          },
        ],
        notes: [
          'Mounting the layers is in the scenarios of the sandbox; it costs the same whether or not they were here before.',
        ],
      };
    } finally {
      await cache.stop();
      rmSync(directory, { recursive: true });
    }
  },
};
