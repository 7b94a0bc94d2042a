/**
 * Owns a layer of about a gigabyte for the scenarios: this machine's own programs and libraries as the builder captures what a script left.
 * Never asks a registry. The files differ from machine to machine, which is why every figure stands beside GNU tar's over the same layer.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  LAYER_ENTRIES_MAX,
  LAYER_NAMES_BYTES_MAX,
  LayerCapture,
  STAGED_FILE,
} from '../../coordinator/builder/layer-capture.ts';
import type { StagedLayer } from '../../shared/model/build.ts';

const BYTES_WANTED = 1024 ** 3;
/** Where only the shape of an answer is wanted. */
const QUICK_BYTES_WANTED = 24 * 1024 ** 2;
const BYTES_MAX = 8 * BYTES_WANTED;
/** Taken one after the other until there is enough; a directory that alone would be too much is passed over. */
const sources = ['usr/lib', 'usr/share', 'usr/local', 'usr/bin', 'usr/include', 'usr/sbin', 'opt', 'etc'];

/** A staged layer and its bytes. */
export interface LargeLayer {
  readonly staged: StagedLayer;
  /** The compressed blob, as often as asked for. */
  read(): Readable;
  readonly path: string;
}

function bytesOf(directory: string): number {
  const { stdout } = spawnSync('du', ['--summarize', '--bytes', '--one-file-system', `/${directory}`]);
  return Number.parseInt(stdout.toString(), 10) || 0;
}

function chooseSources(wanted: number): string[] {
  const chosen: string[] = [];
  let bytes = 0;
  for (const directory of sources) {
    const more = bytesOf(directory);
    if (bytes >= wanted || more === 0 || bytes + more > 2 * wanted) continue;
    chosen.push(directory);
    bytes += more;
  }
  return chosen;
}

/** Captures the layer into `folder`; a small one for a quick run. */
export async function makeLargeLayer(folder: string, isQuick: boolean): Promise<LargeLayer> {
  const chosen = chooseSources(isQuick ? QUICK_BYTES_WANTED : BYTES_WANTED);
  const parents = [...new Set(chosen.map((directory) => directory.split('/')[0] ?? ''))].filter(
    (name) => name !== 'opt' && name !== 'etc',
  );
  const settings = [
    '--create',
    '--directory=/',
    '--one-file-system',
    '--format=posix',
    '--numeric-owner',
    '--owner=0',
    '--group=0',
  ];
  const entries = ['--no-recursion', ...parents, '--recursion', ...chosen];
  const tar = spawn('tar', [...settings, '--pax-option=delete=atime,delete=ctime', '--mtime=@0', ...entries], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const bounds = { entriesMax: LAYER_ENTRIES_MAX, bytesMax: BYTES_MAX, namesBytesMax: LAYER_NAMES_BYTES_MAX };
  const capture = new LayerCapture({ buildId: 'build_largelayer', folder, traces: [], bounds });
  try {
    const ended = once(tar, 'close');
    for await (const chunk of tar.stdout) capture.push(chunk);
    await ended;
    const { staged } = await capture.finish(() => undefined);
    const path = join(folder, STAGED_FILE);
    return { staged, path, read: () => createReadStream(path) };
  } finally {
    capture.close();
  }
}
