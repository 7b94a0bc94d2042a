/**
 * Owns the file in which a layer cache remembers its layers and the order of their last use.
 * Never decides what is kept. A file that can't be read counts as empty: the cache then starts cold, which is slow but right.
 * Invariant: the file is always a whole one (written aside, flushed, renamed), so kill -9 or a power cut loses at most the last changes.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { Digest } from '../digest.ts';
import { Closed } from '../model/closed.ts';

/** What is remembered of one layer. */
export interface IndexedLayer {
  readonly digest: Digest;
  /** Of the uncompressed tar: the layer's weight. */
  readonly bytes: number;
  readonly isPinned: boolean;
}

const indexCheck = TypeCompiler.Compile(
  Closed({
    version: Type.Literal(1),
    layers: Type.Array(
      Closed({
        digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
        bytes: Type.Integer({ minimum: 0 }),
        isPinned: Type.Boolean(),
      }),
    ),
  }),
);

/** The index file of one cache; writes are one after the other, the latest state wins. */
export class LayerIndex {
  readonly #directory: string;
  readonly #path: string;
  #wanted: string | null = null;
  #written: string | null = null;
  #writing: Promise<void> | null = null;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, 'layers.json');
  }

  /** The remembered layers, least recently used first; null when there is no file that can be used. */
  async read(): Promise<readonly IndexedLayer[] | null> {
    const text = await readFile(this.#path, 'utf8').catch(() => null);
    if (text === null) return null;
    try {
      const index: unknown = JSON.parse(text);
      return indexCheck.Check(index) ? (index.layers as IndexedLayer[]) : null;
    } catch {
      return null;
    }
  }

  /** Makes the file say this, least recently used first; resolves once a state at least as new is on the disk. */
  write(layers: readonly IndexedLayer[]): Promise<void> {
    this.#wanted = JSON.stringify({ version: 1, layers });
    this.#writing ??= this.#writeWanted();
    return this.#writing;
  }

  async #writeWanted(): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      while (this.#wanted !== null && this.#wanted !== this.#written) {
        const text = this.#wanted;
        await replaceFile(this.#path, text);
        this.#written = text;
      }
    } finally {
      // In one step with the last look at what is wanted, so that no wish falls between.
      this.#writing = null;
    }
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
