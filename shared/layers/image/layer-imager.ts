/**
 * Owns turning a tar into a layer of the launcher's store as an image: the tar as it is, and an index of it (erofs-image.ts) made while it
 * streams by; and looking whether a stored image is still what it was.
 * Never unpacks, never holds a tar in memory. The files are written by dd and cat in a sandbox, since only root may enter the store.
 * Invariant: the index is sent only after the whole tar passed with the signed digest, so nothing that was not signed is ever indexed.
 */
import { createHash } from 'node:crypto';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { checkLayerLaunch, fillLayer, toLayerLaunch } from '../layer-launch.ts';
import { layerName } from '../layer-manifest.ts';
import type { LayerIntegrity } from '../layer-scrub.ts';
import { type BlobSource, type SignedTar, TarSource } from '../tar-source.ts';
import { toErofsImage } from './erofs-image.ts';
import { TarIndex } from './tar-index.ts';

/** More than the index of as many entries as a layer may have needs; bytes. */
const INDEX_BYTES_MAX = 512 * 1024 ** 2;

/** More than any tar has; bytes. */
const TAR_BYTES_MAX = 1024 ** 4;

const writing =
  'dd of=/target/tar bs=256K iflag=fullblock,count_bytes count="$1" status=none && exec cat >/target/index';
const reading = 'sha256sum </target/index >&2 && exec cat /target/tar';

/** Writes tar and index into `target`, a layer being made; returns the index's size in bytes. Errors as `unpackTree`. */
export async function writeImage(
  sandbox: Pick<Sandbox, 'launch'>,
  target: string,
  blob: BlobSource,
  signed: SignedTar,
): Promise<number> {
  const source = new TarSource(blob, signed);
  const index = new TarIndex();
  let indexBytes = 0;
  const append = (): Buffer => {
    const image = toErofsImage(index.finish(), signed.tar.bytes);
    indexBytes = image.length;
    return image;
  };
  const argv = ['/bin/sh', '-c', writing, 'sh', String(signed.tar.bytes)];
  const tool = { target, argv, fileSizeBytes: Math.max(signed.tar.bytes, INDEX_BYTES_MAX) };
  const feed = (abandon: () => void) => source.chunks(abandon, (chunk) => index.push(chunk), append);
  await fillLayer(sandbox, tool, source, feed, `storing ${signed.tar.digest}`);
  return indexBytes;
}

/** Can a layer that the launcher has be compared with its tar's digest? `unchecked`: it is kept as a tree. */
export function createImageIntegrity(sandbox: Pick<Sandbox, 'launch'>): LayerIntegrity {
  return { check: (digest) => checkImage(sandbox, layerName(digest), digest) };
}

/** Reads a finished image again: is the tar the signed one, and the index what that tar's index must be? */
export async function checkImage(
  sandbox: Pick<Sandbox, 'launch'>,
  layer: string,
  digest: string,
): ReturnType<LayerIntegrity['check']> {
  const hash = createHash('sha256');
  const index = new TarIndex();
  let bytes = 0;
  let isReadable = true;
  let indexDigest = '';
  const launch = sandbox.launch(
    toLayerLaunch({
      target: layer,
      argv: ['/bin/sh', '-c', reading],
      stdin: null,
      fileSizeBytes: 1,
      outputBytes: TAR_BYTES_MAX,
      // Nobody waits for it.
      cpuShares: 16,
    }),
    {
      stdout: (chunk) => {
        hash.update(chunk);
        bytes += chunk.length;
        try {
          if (isReadable) index.push(chunk);
        } catch {
          isReadable = false;
        }
      },
      stderr: (chunk) => {
        indexDigest += Buffer.from(chunk).toString('latin1');
      },
    },
  );
  const report = await launch.report;
  if (report.failure?.step === 'layers' && report.failure.errno === 'ENOENT') return 'unchecked';
  checkLayerLaunch(report, `looking at ${layer}`, indexDigest);
  if (!isReadable || `sha256:${hash.digest('hex')}` !== digest) return 'damaged';
  const expected = createHash('sha256').update(toErofsImage(index.finish(), bytes)).digest('hex');
  return indexDigest.startsWith(expected) ? 'sound' : 'damaged';
}
