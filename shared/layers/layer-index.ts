/**
 * Owns the file in which a layer cache remembers its layers and the order of their last use.
 * Never decides what is kept. A file that can't be read counts as empty: the cache then starts cold, which is slow but right.
 * Invariant: the file is always a whole one (written aside, flushed, renamed), so kill -9 or a power cut loses at most the last changes.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import type { Clock, Timer } from '../clock.ts';
import type { Digest } from '../digest.ts';
import { toSystemError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { Closed, Nullable } from '../model/closed.ts';
import { writeWhole } from '../storage/whole-file.ts';

/** What is remembered of one layer. */
export interface IndexedLayer {
  readonly digest: Digest;
  /** Of the uncompressed tar: the layer's weight. */
  readonly bytes: number;
  readonly isPinned: boolean;
  /** The one tenant whose layer it is; null or absent: nobody's. */
  readonly owner?: string | null;
}

const indexCheck = TypeCompiler.Compile(
  Closed({
    version: Type.Literal(1),
    layers: Type.Array(
      Closed({
        digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
        bytes: Type.Integer({ minimum: 0 }),
        isPinned: Type.Boolean(),
        owner: Type.Optional(Nullable(Type.String())),
      }),
    ),
  }),
);

/** What an index asks for and works with. */
export interface LayerIndexNeeds {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is to be remembered at this moment, least recently used first. */
  readonly layers: () => readonly IndexedLayer[];
}

/** A change of order alone may wait so long for its way into the index; a layer that comes or goes does not wait. */
const DELAY_MS = 200;

/** Where an index is written. */
export interface IndexFile {
  /** All of it, or null when there is none that can be read. */
  read(): Promise<string | null>;
  /** Resolves when a crash leaves this text, or a later one. */
  write(text: string): Promise<void>;
}

/** The one in a folder, which is made when it is missing. */
function toIndexFile(directory: string): IndexFile {
  const path = join(directory, 'layers.json');
  return {
    read: () => readFile(path, 'utf8').catch(() => null),
    write: async (text) => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeWhole(path, text);
    },
  };
}

/** The index file of one cache; writes are one after the other, the latest state wins. */
export class LayerIndex {
  readonly #needs: LayerIndexNeeds;
  readonly #file: IndexFile;
  #wanted: string | null = null;
  #written: string | null = null;
  #writing: Promise<void> | null = null;
  #timer: Timer | null = null;

  /** In a folder, or wherever it is said to be. */
  constructor(place: string | IndexFile, needs: LayerIndexNeeds) {
    this.#needs = needs;
    this.#file = typeof place === 'string' ? toIndexFile(place) : place;
  }

  /** The remembered layers, least recently used first; null when there is no file that can be used. */
  async read(): Promise<readonly IndexedLayer[] | null> {
    const text = await this.#file.read();
    if (text === null) return null;
    try {
      const index: unknown = JSON.parse(text);
      return indexCheck.Check(index) ? (index.layers as IndexedLayer[]) : null;
    } catch {
      return null;
    }
  }

  /** Makes the file say what is now; resolves once a state at least as new is on the disk. */
  save(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    this.#wanted = JSON.stringify({ version: 1, layers: this.#needs.layers() });
    this.#writing ??= this.#writeWanted();
    return this.#writing;
  }

  /** The same in a moment, once for all that changes until then. */
  saveSoon(): void {
    this.#timer ??= this.#needs.clock.after(DELAY_MS, () => {
      this.save().catch((error: unknown) => {
        this.#needs.logger.warn({ error: toSystemError(error).message }, 'layer index not written');
      });
    });
  }

  async #writeWanted(): Promise<void> {
    // In a later turn than the wish, so that whoever wishes has put this promise down before it is taken away.
    await Promise.resolve();
    try {
      while (this.#wanted !== null && this.#wanted !== this.#written) {
        const text = this.#wanted;
        await this.#file.write(text);
        this.#written = text;
      }
    } finally {
      // In one step with the last look at what is wanted, so that no wish falls between.
      this.#writing = null;
    }
  }
}
