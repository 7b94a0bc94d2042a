/**
 * Owns opening what the builder staged and reading all of it once: size, digests, zstd frame, tar form.
 * Never trusts the folder: the builder may replace, link or rewrite anything in it at any moment, so a path is resolved once,
 * without following links, and whoever reads the file again must check its digest again (ObjectStore.put does).
 * Never holds more than a few chunks in memory.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress, constants as zlibConstants } from 'node:zlib';
import { type Digest, DigestingStream } from '../../../shared/digest.ts';
import { streamFile } from '../../../shared/storage/file-streams.ts';
import { Refusal } from './refusal.ts';
import { type CheckListener, type TarBounds, TarCheck, type TarSummary } from './tar-check.ts';

/** What a layer's blob was found to be. */
export interface LayerContent {
  readonly blob: { readonly digest: Digest; readonly bytes: number };
  readonly tar: { readonly digest: Digest; readonly bytes: number; readonly entries: number };
  readonly variablesFile: TarSummary['variablesFile'];
}

/** Most tars shrink to a third; only a bomb shrinks more than this, and small ones may. */
const RATIO_MAX = 200;
const RATIO_FREE_BYTES = 64 * 1024 ** 2;
/** 128 MiB: what agents will grant as well. */
const WINDOW_LOG_MAX = 27;

/** Opens `<stagingDirectory>/<buildId>/layer.tar.zst` for reading; the build id must have been validated. Throws Refusal. */
export async function openStaged(stagingDirectory: string, buildId: string): Promise<FileHandle> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const folder = await openOrRefuse(join(stagingDirectory, buildId), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, buildId);
  try {
    // Non-blocking, or a fifo in the file's place would hold us until somebody wrote to it.
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    const file = await openOrRefuse(`/proc/self/fd/${folder.fd}/layer.tar.zst`, flags, buildId);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new Refusal('staging-not-a-file', `what ${buildId} staged is no regular file`);
  } finally {
    await folder.close();
  }
}

async function openOrRefuse(path: string, flags: number, buildId: string): Promise<FileHandle> {
  return await open(path, flags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Refusal('staging-missing', `${buildId} staged nothing`);
    if (error.code === 'ELOOP' || error.code === 'ENOTDIR' || error.code === 'ENXIO') {
      throw new Refusal('staging-not-a-file', `what ${buildId} staged is a link or no file`);
    }
    throw error;
  });
}

/** Reads the whole file; throws Refusal when it is not one zstd frame of one canonical tar within the bounds. */
export async function readStaged(
  file: FileHandle,
  bounds: TarBounds,
  listener: CheckListener | null = null,
): Promise<LayerContent> {
  const { size } = await file.stat();
  return await readBlob(streamFile(file), size, bounds, listener);
}

/** The same for a blob of `size` bytes, wherever it comes from. */
export async function readBlob(
  source: Readable,
  size: number,
  bounds: TarBounds,
  listener: CheckListener | null,
): Promise<LayerContent> {
  const bytesMax = Math.min(bounds.bytesMax, RATIO_FREE_BYTES + size * RATIO_MAX);
  const blob = new DigestingStream();
  const zstd = createZstdDecompress({ params: { [zlibConstants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX } });
  const tar = new DigestingStream(bytesMax);
  const check = new TarCheck({ ...bounds, bytesMax }, listener);
  await pipeline(source, blob, zstd, tar, toWritable(check)).catch((error: unknown) => {
    throw asRefusal(error, bytesMax);
  });
  // The decompressor stops after the first frame and swallows the rest; nothing may hide there.
  if (zstd.bytesWritten !== blob.bytes) {
    throw new Refusal('blob-trailing-bytes', `${blob.bytes - zstd.bytesWritten} bytes follow the zstd frame`);
  }
  const { entries, variablesFile } = check.finish();
  return {
    blob: { digest: blob.digest(), bytes: blob.bytes },
    tar: { digest: tar.digest(), bytes: tar.bytes, entries },
    variablesFile,
  };
}

function toWritable(check: TarCheck): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        check.push(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

function asRefusal(error: unknown, bytesMax: number): unknown {
  if (error instanceof RangeError) {
    return new Refusal('blob-expands-too-much', `it decompresses to more than ${bytesMax} bytes`);
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('ZSTD_') || code.startsWith('Z_')) {
    return new Refusal('blob-not-zstd', `it can't be decompressed: ${(error as Error).message}`);
  }
  return error;
}
