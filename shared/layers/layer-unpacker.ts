/**
 * Owns turning a tar into a layer of the launcher's store as a tree of files, by GNU tar in a sandbox of its own: how layers are kept where
 * the kernel can't mount a tar as it is (layer-installer.ts decides).
 * Never writes a layer's files itself and never interprets a tar: what is unpacked was checked and signed by the verifier.
 */
import type { Sandbox } from '../sandbox/sandbox.ts';
import { fillLayer } from './layer-launch.ts';
import { type BlobSource, type SignedTar, TarSource } from './tar-source.ts';

/** GNU tar as the host view shows it. */
const TAR_PATH = '/usr/bin/tar';

/** Unpacks into `target`, a layer being made; SystemError `layer-corrupt` when the tar is not the signed one, or `sandbox-failed`. */
export async function unpackTree(
  sandbox: Pick<Sandbox, 'launch'>,
  target: string,
  blob: BlobSource,
  signed: SignedTar,
): Promise<void> {
  const source = new TarSource(blob, signed);
  const tool = { target, argv: [TAR_PATH, ...tarArguments], fileSizeBytes: signed.tar.bytes };
  await fillLayer(sandbox, tool, source, (abandon) => source.chunks(abandon), `unpacking ${signed.tar.digest}`);
}

// biome-ignore format: one option a line, with its reason
const tarArguments = [
  '--extract', '--file=-', '--directory=/target',
  '--numeric-owner', '--same-owner', '--preserve-permissions',
  '--xattrs', '--xattrs-include=user.overlay.opaque',     // marks an opaque directory; nothing else is let through
  '--no-acls', '--no-selinux',
  '--keep-old-files',                                      // a name that is there already is an error, not a replacement
  '--delay-directory-restore',
  '--warning=no-timestamp',
];
