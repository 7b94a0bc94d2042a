/**
 * Owns how a checked blob becomes a layer of the launcher's store: as an image that the kernel mounts as it is, or, where it can't, as a
 * tree of files. Which of the two is found out by trying, once.
 * Never fetches and never decides what is kept.
 * Invariant: a layer gets its name only after the bytes that make it had the signed digest; whatever goes wrong before leaves
 * nothing but a removed layer.
 */
import type { Random } from '../clock.ts';
import { toBase32 } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { writeImage } from './image/layer-imager.ts';
import { layerName } from './layer-manifest.ts';
import { unpackTree } from './layer-unpacker.ts';
import type { BlobSource, SignedTar } from './tar-source.ts';

/** Neighbours of an installer. */
export interface LayerInstallerOptions {
  readonly sandbox: Pick<Sandbox, 'launch' | 'store'>;
  readonly random: Random;
  readonly logger: Logger;
}

/** How a layer stands in the store. */
export interface InstalledLayer {
  readonly name: string;
  readonly form: 'image' | 'tree';
  /** What it takes of the disk, as far as that is known: the tar, and its index; bytes. */
  readonly bytes: number;
}

/** Puts layers into the launcher's store. */
export class LayerInstaller {
  readonly #options: LayerInstallerOptions;
  /** Null: not known yet. */
  #canMount: boolean | null = null;

  constructor(options: LayerInstallerOptions) {
    this.#options = options;
  }

  /**
   * Makes the layer; another name than the usual is for a layer that only its maker knows of. SystemError `layer-corrupt` when the tar
   * is not the signed one, `sandbox-failed` or `launcher-unavailable` when it could not be installed here.
   */
  async install(
    blob: BlobSource,
    signed: SignedTar,
    name: string = layerName(signed.tar.digest),
  ): Promise<InstalledLayer> {
    const asImage = this.#canMount === false ? null : await this.#tryImage(blob, signed, name);
    if (asImage !== null) return asImage;
    await this.#making(async (temporary) => {
      await unpackTree(this.#options.sandbox, temporary, blob, signed);
      return await this.#options.sandbox.store.commit(temporary, name);
    });
    return { name, form: 'tree', bytes: signed.tar.bytes };
  }

  /** Null when this machine can't mount it. */
  async #tryImage(blob: BlobSource, signed: SignedTar, name: string): Promise<InstalledLayer | null> {
    const { sandbox, logger } = this.#options;
    let indexBytes = 0;
    let canMount = true;
    await this.#making(async (temporary) => {
      indexBytes = await writeImage(sandbox, temporary, blob, signed);
      const outcome = await sandbox.store.commitImage(temporary, name);
      canMount = outcome !== 'not-mountable';
      return outcome === 'made';
    });
    if (this.#canMount === null) logger.info({ form: canMount ? 'image' : 'tree' }, 'form of layers chosen');
    this.#canMount ??= canMount;
    if (!canMount) logger.warn({ layer: signed.tar.digest }, 'layer can not be mounted as an image, it is unpacked');
    return canMount ? { name, form: 'image', bytes: signed.tar.bytes + indexBytes } : null;
  }

  /** Gives `make` a layer to fill and to finish; it goes unless that was done. */
  async #making(make: (temporary: string) => Promise<boolean>): Promise<void> {
    const { store } = this.#options.sandbox;
    const temporary = `incoming-${toBase32(this.#options.random.bytes(10))}`;
    await store.create(temporary);
    try {
      if (!(await make(temporary))) await store.remove(temporary);
    } catch (error) {
      // The first failure is the one to tell; a launcher that is gone sweeps what is being made at its next start.
      await store.remove(temporary).catch(() => undefined);
      throw error;
    }
  }
}
