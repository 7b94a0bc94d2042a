/**
 * Owns the way from a raw tar stream to a staged layer: canonical tar, its digest, zstd, the blob's digest, `layer.tar.zst`.
 * Never touches the sandbox or the network; whoever has the raw bytes pushes them.
 * Invariant: a file named `layer.tar.zst` is complete and on disk; one capture makes at most one.
 */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { DigestingStream } from '../../shared/digest.ts';
import type { StagedLayer } from '../../shared/model/build.ts';
import { MARK_FILE } from '../../shared/model/toolchain-variables.ts';
import { BodySpool } from './body-spool.ts';
import { CAPTURE_RULES_VERSION } from './capture-rules.ts';
import { type CaptureNotes, type LayerBounds, type LayerEntry, LayerTree, refused } from './layer-tree.ts';
import { parseVariables, type ScriptVariables, VARIABLES_BYTES_MAX, VARIABLES_PATH } from './script-variables.ts';
import { TarReader } from './tar-reader.ts';
import { canonicalTar } from './tar-writer.ts';
import { TraceSearch } from './trace-search.ts';

/** Name of a staged layer in its folder. */
export const STAGED_FILE = 'layer.tar.zst';
/** More entries than any package manager leaves; the verifier allows no more. */
export const LAYER_ENTRIES_MAX = 500_000;
/** The names of so many files, each of 268 bytes: a fifth of that is usual. The verifier allows no more. */
export const LAYER_NAMES_BYTES_MAX = 128 * 1024 ** 2;

const COMPRESSION_LEVEL = 3;

/** What a capture works with. */
export interface CaptureSettings {
  readonly buildId: string;
  /** The build's staging folder; must exist. */
  readonly folder: string;
  /** Byte sequences that no file of the layer may hold. */
  readonly traces: readonly Uint8Array[];
  readonly bounds: LayerBounds;
}

/** A staged layer and what its client should be told about it. */
export interface CapturedLayer {
  readonly staged: StagedLayer;
  readonly notes: CaptureNotes;
  readonly ignoredVariableLines: readonly number[];
}

/** One capture: `push` the raw tar, then `finish`; `close` in every case. Errors are SystemError `layer-refused`, or `build-failed` when the raw tar is no tar. */
export class LayerCapture {
  readonly #settings: CaptureSettings;
  readonly #spool: BodySpool;
  readonly #tree: LayerTree;
  readonly #reader: TarReader;
  #rawBytes = 0;

  constructor(settings: CaptureSettings) {
    this.#settings = settings;
    this.#spool = new BodySpool(join(settings.folder, 'bodies'));
    this.#tree = new LayerTree(this.#spool, new TraceSearch(settings.traces), settings.bounds);
    this.#reader = new TarReader(this.#tree);
  }

  get rawBytes(): number {
    return this.#rawBytes;
  }

  /** Takes the next bytes of the raw tar; the chunk is not kept. */
  push(chunk: Uint8Array): void {
    this.#rawBytes += chunk.length;
    this.#reader.push(chunk);
  }

  /** Writes the layer, with a private one's mark; `progressed` hears how many bytes of the canonical tar are done. */
  async finish(progressed: (bytes: number) => void, mark: string | null = null): Promise<CapturedLayer> {
    this.#reader.end();
    if (mark !== null) this.#tree.put(MARK_FILE.slice(1), Buffer.from(`${mark}\n`));
    this.#spool.flush();
    const entries = this.#tree.sorted();
    const { variables, ignoredLines } = this.#readVariables(entries);
    const written = await this.#write(entries, progressed);
    return {
      staged: { buildId: this.#settings.buildId, ...written, variables },
      notes: this.#tree.notes,
      ignoredVariableLines: ignoredLines,
    };
  }

  /** Lets go of the temporary file; after `finish`, or instead of it. */
  close(): void {
    this.#spool.close();
  }

  #readVariables(entries: readonly LayerEntry[]): ScriptVariables {
    const body = entries.find(({ path, kind }) => path === VARIABLES_PATH && kind === 'file')?.body ?? null;
    if (body === null) return { variables: {}, ignoredLines: [] };
    if (body.size > VARIABLES_BYTES_MAX) throw refused(`$ENVICUTOR_ENV has more than ${VARIABLES_BYTES_MAX} bytes`);
    return parseVariables(this.#spool.readWhole(body));
  }

  async #write(
    entries: readonly LayerEntry[],
    progressed: (bytes: number) => void,
  ): Promise<Pick<StagedLayer, 'blob' | 'tar'>> {
    const path = join(this.#settings.folder, STAGED_FILE);
    const tar = new DigestingStream();
    const blob = new DigestingStream();
    tar.on('data', () => progressed(tar.bytes));
    try {
      await pipeline(
        Readable.from(canonicalTar(entries, this.#spool), { objectMode: false }),
        tar,
        // One thread: Node 24's streams break with ZSTD_c_nbWorkers (push after end of file).
        createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL } }),
        blob,
        // Readable by the verifier, which is another user.
        createWriteStream(`${path}.partial`, { mode: 0o644, flags: 'wx', flush: true }),
      );
      await rename(`${path}.partial`, path);
    } catch (error) {
      await rm(`${path}.partial`, { force: true });
      throw error;
    }
    return {
      blob: { digest: blob.digest(), bytes: blob.bytes },
      tar: { digest: tar.digest(), bytes: tar.bytes, entries: entries.length, rules: CAPTURE_RULES_VERSION },
    };
  }
}
