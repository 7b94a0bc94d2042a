/**
 * Owns a whole site that may be broken anywhere: coordinators on one PostgreSQL whose disk is small, MinIO, and machines with disks as small
 * and cables of their own. Never decides when what of it breaks. All of it ends with the test.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../../ops/local/private-instance.ts';
import { type MinioServer, startMinioServer } from '../../ops/minio/private-minio.ts';
import { startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import { MinioObjectStore } from '../../shared/storage/minio-object-store.ts';
import { storeNumbered } from './base-builds.ts';
import type { CoordinatorProcess } from './coordinator-process.ts';
import { Coordinators } from './coordinators.ts';
import { type CabledMachine, CuttableNetwork } from './cuttable-network.ts';
import { JoinedAgent } from './joined-agent.ts';
import { atRest, type Vitals } from './launcher-vitals.ts';
import { leftBehind } from './left-behind.ts';
import { SmallDisk } from './small-disk.ts';

export const MEMBER_TTL_MS = 3000;
/** Setup scripts that are built before the test: each is a layer. */
export const SETUPS = 6;
const SETUP_BYTES = 1 << 20;
const MEMBERS = 3;
const MACHINES = 2;
/** PostgreSQL's own files, its log of 10,000 executions and room. */
const DATABASE_BYTES = 1 << 30;
const MACHINE_BYTES = 96 << 20;
/** The base and half of the setups: layers go and are fetched again all the time. */
const LAYER_BYTES_MAX = 5_500_000 + (SETUPS / 2) * (SETUP_BYTES + 16_384);

/** A layer that could not be removed is tried again within this. */
const TIDY_MS_MAX = 20_000;

/** An agent, its launcher, its disk and its cable. */
export interface BreakableMachine {
  readonly agent: JoinedAgent;
  readonly disk: SmallDisk;
  readonly cable: CabledMachine;
  /** Of launchers that were killed. */
  readonly killed: number[];
  /** What its launcher had when nothing had run. */
  readonly idle: Vitals;
}

/** See the head of this file. */
export class BreakableSite {
  readonly coordinators: Coordinators;
  readonly minio: MinioServer;
  readonly databaseDisk: SmallDisk;
  readonly members: CoordinatorProcess[] = [];
  readonly machines: BreakableMachine[] = [];
  readonly #network: CuttableNetwork;
  readonly #ports: readonly number[];

  private constructor(
    coordinators: Coordinators,
    minio: MinioServer,
    databaseDisk: SmallDisk,
    network: CuttableNetwork,
    ports: readonly number[],
  ) {
    this.coordinators = coordinators;
    this.minio = minio;
    this.databaseDisk = databaseDisk;
    this.#network = network;
    this.#ports = ports;
  }

  static async set(test: TestContext, tenants: readonly string[]): Promise<BreakableSite> {
    const ends: (() => Promise<void>)[] = [];
    test.after(async () => {
      for (const end of ends.reverse()) await end();
    });
    const network = await CuttableNetwork.open();
    ends.push(() => network.close());
    const disk = await SmallDisk.mount(DATABASE_BYTES);
    ends.push(() => disk.close());
    const [postgres, minio] = await Promise.all([
      startPostgresServer(disk.folder),
      startMinioServer('envicutor', network.address),
    ]);
    ends.push(
      () => postgres.stop(),
      () => minio.stop(),
    );
    const store = new MinioObjectStore({ ...minio });
    const { reader } = minio;
    const variables = {
      ...{ STORE_KIND: 'minio', MINIO_ENDPOINT: minio.endpoint, MINIO_BUCKET: minio.bucket },
      ...{ MINIO_REGION: minio.region, MINIO_ACCESS_KEY: reader.accessKey, MINIO_SECRET_KEY: reader.secretKey },
      ...{ MEMBER_TTL_MS: String(MEMBER_TTL_MS), LEASE_TTL_MS: '4000', REPORT_INTERVAL_MS: '1000', RETRIES_MAX: '10' },
      ...{ LOG_LEVEL: 'info', LISTEN_HOST: network.address, ALLOW_PLAIN_HTTP: 'true' },
    };
    const coordinators = await Coordinators.prepare(test, { tenants, variables, store, postgres });
    coordinators.services.script = await storeNumbered(store, SETUPS, SETUP_BYTES);
    const ports = await Promise.all(Array.from({ length: MEMBERS }, freePort));
    const site = new BreakableSite(coordinators, minio, disk, network, ports);
    for (const index of ports.keys()) await site.startMember(index);
    for (let index = 0; index < MACHINES; index += 1) await site.#addMachine(`chaos${index}`);
    return site;
  }

  async startMember(index: number): Promise<void> {
    this.members[index] = await this.coordinators.start({ LISTEN_PORT: String(this.#ports[index]) });
  }

  async #addMachine(name: string): Promise<void> {
    const { coordinators, members } = this;
    const cable = await this.#network.attach();
    const disk = await SmallDisk.mount(MACHINE_BYTES);
    coordinators.atEnd(() => disk.close());
    const settings = {
      COORDINATOR_URL: this.#ports.map((port) => `ws://${this.#network.address}:${port}/agents`).join(),
      ...{ SLOTS: '4', HEARTBEAT_MS: '1000', REDIAL_MAX_MS: '1000', LAYER_BYTES_MAX: String(LAYER_BYTES_MAX) },
    };
    const place = { folder: disk.folder, prefix: cable.prefix };
    const agent = await JoinedAgent.prepare(coordinators, members[0] as CoordinatorProcess, name, settings, place);
    this.machines.push({ agent, disk, cable, killed: [], idle: await atRest(agent.launcher) });
    await agent.start();
  }

  /** Sentences about what stays on the machines though an agent with nothing to do does not need it. */
  async leftovers(): Promise<string[]> {
    const deadline = performance.now() + TIDY_MS_MAX;
    for (;;) {
      const left = await this.#look();
      if (left.length === 0 || performance.now() > deadline) return left;
      await wait(100);
    }
  }

  async #look(): Promise<string[]> {
    const left: string[] = [];
    for (const { agent, killed, idle } of this.machines) {
      const { launcher, stateDirectory } = agent;
      const vitals = await atRest(launcher);
      for (const [what, had] of Object.entries(toSteady(idle))) {
        const has = toSteady(vitals)[what];
        if (has !== had) left.push(`${what}: ${has} instead of ${had}`);
      }
      left.push(...leftBehind(launcher, killed));
      const { layers } = JSON.parse(await readFile(join(stateDirectory, 'layers', 'layers.json'), 'utf8'));
      const known = layers.map(({ digest }: { digest: string }) => digest.replace(':', '-'));
      const stored = ['store', 'store/images']
        .flatMap((folder) => readdirSync(join(launcher.folder, folder)))
        .filter((name) => name.startsWith('sha256-'));
      left.push(...stored.filter((name) => !known.includes(name)).map((name) => `layer ${name}`));
      assert.ok(layers.length > 0, 'something was fetched');
      const files = readdirSync(stateDirectory, { recursive: true, encoding: 'utf8' });
      left.push(...files.filter((name) => /^(results|incoming)\/|\.new$/.test(name)));
    }
    return left;
  }
}

/** What the stock does not change, which grows with use: at rest there is no cgroup but its sandboxes', and each has two processes. */
function toSteady(vitals: Vitals): Vitals {
  const { processes = 0, cgroups = 0, 'files of the folder': files = 0 } = vitals;
  return { processes: processes - 2 * cgroups, 'files of the folder': files };
}
