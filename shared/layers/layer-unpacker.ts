/**
 * Owns turning a checked blob into a directory of the launcher's layer store: zstd here, GNU tar in a sandbox of its own.
 * Never writes a layer's files itself and never interprets a tar: what is unpacked was checked and signed by the verifier.
 * Invariant: `sha256-<tar digest>` gets its name only after tar has ended well and the bytes that it read had that digest;
 * whatever goes wrong before leaves nothing but a removed layer.
 */
import type { Transform } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import type { Random } from '../clock.ts';
import { DigestingStream } from '../digest.ts';
import { SystemError } from '../errors.ts';
import { toBase32 } from '../ids.ts';
import type { AllLimits } from '../model/limits.ts';
import type { LayerManifest } from '../model/manifest.ts';
import { toFailureSentence } from '../sandbox/launch-failure.ts';
import type { Launch, LaunchReport, LaunchSpec, Sandbox } from '../sandbox/sandbox.ts';
import type { FetchedBlob } from './layer-fetcher.ts';
import { layerName } from './layer-manifest.ts';

/** Settings of an unpacker. */
export interface LayerUnpackerOptions {
  readonly sandbox: Pick<Sandbox, 'launch' | 'store'>;
  readonly random: Random;
  /** GNU tar as the host view shows it. */
  readonly tarPath?: string;
}

/** 128 MiB: a frame that asks for a larger window is refused before it costs memory. */
const WINDOW_LOG_MAX = 27;
const MESSAGE_BYTES_MAX = 2048;
const MINUTE_MS = 60_000;

/** Unpacks layers into the launcher's store. */
export class LayerUnpacker {
  readonly #options: LayerUnpackerOptions;

  constructor(options: LayerUnpackerOptions) {
    this.#options = options;
  }

  /**
   * Makes the layer and returns its name in the store; another name than the usual is for a layer that only its maker knows of.
   * SystemError `layer-corrupt` when the tar is not the signed one, `sandbox-failed` or `launcher-unavailable` when it could not
   * be unpacked here.
   */
  async unpack(
    blob: Pick<FetchedBlob, 'read'>,
    manifest: Pick<LayerManifest, 'tar'>,
    name: string = layerName(manifest.tar.digest),
  ): Promise<string> {
    const { store } = this.#options.sandbox;
    const temporary = `incoming-${toBase32(this.#options.random.bytes(10))}`;
    await store.create(temporary);
    try {
      await this.#extract(temporary, blob, manifest);
      if (!(await store.commit(temporary, name))) await store.remove(temporary);
      return name;
    } catch (error) {
      // The first failure is the one to tell; a launcher that is gone sweeps what is being made at its next start.
      await store.remove(temporary).catch(() => undefined);
      throw error;
    }
  }

  async #extract(target: string, blob: Pick<FetchedBlob, 'read'>, manifest: Pick<LayerManifest, 'tar'>): Promise<void> {
    const source = new TarSource(blob, manifest);
    let message = '';
    const launch: Launch = this.#options.sandbox.launch(
      this.#toSpec(
        target,
        manifest,
        source.chunks(() => launch.kill()),
      ),
      {
        stderr: (chunk) => {
          if (message.length < MESSAGE_BYTES_MAX) message += Buffer.from(chunk).toString('utf8');
        },
      },
    );
    const report = await launch.report;
    source.checkWhatPassed();
    if (report.end !== 'exited' || report.exitCode !== 0) throw failure(report, manifest, message);
    source.checkAll();
  }

  #toSpec(target: string, manifest: Pick<LayerManifest, 'tar'>, stdin: AsyncIterable<Uint8Array>): LaunchSpec {
    return {
      profile: 'host',
      layers: [],
      kept: [],
      isKept: false,
      target,
      capture: null,
      argv: [this.#options.tarPath ?? '/usr/bin/tar', ...tarArguments],
      environment: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      directory: '/target',
      files: [],
      systemFiles: [],
      stdin,
      egress: null,
      limits: limitsFor(manifest),
      cpuShares: 1024,
      cpus: null,
      terminal: null,
      collect: null,
    };
  }
}

// biome-ignore format: one option a line, with its reason
const tarArguments = [
  '--extract', '--file=-', '--directory=/target',
  '--numeric-owner', '--same-owner', '--preserve-permissions',
  '--xattrs', '--xattrs-include=user.overlay.opaque',     // marks an opaque directory; nothing else is let through
  '--no-acls', '--no-selinux',
  '--keep-old-files',                                      // a name that is there already is an error, not a replacement
  '--delay-directory-restore',
  '--warning=no-timestamp',
];

function limitsFor(manifest: Pick<LayerManifest, 'tar'>): AllLimits {
  return {
    cpuTimeMs: 30 * MINUTE_MS,
    wallTimeMs: 60 * MINUTE_MS,
    idleTimeMs: 60 * MINUTE_MS,
    memoryBytes: 1024 ** 3,
    processes: 8,
    outputBytes: 64 * 1024,
    fileSizeBytes: Math.max(1, manifest.tar.bytes),
    openFiles: 256,
    stackBytes: 8 * 1024 ** 2,
    diskBytes: 16 * 1024 ** 2,
    diskInodes: 1024,
  };
}

/** The tar in a blob as a stream that stops at the first byte too many and knows at the end whether it was the signed one. */
class TarSource {
  readonly #blob: Pick<FetchedBlob, 'read'>;
  readonly #manifest: Pick<LayerManifest, 'tar'>;
  readonly #digesting: DigestingStream;
  #problem: string | null = null;
  #isComplete = false;

  constructor(blob: Pick<FetchedBlob, 'read'>, manifest: Pick<LayerManifest, 'tar'>) {
    this.#blob = blob;
    this.#manifest = manifest;
    this.#digesting = new DigestingStream(manifest.tar.bytes);
  }

  /** The tar's bytes; a broken or wrong one ends the stream early and calls `abandon`, it never throws into the reader. */
  async *chunks(abandon: () => void): AsyncGenerator<Uint8Array> {
    const blob = this.#blob.read();
    const zstd: Transform = createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX } });
    blob.on('error', (error) => zstd.destroy(error));
    zstd.on('error', (error) => this.#digesting.destroy(error));
    blob.pipe(zstd).pipe(this.#digesting);
    try {
      for await (const chunk of this.#digesting) yield chunk;
      this.#isComplete = true;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      abandon();
    } finally {
      blob.destroy();
      zstd.destroy();
    }
  }

  /** Throws SystemError `layer-corrupt` when the blob could not be decompressed, or to more than was signed. */
  checkWhatPassed(): void {
    if (this.#problem !== null) throw this.#corrupt(`can't be read: ${this.#problem}`);
  }

  /** Throws SystemError `layer-corrupt` unless the whole tar passed and was the signed one; call once. */
  checkAll(): void {
    if (!this.#isComplete) throw this.#corrupt('ends before its last byte: tar stopped reading');
    const digest = this.#digesting.digest();
    if (this.#digesting.bytes !== this.#manifest.tar.bytes || digest !== this.#manifest.tar.digest) {
      throw this.#corrupt(`has ${this.#digesting.bytes} bytes with ${digest}`);
    }
  }

  #corrupt(found: string): SystemError {
    const { bytes, digest } = this.#manifest.tar;
    return new SystemError('layer-corrupt', `the tar ${found}; signed were ${bytes} bytes with ${digest}`);
  }
}

function failure(report: LaunchReport, manifest: Pick<LayerManifest, 'tar'>, message: string): SystemError {
  const how =
    report.failure !== null
      ? toFailureSentence(report.failure)
      : `${report.end} ${report.exitCode ?? report.signal ?? ''} ${report.exceeded?.limit ?? ''}`.trim();
  return new SystemError(
    'sandbox-failed',
    `unpacking ${manifest.tar.digest} failed: ${how}: ${message.trim().slice(0, MESSAGE_BYTES_MAX)}`,
  );
}
