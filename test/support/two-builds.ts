/**
 * Owns a real verifier with a published base, and two builds of one layer on it: the first published for a tenant, the second staged.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { PublicationsUnderWay } from '../../coordinator/environments/verifier/publications-under-way.ts';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';
import { Verifier } from '../../coordinator/environments/verifier/verifier.ts';
import { RevocationList } from '../../shared/layers/revocation-list.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { PublicationOrder, ReproductionOrder } from '../../shared/model/build.ts';
import type { ArtefactRecord, EgressRecord } from '../../shared/model/egress.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { asBase, orderFor, stage, withKey } from './staged-layers.ts';
import { type Piece, tarOf } from './tar-pieces.ts';

const bounds = { entriesMax: 1000, bytesMax: 256 * 1024 ** 2 };

/** A verifier over a directory store, or over what `wrap` makes of it, with everything in a folder of its own. */
export async function startVerifier(context: TestContext, wrap = (store: ObjectStore): ObjectStore => store) {
  const folder = await mkdtemp(join(tmpdir(), 'verifier-'));
  context.after(() => rm(folder, { recursive: true }));
  const staging = join(folder, 'staging');
  await mkdir(staging);
  const store = new DirectoryObjectStore(join(folder, 'store'));
  const keys = await SigningKeys.open(join(folder, 'keys'));
  const trust = { revoked: new RevocationList([]) };
  const underWay = new PublicationsUnderWay();
  const verifier = new Verifier({
    store: wrap(store),
    keys,
    trust,
    underWay,
    stagingDirectory: staging,
    bounds,
    logger: silentLogger,
  });
  return { folder, staging, store, keys, verifier };
}

/** A body that a build fetched, and the proxy's last line after it. */
export function fetched(changes: Partial<ArtefactRecord> = {}): EgressRecord[] {
  const artefact = orderFor('build_00000000', Buffer.alloc(0)).materials[0] as ArtefactRecord;
  const summary = { requests: 1, artefacts: 1, refusals: 0, bytes: 5, connections: 1, hosts: 1 };
  return [
    { ...artefact, ...changes },
    { kind: 'summary', ...summary },
  ];
}

/** What a test changes about the two builds. */
export interface TwoBuilds {
  readonly first: readonly Piece[];
  readonly second: readonly Piece[];
  readonly order?: Partial<PublicationOrder>;
  readonly materials?: readonly EgressRecord[];
}

/** Publishes the base and the first build for tenant `local`, stages the second; the order that asks for the comparison. */
export async function buildTwice(
  { verifier, staging }: Awaited<ReturnType<typeof startVerifier>>,
  { first, second, order = {}, materials = fetched() }: TwoBuilds,
): Promise<ReproductionOrder> {
  const baseTar = tarOf({ name: 'base' });
  await stage(staging, 'build_base0000', zstdCompressSync(baseTar));
  const base = orderFor('build_base0000', baseTar, undefined, 1);
  base.staged.variables = {};
  const below = await verifier.publish(asBase(base));
  const [firstTar, secondTar] = [tarOf(...first), tarOf(...second)];
  await stage(staging, 'build_first000', zstdCompressSync(firstTar));
  const mine = orderFor('build_first000', firstTar, undefined, first.length);
  mine.staged.variables = {};
  const parents = [base.staged.tar.digest];
  const published = await verifier.publish({ ...withKey({ ...mine, parents, ...order }), ...order });
  await stage(staging, 'build_second00', zstdCompressSync(secondTar));
  const staged = { ...orderFor('build_second00', secondTar, undefined, second.length).staged, variables: {} };
  return {
    first: published.envelope,
    parents: [below.envelope],
    signedPlainHttpUrls: [],
    second: staged,
    materials: [...materials],
  };
}
