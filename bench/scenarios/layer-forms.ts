/**
 * Question: what does the first use of a large layer cost an agent, what does its mount, and what does getting rid of it?
 * The same layer of about a gigabyte is installed in turn as our image, as our tree, and by GNU tar alone from the same blob; then many
 * small layers are mounted for the first time in both forms; then both large ones are removed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createZstdDecompress, zstdCompressSync } from 'node:zlib';
import { encodeEntry } from '../../coordinator/builder/tar-writer.ts';
import { systemRandom } from '../../shared/clock.ts';
import { digestOf } from '../../shared/digest.ts';
import { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import { unpackTree } from '../../shared/layers/layer-unpacker.ts';
import type { BlobSource, SignedTar } from '../../shared/layers/tar-source.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Goal } from '../recording/recording.ts';
import type { LauncherScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { type LargeLayer, makeLargeLayer } from '../workloads/large-layer.ts';

const ROUNDS = 3;
const SMALL_LAYERS = 40;
const INSTALL_RATIO = 0.5;
const ATTACH_MS = 0.2;
const EVICT_MS = 5;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** What an agent without us would do: decompress, GNU tar, sync. */
async function unpackByTar(layer: LargeLayer, into: string): Promise<void> {
  mkdirSync(into);
  const tar = spawn('tar', ['--extract', '--numeric-owner', `--directory=${into}`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(tar, 'close');
  await pipeline(layer.read(), createZstdDecompress(), tar.stdin);
  await ended;
  await once(spawn('sync', ['--file-system', into]), 'close');
}

async function installTree(launcher: BenchLauncher, blob: BlobSource, signed: SignedTar, name: string): Promise<void> {
  const { store } = launcher.sandbox;
  await store.create(`${name}-new`);
  await unpackTree(launcher.sandbox, `${name}-new`, blob, signed);
  await store.commit(`${name}-new`, name);
}

/** Milliseconds until the launcher answered, and until nothing of it was left on the disk. */
async function removed(launcher: BenchLauncher, name: string): Promise<readonly [answered: number, gone: number]> {
  const from = performance.now();
  await launcher.sandbox.store.remove(name);
  const answered = performance.now() - from;
  while ((await launcher.sandbox.gauges()).sweeping > 0) await pause(1);
  return [answered, performance.now() - from];
}

function smallTar(number: number): Buffer {
  const plain = { mode: 0o644, uid: 0, gid: 0, linkPath: '', body: null, isOpaque: false };
  return Buffer.concat([encodeEntry({ path: `small-${number}`, kind: 'file', ...plain }), Buffer.alloc(1024)]);
}

/** Milliseconds of mounting for launches each of which is the first upon its layer. */
async function firstMounts(launcher: BenchLauncher, names: readonly string[]): Promise<number[]> {
  const samples: number[] = [];
  for (const name of names) {
    await launcher.settled();
    const { mountMs } = await launcher.run(launcher.spec(['/bin/true'], { layers: ['base', name] }));
    samples.push(mountMs);
  }
  return samples;
}

async function mounts(
  launcher: BenchLauncher,
  installer: LayerInstaller,
): Promise<readonly [image: number[], tree: number[]]> {
  const names: [string[], string[]] = [[], []];
  for (let number = 0; number < SMALL_LAYERS; number++) {
    const tar = smallTar(number);
    const blob = { read: () => Readable.from([zstdCompressSync(tar)]) };
    const signed = { tar: { digest: digestOf(tar), bytes: tar.length, entries: 1, rules: 1 } };
    names[0].push((await installer.install(blob, signed, `image-${number}`)).name);
    await installTree(launcher, blob, signed, `tree-${number}`);
    names[1].push(`tree-${number}`);
  }
  return [await firstMounts(launcher, names[0]), await firstMounts(launcher, names[1])];
}

function toGoals(p50: Readonly<Record<'tar' | 'image' | 'imageMount' | 'treeMount' | 'evict', number>>): Goal[] {
  const ratio = p50.image / p50.tar;
  const attach = p50.imageMount - p50.treeMount;
  return [
    {
      promise: `first use ≤ ${INSTALL_RATIO} × unpacking with GNU tar`,
      seen: `${ratio.toFixed(2)} × (${(p50.image / 1000).toFixed(2)} s against ${(p50.tar / 1000).toFixed(2)} s)`,
      isReached: ratio <= INSTALL_RATIO,
    },
    {
      promise: `attach ≤ ${ATTACH_MS} ms more than a tree's`,
      seen: `${attach.toFixed(2)} ms (p50 of mounting all: ${p50.imageMount.toFixed(2)} ms)`,
      isReached: attach <= ATTACH_MS,
    },
    { promise: `evict ≤ ${EVICT_MS} ms`, seen: `${p50.evict.toFixed(2)} ms`, isReached: p50.evict <= EVICT_MS },
  ];
}

/** The scenario. */
export const layerForms: LauncherScenario = {
  name: 'layer-forms',
  needs: 'launcher',
  question: 'What does a layer of about 1 GB cost at its first use, when it is mounted, and when it goes?',
  async run(launcher, { isQuick }): Promise<ScenarioResult> {
    const folder = mkdtempSync(join(tmpdir(), 'envicutor-bench-large-'));
    try {
      const layer = await makeLargeLayer(folder, isQuick);
      const installer = new LayerInstaller({ sandbox: launcher.sandbox, random: systemRandom, logger: silentLogger });
      const samples = { tar: [], image: [], tree: [], evict: [], imageGone: [], treeGone: [] } as Record<
        string,
        number[]
      >;
      let form = '';
      for (let round = 0; round < (isQuick ? 1 : ROUNDS); round++) {
        const unpacked = join(folder, `unpacked-${round}`);
        samples['tar']?.push(await timed(() => unpackByTar(layer, unpacked)));
        rmSync(unpacked, { recursive: true });
        samples['image']?.push(
          await timed(async () => {
            ({ form } = await installer.install(layer, layer.staged, `large-image-${round}`));
          }),
        );
        samples['tree']?.push(await timed(() => installTree(launcher, layer, layer.staged, `large-tree-${round}`)));
        const [answered, gone] = await removed(launcher, `large-image-${round}`);
        samples['evict']?.push(answered);
        samples['imageGone']?.push(gone);
        samples['treeGone']?.push((await removed(launcher, `large-tree-${round}`))[1]);
      }
      const [imageMounts, treeMounts] = await mounts(launcher, installer);
      const of = (name: string) => summarise(samples[name] ?? []);
      const tar = of('tar');
      const rows: ScenarioRow[] = [
        { label: 'GNU tar alone, decompressed on the way, synced', summary: tar },
        { label: `envicutor, as an ${form}: hashed, indexed, synced, mounted`, summary: of('image'), against: tar },
        { label: 'envicutor, as a tree: GNU tar in a sandbox', summary: of('tree'), against: tar },
        { label: 'removing the image: answered', summary: of('evict') },
        { label: 'removing the image: nothing left', summary: of('imageGone') },
        { label: 'removing the tree: nothing left', summary: of('treeGone') },
        { label: 'mounting base and an image, first use', summary: summarise(imageMounts) },
        { label: 'mounting base and a tree, first use', summary: summarise(treeMounts) },
      ];
      const { bytes, entries } = layer.staged.tar;
      const goals = toGoals({
        tar: tar.p50,
        image: of('image').p50,
        evict: of('evict').p50,
        imageMount: summarise(imageMounts).p50,
        treeMount: summarise(treeMounts).p50,
      });
      return {
        answer: `Its first use takes ${toDuration(of('image').p50)}, ${toFigure(of('image').p50 / tar.p50)} × GNU tar alone; mounting it takes ${toDuration(summarise(imageMounts).p50)}, its removal is answered in ${toDuration(of('evict').p50)}.`,
        plots: [
          { kind: 'bars', title: 'First use of a layer of 1 GB', rows: rows.slice(0, 3).map(({ label }) => label) },
        ],
        rows,
        goals,
        notes: [`The layer: ${bytes} bytes in ${entries} entries, ${layer.staged.blob.bytes} compressed.`],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
