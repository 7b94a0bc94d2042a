/**
 * Owns a site for tests of backups: real coordinator, verifier, agent and launcher, each started and killed by itself; the builder alone is a fake,
 * which stages layers of this machine's own programs and counts what it is asked for. The backup is the program that operators start.
 * Never a fake verifier: keys and ledgers are what is backed up. Everything ends with the test.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import { openStaged, readStaged } from '../../coordinator/environments/verifier/staged-file.ts';
import { freePort } from '../../ops/local/private-instance.ts';
import { inheritedEnvironment } from '../../shared/config.ts';
import { digestOf } from '../../shared/digest.ts';
import type { BuildOrder } from '../../shared/model/build.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { AgentProcess, isReady } from './agent-process.ts';
import { ApiClient } from './api-client.ts';
import { CoordinatorProcess } from './coordinator-process.ts';
import { startBuildServices } from './fake-build-services.ts';
import { makeReport } from './lease-results.ts';
import { LoggedProcess } from './logged-process.ts';
import { RealLauncher, tarOfBase } from './real-launcher.ts';
import { orderFor, plainTar, stage } from './staged-layers.ts';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const program = `${root}coordinator/backup/main.ts`;
const verifierProgram = `${root}coordinator/environments/verifier/main.ts`;

/** Variables of both processes, without what their paths say. */
export type Given = Readonly<Record<string, string>>;

/** What one run of the backup's program said. */
export interface Outcome {
  readonly code: number;
  readonly said: string;
}

/** See the head of this file. */
export class BackupStage {
  readonly folder: string;
  readonly #services: Awaited<ReturnType<typeof startBuildServices>>;
  readonly #port: number;
  #launcher: RealLauncher | null = null;
  readonly #operatorKey: string;
  #processes: LoggedProcess[] = [];
  readonly #agents: AgentProcess[] = [];

  private constructor(
    folder: string,
    services: Awaited<ReturnType<typeof startBuildServices>>,
    port: number,
    operatorKey: string,
  ) {
    this.folder = folder;
    this.#services = services;
    this.#port = port;
    this.#operatorKey = operatorKey;
  }

  static async set(test: TestContext): Promise<BackupStage> {
    const folder = await mkdtemp(join(tmpdir(), 'envicutor-backup-'));
    for (const name of ['services', 'staging', 'sockets']) await mkdir(join(folder, name));
    const services = await startBuildServices(
      join(folder, 'services'),
      new DirectoryObjectStore(join(folder, 'nothing')),
    );
    const key = randomBytes(16).toString('hex');
    const sha256 = createHash('sha256').update(key).digest('hex');
    const operator = { id: 'operator', isOperator: true, keys: [{ name: 'test', sha256 }] };
    await writeFile(join(folder, 'tenants.json'), JSON.stringify({ tenants: [operator] }));
    const stage = new BackupStage(folder, services, await freePort(), key);
    services.script = (order) => stage.#build(order);
    test.after(async () => {
      for (const agent of stage.#agents) await agent.end('SIGKILL');
      await stage.kill();
      services.builder.closeAllConnections();
      await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
      await stage.#launcher?.stop();
      await rm(folder, { recursive: true, force: true });
    });
    return stage;
  }

  /** Every build that anybody asked for. */
  get builds(): number {
    return this.#services.orders.length;
  }

  get operator(): ApiClient {
    return this.as(this.#operatorKey);
  }

  as(key: string): ApiClient {
    return new ApiClient(`http://127.0.0.1:${this.#port}`, key);
  }

  /** The whole environment of the processes whose state is in this folder; `given` are variables by their whole names. */
  variables(state: string, given: Given = {}): Record<string, string> {
    const at = (name: string) => join(this.folder, name);
    return {
      ...inheritedEnvironment(['PATH']),
      NODE_COMPILE_CACHE: at('compiled'),
      ENVICUTOR_LISTEN_PORT: String(this.#port),
      ENVICUTOR_STATE_DIRECTORY: join(state, 'coordinator'),
      ENVICUTOR_STORE_DIRECTORY: join(state, 'store'),
      ENVICUTOR_BUILDER_SOCKET_PATH: at('services/builder.sock'),
      ENVICUTOR_VERIFIER_SOCKET_PATH: at('sockets/verifier.sock'),
      ENVICUTOR_TENANTS_FILE: at('tenants.json'),
      ENVICUTOR_REPRODUCE_BUILDS: 'off',
      ENVICUTOR_TRUST_RENEW_MS: '100',
      ENVICUTOR_VERIFIER_STATE_DIRECTORY: join(state, 'verifier'),
      ENVICUTOR_VERIFIER_STAGING_DIRECTORY: at('staging'),
      ENVICUTOR_VERIFIER_STORE_DIRECTORY: join(state, 'store'),
      ...given,
    };
  }

  /** Starts verifier and coordinator on this state; resolves when they serve. */
  async start(state: string, given: Given = {}): Promise<void> {
    const variables = this.variables(state, given);
    const spawned = ['setpriv', '--pdeathsig', 'KILL', process.execPath, verifierProgram];
    const verifier = new LoggedProcess('verifier', spawned, variables);
    this.#processes.push(verifier);
    await verifier.logged(({ msg }) => msg === 'verifier ready');
    const names = Object.entries(variables).filter(([name]) => /^ENVICUTOR_(?!VERIFIER_(?!SOCKET))/.test(name));
    const coordinator = new CoordinatorProcess(
      Object.fromEntries(names.map(([name, value]) => [name.slice('ENVICUTOR_'.length), value])),
    );
    this.#processes.push(coordinator);
    await coordinator.ready();
  }

  /** Ends verifier and coordinator as a power cut would. */
  async kill(): Promise<void> {
    const processes = this.#processes;
    this.#processes = [];
    await Promise.all(processes.map((one) => one.end('SIGKILL')));
  }

  /** An agent with an identity of its own, the same for the same name; with a token it is enrolled. Resolves when it is let in. */
  async startAgent(name: string, token: string | null): Promise<AgentProcess> {
    this.#launcher ??= await RealLauncher.start('backup');
    const state = join(this.folder, name);
    await mkdir(state, { recursive: true });
    const tokenFile = join(this.folder, `${name}.token`);
    if (token !== null) await writeFile(tokenFile, token);
    const agent = new AgentProcess({
      COORDINATOR_URL: `ws://127.0.0.1:${this.#port}/agents`,
      NAME: name,
      STATE_DIRECTORY: state,
      LAUNCHER_SOCKET_PATH: this.#launcher.socketPath,
      ENROLMENT_TOKEN_FILE: token === null ? '' : tokenFile,
      DISK_FREE_BYTES_MIN: '1',
      SLOTS: '2',
    });
    this.#agents.push(agent);
    await agent.logged(isReady);
    return agent;
  }

  /** Runs the program that operators run, to its end. */
  async backup(words: readonly string[], state: string, given: Given = {}): Promise<Outcome> {
    const options = { env: this.variables(state, given) };
    return await run(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...words], options).then(
      ({ stdout }) => ({ code: 0, said: stdout }),
      ({ code, stderr }) => ({ code: Number(code), said: String(stderr) }),
    );
  }

  /** A base of this machine's programs, and above it a layer with a file that says which script it is from. */
  async #build(order: BuildOrder): ReturnType<BackupStage['stageLayer']> {
    return await this.stageLayer(order.buildId, order.kind === 'base' ? tarOfBase() : plainTar('from a layer\n'));
  }

  async stageLayer(buildId: string, tar: Buffer) {
    const staging = join(this.folder, 'staging');
    const blob = zstdCompressSync(tar);
    await stage(staging, buildId, blob);
    const file = await openStaged(staging, buildId);
    const { tar: found } = await readStaged(file, { entriesMax: 100_000, bytesMax: 1024 ** 3 });
    await file.close();
    const { staged, materials } = orderFor(buildId, tar, blob, found.entries);
    const variables = tar.includes('GREETING=') ? staged.variables : {};
    const end = { endedIn: null, report: makeReport(), verify: null, isNetworkUnreachable: false, isPrivate: false };
    const layer = { ...staged, tar: { ...staged.tar, digest: digestOf(tar) }, variables };
    return [{ type: 'finished' as const, layer, materials, ...end }];
  }
}
