/**
 * Starts the real builder on a real launcher with the real egress proxy, and plays the coordinator and the verifier around it: signs what
 * was staged and serves its blob, so that the next layer can stand on it. Needs root.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createReadStream, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBuilderClient, type FinishedBuild } from '../../coordinator/environments/builder-client.ts';
import { inheritedEnvironment } from '../../shared/config.ts';
import { openManifest, signManifest } from '../../shared/layers/layer-manifest.ts';
import { digestOfSpec } from '../../shared/layers/layer-spec.ts';
import type { BuildEvent, BuildOrder } from '../../shared/model/build.ts';
import type { Envelope, LayerReference } from '../../shared/model/manifest.ts';
import { buildOrder } from './build-orders.ts';
import { specOf } from './layer-specs.ts';
import { createTestKey } from './signed-layers.ts';
import { revocation, trustState } from './trust-states.ts';

const root = new URL('../..', import.meta.url).pathname;
const READY_MS_MAX = 20_000;

/** What one build said. */
export interface BuildOutcome {
  readonly finished: FinishedBuild;
  readonly events: readonly BuildEvent[];
  /** All text of the log. */
  readonly log: string;
}

/** A builder with everything around it; `stop` leaves nothing. */
export class BuilderProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'envicutor-builder-'));
  readonly staging = join(this.folder, 'staging');
  readonly #key = createTestKey();
  readonly #trust = trustState([this.#key.signing]);
  readonly #blobs: Server;
  readonly #processes: ChildProcess[] = [];
  readonly #client = createBuilderClient(join(this.folder, 'builder.sock'));
  #number = 0;

  constructor() {
    // This builder is root, its proxies are not: they pass through to the artefacts.
    chmodSync(this.folder, 0o711);
    mkdirSync(join(this.folder, 'blobs'));
    this.#blobs = createServer(({ url }, response) => {
      createReadStream(join(this.folder, 'blobs', String(url).slice(1))).pipe(response);
    });
  }

  async start(settings: Readonly<Record<string, string>> = {}): Promise<this> {
    this.#blobs.listen(0, '127.0.0.1');
    const launcherSocket = join(this.folder, 'launcher.sock');
    const egress = `${process.execPath} ${root}coordinator/egress/main.ts`;
    this.#spawn(`${root}shared/sandbox/launcher/build/envicutor-launcher`, [
      ...['--socket', launcherSocket, '--client-uid', '0', '--store', join(this.folder, 'store')],
      ...['--cgroup', `builder-test-${process.pid}`, '--stock', '1', '--egress-command', egress],
    ]);
    await this.#appearance(launcherSocket);
    this.#spawn(process.execPath, [`${root}coordinator/builder/main.ts`], {
      ENVICUTOR_BUILDER_SOCKET_PATH: join(this.folder, 'builder.sock'),
      ENVICUTOR_BUILDER_LAUNCHER_SOCKET_PATH: launcherSocket,
      ENVICUTOR_BUILDER_STATE_DIRECTORY: join(this.folder, 'state'),
      ENVICUTOR_BUILDER_STAGING_DIRECTORY: this.staging,
      ...settings,
    });
    await this.#appearance(join(this.folder, 'builder.sock'));
    await this.#listening(join(this.folder, 'builder.sock'));
    return this;
  }

  /** Builds one layer; a parent is given as `publish` returned it. */
  async build(
    changes: Partial<BuildOrder>,
    signal: AbortSignal = new AbortController().signal,
    told: (event: BuildEvent) => void = () => undefined,
  ): Promise<BuildOutcome> {
    this.#number += 1;
    const buildId = `build_${String(this.#number).padStart(8, '0')}`;
    const events: BuildEvent[] = [];
    const order = buildOrder({ buildId, trust: this.#trust, ...changes });
    const news = (event: BuildEvent) => {
      events.push(event);
      told(event);
    };
    const finished = await this.#client.build(order, news, signal);
    return { finished, events, log: events.map((event) => (event.type === 'log' ? event.text : '')).join('') };
  }

  /** The next trust state, in which this layer is revoked. */
  revoking(reference: LayerReference): Envelope {
    const { digest } = openManifest(reference.envelope, [this.#key.trusted]).tar;
    return trustState([this.#key.signing], 2, { revocations: [revocation('layer', digest)] });
  }

  /** What verifier and coordinator do with a staged layer; the builder is told to forget it. */
  async publish(
    { layer }: FinishedBuild,
    kind: BuildOrder['kind'],
    parents: readonly LayerReference[],
  ): Promise<LayerReference> {
    if (layer === null) throw new Error('there is no layer');
    linkSync(join(this.staging, layer.buildId, 'layer.tar.zst'), join(this.folder, 'blobs', layer.buildId));
    const keys = [this.#key.trusted];
    const below = parents.map(({ envelope }) => openManifest(envelope, keys).tar.digest);
    const { blob, tar, variables } = layer;
    const spec = specOf(layer.buildId, { kind });
    const identity = {
      version: 1,
      key: `key-${layer.buildId.slice(6)}`,
      specDigest: digestOfSpec(spec, below),
      scope: 'shared',
    } as const;
    const machine = { base: spec.base, architecture: spec.architecture };
    const content = { parents: below, blob: { ...blob, codec: 'zstd' as const }, tar, variables };
    const manifest = {
      ...identity,
      kind,
      ...machine,
      ...content,
      builtAt: new Date(0).toISOString(),
      provenance: null,
    };
    await this.#client.forget(layer.buildId);
    const { port } = this.#blobs.address() as AddressInfo;
    return {
      spec,
      envelope: signManifest(manifest, this.#key.signing),
      url: `http://127.0.0.1:${port}/${layer.buildId}`,
      origin: 'built',
    };
  }

  async stop(): Promise<void> {
    await this.#client.close();
    for (const child of this.#processes.reverse()) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    }
    this.#blobs.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(command: string, args: readonly string[], settings: Readonly<Record<string, string>> = {}): void {
    const env = { ...inheritedEnvironment(['PATH']), ENVICUTOR_BUILDER_LOG_LEVEL: 'warn', ...settings };
    this.#processes.push(spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env }));
  }

  /** A socket is there a moment before somebody listens on it. */
  async #listening(path: string): Promise<void> {
    const until = performance.now() + READY_MS_MAX;
    for (;;) {
      const socket = connect(path);
      const isConnected = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isConnected) return;
      if (performance.now() > until) throw new Error(`nobody listens on ${path}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #appearance(path: string): Promise<void> {
    const until = performance.now() + READY_MS_MAX;
    while (!existsSync(path)) {
      if (performance.now() > until) throw new Error(`${path} does not appear`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
