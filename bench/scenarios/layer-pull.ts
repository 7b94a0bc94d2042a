/**
 * Question: how fast does an agent pull a layer of about a gigabyte from its store, checking every byte, and how much memory does that take?
 * The store is a MinIO on loopback. Ours and the disk's own sequential write of the same number of bytes take turns, each until the file
 * system has it. Memory is that of a process of its own which fetches, checks, indexes and mounts the layer, started as an agent is.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import type { Digest } from '../../shared/digest.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import type { LauncherScenario, ScenarioResult } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';
import type { BenchLauncher } from '../workloads/bench-launcher.ts';
import { makeLargeLayer } from '../workloads/large-layer.ts';

const run = promisify(execFile);
const ROUNDS = 5;
const CHUNK_BYTES = 1024 ** 2;
const SPEED_MIN = 0.7;
const MEMORY_MIB_MAX = 40;
const MIB = 1024 ** 2;

/** Milliseconds until the work is done and the file system of the folder has everything. */
async function untilSynced(folder: string, work: () => Promise<unknown>): Promise<number> {
  await run('sync', ['--file-system', folder]);
  const from = performance.now();
  await work();
  await run('sync', ['--file-system', folder]);
  return performance.now() - from;
}

async function writeSequentially(path: string, bytes: number): Promise<void> {
  const chunk = Buffer.alloc(CHUNK_BYTES, 7);
  const file = await open(path, 'w');
  try {
    for (let left = bytes; left > 0; left -= chunk.length) await file.write(chunk, 0, Math.min(left, chunk.length));
  } finally {
    await file.close();
  }
}

type Described = Awaited<ReturnType<typeof makeLargeLayer>>['staged'];

/** By how many MiB the resident size of a process grows at most while it pulls a layer, and until it is mounted. */
async function memoryOf(
  launcher: BenchLauncher,
  folder: string,
  url: string,
  { blob, tar }: Described,
): Promise<readonly [pulled: number, mounted: number]> {
  const program = new URL('../workloads/pull-layer.ts', import.meta.url).pathname;
  const described = JSON.stringify({ blob, tar });
  const flags = ['--max-semi-space-size=2', '--disable-warning=ExperimentalWarning'];
  const directory = join(folder, 'memory');
  const { stdout } = await run(process.execPath, [...flags, program, launcher.socketPath, directory, url, described]);
  const { before, pulled, peak } = JSON.parse(stdout) as Record<'before' | 'pulled' | 'peak', number>;
  return [(pulled - before) / MIB, (peak - before) / MIB];
}

/** The scenario. */
export const layerPull: LauncherScenario = {
  name: 'layer-pull',
  needs: 'launcher',
  question:
    'How fast is a layer of about 1 GB pulled from MinIO with all its checks, and how much memory does that take?',
  async run(launcher, { isQuick }): Promise<ScenarioResult> {
    const folder = mkdtempSync(join(tmpdir(), 'envicutor-bench-pull-'));
    const fetcher = new LayerFetcher({ directory: join(folder, 'incoming') });
    let server: MinioServer | null = null;
    try {
      server = await startMinioServer();
      const layer = await makeLargeLayer(folder, isQuick);
      const { blob, tar } = layer.staged;
      const store = new MinioObjectStore(server);
      await store.put(blobKey(blob.digest), layer.read(), { bytes: blob.bytes, sha256: blob.digest as Digest });
      const url = () => store.presignGet(blobKey(blob.digest), 3600);
      const [pulls, writes]: [number[], number[]] = [[], []];
      const memory: (readonly [pulled: number, mounted: number])[] = [];
      for (let round = 0; round < (isQuick ? 1 : ROUNDS); round += 1) {
        const path = join(folder, 'written');
        writes.push(await untilSynced(folder, () => writeSequentially(path, blob.bytes)));
        rmSync(path);
        const signed = await url();
        let close: () => Promise<void> = async () => undefined;
        const described = { ...blob, codec: 'zstd' as const };
        pulls.push(
          await untilSynced(folder, async () => {
            const fetched = await fetcher.fetch(signed, described);
            close = () => fetched.close();
          }),
        );
        await close();
        memory.push(await memoryOf(launcher, folder, await url(), layer.staged));
      }
      const [pull, write] = [summarise(pulls), summarise(writes)];
      const ratio = write.p50 / pull.p50;
      const most = Math.max(...memory.map(([pulled]) => pulled));
      const mounted = Math.max(...memory.map(([, all]) => all));
      const perSecond = (ms: number) => `${Math.round(blob.bytes / MIB / (ms / 1000))} MiB/s`;
      return {
        answer: `A layer is pulled and checked at ${perSecond(pull.p50)}, ${toFigure(ratio)} × the disk's own write, with ${toFigure(most)} MiB more memory.`,
        rows: [
          { label: `writing ${blob.bytes} bytes to the disk, synced`, summary: write },
          {
            label: 'pulling a blob of that size from MinIO, size and digest checked, synced',
            summary: pull,
            against: write,
          },
        ],
        goals: [
          {
            promise: `pull with verification ≥ ${SPEED_MIN} × the disk's own sequential write`,
            seen: `${ratio.toFixed(2)} × (${perSecond(pull.p50)} against ${perSecond(write.p50)})`,
            isReached: ratio >= SPEED_MIN,
          },
          {
            promise: `memory while a layer of 1 GB is pulled ≤ +${MEMORY_MIB_MAX} MiB`,
            seen: `+${most.toFixed(1)} MiB, and +${mounted.toFixed(1)} MiB until it is mounted (the most of ${memory.length})`,
            isReached: most <= MEMORY_MIB_MAX,
          },
        ],
        notes: [`The layer: ${tar.bytes} bytes in ${tar.entries} entries, ${blob.bytes} compressed.`],
      };
    } finally {
      await fetcher.close();
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
