/**
 * Owns what the builder would stage and the coordinator would order, small and real, for tests of the verifier.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { VARIABLES_PATH } from '../../coordinator/environments/verifier/tar-check.ts';
import { digestOf } from '../../shared/digest.ts';
import { encodeSpec, shareableKey } from '../../shared/layers/layer-spec.ts';
import type { PublicationOrder } from '../../shared/model/build.ts';
import { specOf } from './layer-specs.ts';
import { tarOf } from './tar-pieces.ts';

/** A canonical tar of three directories' worth of entries with a variables file. */
export function plainTar(text = 'hello'): Buffer {
  return tarOf(
    { name: 'environment/', type: '5' },
    { name: 'environment/.envicutor/', type: '5' },
    { name: VARIABLES_PATH, body: 'GREETING=hello\nOTHER=1\n' },
    { name: 'environment/file', body: text },
  );
}

/** The order under the key that its specification has. */
export function withKey(order: PublicationOrder): PublicationOrder {
  return { ...order, key: shareableKey(encodeSpec(order.spec, order.parents)) };
}

/** The same layer as a base. */
export function asBase(order: PublicationOrder): PublicationOrder {
  return withKey({ ...order, scope: 'shared', spec: { ...order.spec, kind: 'base' }, parents: [] });
}

/** The true order for this tar; entries are those of `plainTar` unless said otherwise. */
export function orderFor(
  buildId: string,
  tar: Buffer,
  blob: Buffer = zstdCompressSync(tar),
  entries = 4,
): PublicationOrder {
  return withKey({
    staged: {
      buildId,
      blob: { digest: digestOf(blob), bytes: blob.length },
      tar: { digest: digestOf(tar), bytes: tar.length, entries, rules: 2 },
      variables: { GREETING: 'hello' },
    },
    key: '',
    spec: specOf(buildId),
    scope: 'tenant-local',
    parents: [digestOf('base')],
    externalParameters: { setup: 'echo GREETING=hello >> "$ENVICUTOR_ENV"' },
    materials: [
      {
        kind: 'artefact',
        url: 'https://example.org/a.deb',
        method: 'GET',
        httpCode: 200,
        sha256: 'a'.repeat(64),
        bytes: 5,
        contentEncoding: null,
        location: null,
        commits: [],
        isWithCredentials: false,
        isComplete: true,
        source: 'upstream',
        mirror: null,
      },
      { kind: 'summary', requests: 1, artefacts: 1, refusals: 0, bytes: 5, connections: 1, hosts: 1 },
    ],
    builtAt: '2026-01-01T00:00:00.000Z',
  });
}

/** Puts a blob where the builder leaves it; returns the file's path. */
export async function stage(stagingDirectory: string, buildId: string, blob: Buffer): Promise<string> {
  const folder = join(stagingDirectory, buildId);
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'layer.tar.zst');
  await writeFile(path, blob);
  return path;
}
