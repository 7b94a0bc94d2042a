/**
 * Owns a real builder on a real launcher with its real proxies, and a real verifier over a directory store, each of which may be killed and
 * started again; a base of this machine's own programs is published there, so that no registry is needed. Needs root.
 * Never a coordinator: `publish` does for one layer what it would, once. Everything ends with the test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { type BuildNews, createBuilderClient } from '../../coordinator/environments/builder-client.ts';
import { openStaged, readStaged } from '../../coordinator/environments/verifier/staged-file.ts';
import { createVerifierClient } from '../../coordinator/environments/verifier-client.ts';
import { inheritedEnvironment } from '../../shared/config.ts';
import { blobKey, openManifest } from '../../shared/layers/layer-manifest.ts';
import type { LayerReference, LayerSpec } from '../../shared/model/manifest.ts';
import { connectLauncher } from '../../shared/sandbox/launcher-client.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { buildOrder } from './build-orders.ts';
import { descendantsOf } from './launcher-vitals.ts';
import { specOf } from './layer-specs.ts';
import { launcherBinary, tarOfBase } from './real-launcher.ts';
import { asBase, orderFor, stage, withKey } from './staged-layers.ts';

const root = new URL('../..', import.meta.url).pathname;
const READY_MS_MAX = 30_000;

/** A program that may be killed and started again in its place. */
class Restartable {
  readonly #start: () => ChildProcess;
  #process: ChildProcess;

  constructor(start: () => ChildProcess) {
    this.#start = start;
    this.#process = start();
  }

  get id(): number {
    return this.#process.pid ?? 0;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
  }

  async restart(): Promise<void> {
    await this.end('SIGKILL');
    this.#process = this.#start();
  }
}

/** Answers as soon as `asked` no longer rejects. */
async function untilAnswered<Answer>(asked: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + READY_MS_MAX;
  for (;;) {
    try {
      return await asked();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await wait(20);
    }
  }
}

/** The settings of both programs, all in this folder. */
function variablesOf(at: (name: string) => string, settings: Readonly<Record<string, string>>) {
  return {
    ...inheritedEnvironment(['PATH']),
    ENVICUTOR_BUILDER_SOCKET_PATH: at('builder.sock'),
    ENVICUTOR_BUILDER_LAUNCHER_SOCKET_PATH: at('launcher.sock'),
    ENVICUTOR_BUILDER_STATE_DIRECTORY: at('state'),
    ENVICUTOR_BUILDER_STAGING_DIRECTORY: at('staging'),
    ENVICUTOR_BUILDER_LOG_LEVEL: 'error',
    ENVICUTOR_VERIFIER_SOCKET_PATH: at('verifier.sock'),
    ENVICUTOR_VERIFIER_STATE_DIRECTORY: at('keys'),
    ENVICUTOR_VERIFIER_STAGING_DIRECTORY: at('staging'),
    ENVICUTOR_VERIFIER_STORE_DIRECTORY: at('cache'),
    ENVICUTOR_VERIFIER_LOG_LEVEL: 'error',
    ...settings,
  };
}

/** Starts all of it; `settings` are the builder's and the verifier's. */
export async function setPublishingStage(test: TestContext, settings: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-publishing-'));
  // This builder is root, its proxies are not: they pass through to the artefacts.
  await chmod(folder, 0o711);
  const at = (name: string) => join(folder, name);
  const env = variablesOf(at, settings);
  const program = (command: string, ...args: readonly string[]) =>
    new Restartable(() => spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env }));
  const cgroup = `publishing-${process.pid}`;
  const egress = `${process.execPath} ${root}coordinator/egress/main.ts`;
  const launcher = program(
    launcherBinary,
    ...['--socket', at('launcher.sock'), '--client-uid', '0', '--store', at('store')],
    ...['--cgroup', cgroup, '--stock', '1', '--egress-command', egress],
  );
  const sandbox = await untilAnswered(() => connectLauncher({ socketPath: at('launcher.sock') }));
  const programs = {
    builder: program(process.execPath, `${root}coordinator/builder/main.ts`),
    verifier: program(process.execPath, `${root}coordinator/environments/verifier/main.ts`),
  };
  const builder = createBuilderClient(at('builder.sock'));
  const verifier = createVerifierClient(at('verifier.sock'));
  const store = new DirectoryObjectStore(at('cache'));
  const blobs = createServer(({ url }, response) => {
    createReadStream(join(at('cache'), 'objects', String(url))).pipe(response);
  }).listen(0, '127.0.0.1');
  test.after(async () => {
    await Promise.all([builder.close(), verifier.close(), sandbox.close()]);
    for (const each of [programs.builder, programs.verifier, launcher]) await each.end('SIGTERM');
    blobs.close();
    blobs.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  });
  const ready = async () => {
    await untilAnswered(() => builder.check());
    return (await untilAnswered(() => verifier.keys())).keys;
  };
  const trusted = await ready();
  const base = await publishBase(at('staging'), verifier);
  const { port } = blobs.address() as AddressInfo;
  const digest = openManifest(base.envelope, trusted).blob.digest;
  const parent: LayerReference = { ...base, url: `http://127.0.0.1:${port}/${blobKey(digest)}`, origin: 'built' };
  const placed = { processId: launcher.id, cgroup, socketPath: at('launcher.sock'), folder, sandbox };
  return {
    ...{ folder, staging: at('staging'), store, trusted, builder, verifier, programs, ready, parent, launcher: placed },
    /** Process ids of the proxies that serve builds now. */
    proxies: () => descendantsOf(launcher.id).filter((id) => commandOf(id)[1] === `${root}coordinator/egress/main.ts`),
    /** Builds a setup layer of this script on the base and publishes it; what it staged is forgotten whatever happens. */
    async publish(buildId: string, script: string, told: (event: BuildNews) => void = () => undefined) {
      const trust = (await verifier.trust({ revocations: [] })).envelope;
      const order = buildOrder({ buildId, trust, parents: [parent], script });
      const finished = await builder.build(order, told, new AbortController().signal);
      try {
        if (finished.layer === null) return { finished, publication: null };
        const parents = [openManifest(parent.envelope, trusted).tar.digest];
        const { layer: staged, materials } = finished;
        const publication = await verifier.publish(
          withKey({ ...orderFor(buildId, Buffer.alloc(0)), spec: specOf(script), staged, parents, materials }),
        );
        return { finished, publication };
      } finally {
        await builder.forget(buildId).catch(() => undefined);
      }
    },
  };
}

async function publishBase(staging: string, verifier: ReturnType<typeof createVerifierClient>) {
  const buildId = 'build_base0000';
  const tar = tarOfBase();
  const blob = zstdCompressSync(tar);
  await stage(staging, buildId, blob);
  const file = await openStaged(staging, buildId);
  const { tar: found } = await readStaged(file, { entriesMax: 100_000, bytesMax: 1024 ** 3 });
  await file.close();
  const order = asBase(orderFor(buildId, tar, blob, found.entries));
  order.staged.variables = {};
  const { envelope } = await verifier.publish(order);
  await rm(join(staging, buildId), { recursive: true });
  const spec: LayerSpec = order.spec;
  return { spec, envelope };
}

/** What it was started with; the launcher's own processes name the proxy too, but not in the place of a program. */
function commandOf(id: number): readonly string[] {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it ended while we looked
  }
}
