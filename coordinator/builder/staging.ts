/**
 * Owns the staging folder: one folder for each build, in which the verifier finds its layer.
 * Never decides that a layer is good; a folder is removed when the coordinator says so, when its time is over, and at start.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';

/** Settings of a staging folder. */
export interface StagingOptions {
  readonly directory: string;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The staging folder of one builder. */
export class Staging {
  readonly #options: StagingOptions;
  readonly #expiries = new Map<string, Timer>();

  constructor(options: StagingOptions) {
    this.#options = options;
  }

  /** Makes the folder and empties it: what an earlier process staged, nobody asks for any more. */
  async start(): Promise<void> {
    const { directory, logger } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const left = await readdir(directory);
    for (const name of left) await rm(join(directory, name), { recursive: true, force: true });
    if (left.length > 0) logger.info({ removed: left.length }, 'staging swept');
  }

  /** An empty folder for a build, readable by the verifier. */
  async create(buildId: string): Promise<string> {
    await this.remove(buildId);
    const folder = join(this.#options.directory, buildId);
    await mkdir(folder, { mode: 0o755 });
    return folder;
  }

  /** From now on the build's folder has its time to live. */
  expire(buildId: string): void {
    this.#expiries.get(buildId)?.cancel();
    const { clock, ttlMs, logger } = this.#options;
    const timer = clock.after(ttlMs, () => {
      this.remove(buildId).catch((error: unknown) =>
        logger.warn({ buildId, error: String(error) }, 'staging not removed'),
      );
    });
    this.#expiries.set(buildId, timer);
  }

  /** Removes a build's folder; idempotent. */
  async remove(buildId: string): Promise<void> {
    this.#expiries.get(buildId)?.cancel();
    this.#expiries.delete(buildId);
    await rm(join(this.#options.directory, buildId), { recursive: true, force: true });
  }
}
