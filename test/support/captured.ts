/**
 * Owns making raw tars with GNU tar and capturing them in tests: real trees in, canonical tars out.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { type CapturedLayer, LayerCapture, STAGED_FILE } from '../../coordinator/builder/layer-capture.ts';
import type { LayerBounds } from '../../coordinator/builder/layer-tree.ts';

/** A folder that is removed when the test is over. */
export function temporaryFolder(test: { after(action: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-capture-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A raw tar of a folder as the builder's capture makes it; `names` instead of '.' and no recursion give another order. */
export function rawTar(folder: string, names: readonly string[] | null = null): Buffer {
  const options = ['--create', '--file=-', `--directory=${folder}`, '--numeric-owner', '--format=posix', '--xattrs'];
  const attributes = ['--xattrs-include=user.overlay.opaque', '--xattrs-include=security.capability'];
  const what = names === null ? ['--sort=name', '.'] : ['--no-recursion', '--', ...names];
  return execFileSync('tar', [...options, ...attributes, ...what], { maxBuffer: 1024 ** 3 });
}

/** Captures a raw tar in chunks; returns the staged layer and its canonical tar. */
export async function capture(
  raw: Buffer,
  folder: string,
  options: { traces?: readonly Uint8Array[]; chunkBytes?: number; mark?: string } & Partial<LayerBounds> = {},
): Promise<CapturedLayer & { tar: Buffer }> {
  const { entriesMax = 10_000, bytesMax = 1024 ** 3, namesBytesMax = 1024 ** 2 } = options;
  const bounds = { entriesMax, bytesMax, namesBytesMax };
  const made = new LayerCapture({ buildId: 'build_00000000', folder, traces: options.traces ?? [], bounds });
  const size = options.chunkBytes ?? 65_536;
  try {
    for (let offset = 0; offset < raw.length; offset += size) made.push(raw.subarray(offset, offset + size));
    const captured = await made.finish(() => undefined, options.mark ?? null);
    const path = join(folder, STAGED_FILE);
    const tar = zstdDecompressSync(readFileSync(path));
    rmSync(path);
    return { ...captured, tar };
  } finally {
    made.close();
  }
}
