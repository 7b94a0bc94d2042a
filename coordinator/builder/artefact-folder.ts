/**
 * Owns the folder of kept artefacts as the builder sees it: making it, its key, how much each build may add, removing what was used
 * least recently. The proxies read and write in it (coordinator/egress/artefact-store.ts).
 * Never reads an entry or a body.
 * Invariant: all together stays below bytesMax: a quarter is shared by the builds that run, and before each of them
 * what the ones before it left is trimmed to the other three.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import type { ArtefactStoreAccess } from '../../shared/model/egress.ts';
import { storeFolders } from '../egress/artefact-store.ts';
import type { BuilderConfig } from './config.ts';

/** A builder that is root has its proxies run as this id (egress.c): root's own files would be closed to them. */
const PROXY_ID_OF_ROOT = 0x7fff000f;
const KEY_BYTES = 32;
const STATS_AT_ONCE = 64;

/** Settings and neighbours of the folder. */
export interface ArtefactFolderOptions {
  readonly settings: Pick<
    BuilderConfig,
    'stateDirectory' | 'artefactDirectory' | 'artefactBytesMax' | 'artefactBodyBytesMax' | 'concurrencyMax'
  >;
  readonly random: Random;
  readonly logger: Logger;
}

interface KeptFile {
  readonly path: string;
  readonly bytes: number;
  readonly usedAtMs: number;
}

/** The folder of kept artefacts. */
export class ArtefactFolder {
  readonly #options: ArtefactFolderOptions;
  readonly #directory: string;
  #key = '';
  #trimming: Promise<void> = Promise.resolve();

  constructor(options: ArtefactFolderOptions) {
    this.#options = options;
    const { artefactDirectory, stateDirectory } = options.settings;
    this.#directory = artefactDirectory === '' ? join(stateDirectory, 'artefacts') : artefactDirectory;
  }

  /** Makes folder and key, and removes what an earlier process had not finished. Throws the file system's error. */
  async start(): Promise<void> {
    const { settings, random } = this.#options;
    if (settings.artefactBytesMax === 0) return;
    const isRoot = process.getuid?.() === 0;
    rmSync(join(this.#directory, storeFolders.incoming), { recursive: true, force: true });
    for (const name of Object.values(storeFolders))
      mkdirSync(join(this.#directory, name), { recursive: true, mode: 0o700 });
    for (const path of [this.#directory, ...Object.values(storeFolders).map((name) => join(this.#directory, name))]) {
      chmodSync(path, 0o700);
      if (isRoot) chownSync(path, PROXY_ID_OF_ROOT, PROXY_ID_OF_ROOT);
    }
    // Passing through is not looking into: the state directory stays closed otherwise.
    if (isRoot) chmodSync(settings.stateDirectory, 0o711);
    this.#key = readKey(join(settings.stateDirectory, 'artefacts.key'), random);
    await this.#trim();
  }

  /** What the proxy of this build may do with the folder; null: nothing. Waits until there is room. */
  async access({
    tenantId,
    isStoreUsed,
  }: Pick<BuildOrder, 'tenantId' | 'isStoreUsed'>): Promise<ArtefactStoreAccess | null> {
    const { artefactBytesMax, artefactBodyBytesMax, concurrencyMax } = this.#options.settings;
    if (!isStoreUsed || this.#key === '') return null;
    await this.#trimming;
    return {
      directory: this.#directory,
      key: this.#key,
      tenantId,
      bodyBytesMax: artefactBodyBytesMax,
      roomBytes: Math.floor(artefactBytesMax / 4 / concurrencyMax),
    };
  }

  /** A build has ended: what is too much goes, while nobody waits. */
  settle(): void {
    if (this.#key === '') return;
    this.#trimming = this.#trimming
      .then(() => this.#trim())
      .catch((error: unknown) => {
        this.#options.logger.warn({ error: String(error) }, 'artefacts not trimmed');
      });
  }

  async #trim(): Promise<void> {
    const files: KeptFile[] = [];
    for (const name of Object.values(storeFolders)) files.push(...(await listFiles(join(this.#directory, name))));
    let excess = files.reduce((sum, { bytes }) => sum + bytes, 0) - (this.#options.settings.artefactBytesMax * 3) / 4;
    if (excess <= 0) return;
    const oldestFirst = files.sort((a, b) => a.usedAtMs - b.usedAtMs);
    let removed = 0;
    for (const { path, bytes } of oldestFirst) {
      if (excess <= 0) break;
      await unlink(path).catch(() => undefined);
      excess -= bytes;
      removed += 1;
    }
    this.#options.logger.info({ removed, of: files.length }, 'artefacts trimmed');
  }
}

async function listFiles(folder: string): Promise<KeptFile[]> {
  const names = await readdir(folder);
  const found: KeptFile[] = [];
  for (let at = 0; at < names.length; at += STATS_AT_ONCE) {
    const some = names.slice(at, at + STATS_AT_ONCE).map(async (name) => {
      const path = join(folder, name);
      // A proxy renames while we look.
      const facts = await stat(path).catch(() => null);
      return facts === null ? [] : [{ path, bytes: facts.size, usedAtMs: facts.mtimeMs }];
    });
    found.push(...(await Promise.all(some)).flat());
  }
  return found;
}

function readKey(path: string, random: Random): string {
  try {
    writeFileSync(path, random.bytes(KEY_BYTES), { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = readFileSync(path);
  if (key.length !== KEY_BYTES) throw new Error(`${path} holds ${key.length} bytes, not ${KEY_BYTES}; remove it`);
  return key.toString('hex');
}
