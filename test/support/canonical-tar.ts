/**
 * Owns turning any tar into the canonical one of the same files, by the builder's own reader, rules and writer, in memory.
 * Never outside tests: a real capture streams.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BodySpool } from '../../coordinator/builder/body-spool.ts';
import { LayerTree } from '../../coordinator/builder/layer-tree.ts';
import { TarReader } from '../../coordinator/builder/tar-reader.ts';
import { canonicalTar } from '../../coordinator/builder/tar-writer.ts';
import { TraceSearch } from '../../coordinator/builder/trace-search.ts';

/** What `work` makes with a spool of bodies that is gone afterwards. */
export function withSpool<Result>(work: (spool: BodySpool) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'envicutor-spool-'));
  const spool = new BodySpool(join(folder, 'bodies'));
  try {
    return work(spool);
  } finally {
    spool.close();
    rmSync(folder, { recursive: true });
  }
}

/** The canonical form of a tar. */
export function toCanonical(raw: Buffer): Buffer {
  return withSpool((spool) => {
    const bounds = { entriesMax: 100_000, bytesMax: 1024 ** 3, namesBytesMax: 1024 ** 2 };
    const tree = new LayerTree(spool, new TraceSearch([]), bounds);
    const reader = new TarReader(tree);
    reader.push(raw);
    reader.end();
    spool.flush();
    return Buffer.concat([...canonicalTar(tree.sorted(), spool)].map((chunk) => Buffer.from(chunk)));
  });
}
