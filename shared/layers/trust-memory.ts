/**
 * Owns the file in which a process remembers the newest trust state that it has seen, so that a restart can't be used to show it an older one.
 * Never judges a state (manifest-trust does). Invariant: the file is always a whole one; of writes that come close together the last counts.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Envelope } from '../model/manifest.ts';
import { writeWhole } from '../storage/whole-file.ts';
import { decodeEnvelope, encodeEnvelope } from './layer-manifest.ts';

/** A remembered trust state in a folder of this process's own. */
export class TrustMemory {
  readonly #directory: string;
  readonly #path: string;
  readonly #logger: Logger;
  #wanted: Envelope | null = null;
  #writing: Promise<void> | null = null;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#path = join(directory, 'trust.json');
    this.#logger = logger;
  }

  /** The remembered envelope, or null when there is none; SystemError `trust-refused` when the file is damaged. */
  async read(): Promise<Envelope | null> {
    const stored = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (stored === null) return null;
    try {
      return decodeEnvelope(stored);
    } catch (cause) {
      throw new SystemError('trust-refused', `${this.#path} can't be read; remove it to believe the next state`, {
        cause,
      });
    }
  }

  /** Keeps this one; a failure is logged, since the state itself is in force already. */
  keep(envelope: Envelope): void {
    this.#wanted = envelope;
    this.#writing ??= this.#write().catch((error: unknown) => {
      this.#logger.error({ detail: String(error) }, 'trust state not remembered');
    });
  }

  /** Resolves when what was given last is on the disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      while (this.#wanted !== null) {
        const envelope = this.#wanted;
        this.#wanted = null;
        await writeWhole(this.#path, encodeEnvelope(envelope).toString());
      }
    } finally {
      this.#writing = null;
    }
  }
}
