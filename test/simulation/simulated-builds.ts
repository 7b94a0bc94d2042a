/**
 * Owns one run of the real single flight of builds in simulated time: clients of several tenants that want environments, some of which nobody has
 * seen before; a builder that takes its time, fails and breaks; a store and a verifier of memory, with real signatures.
 * Never builds anything. Invariants that it checks: one build at a time for a key, and one that ended well for ever; whoever waited for it gets
 * what it gave; nobody gets what is another tenant's own; a build that nobody waits for is ended.
 */
import assert from 'node:assert/strict';
import { setImmediate as settled } from 'node:timers/promises';
import {
  type KeySettings,
  layerKeys,
  planLayers,
  toLayerSpec,
} from '../../coordinator/environments/environment-key.ts';
import { LayerBuilds } from '../../coordinator/environments/layer-builds.ts';
import type { LayerDemand } from '../../coordinator/environments/layer-demand.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import {
  encodeEnvelope,
  machineArchitecture,
  manifestKey,
  signManifest,
  tenantScope,
} from '../../shared/layers/layer-manifest.ts';
import { digestOfSpec, PRIVATE_PREFIX } from '../../shared/layers/layer-spec.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { BuildOrder, PublicationOrder } from '../../shared/model/build.ts';
import { describeEnvironment } from '../../shared/model/environment-description.ts';
import { toBody } from '../../shared/storage/object-store.ts';
import { makeReport } from '../support/lease-results.ts';
import { createTestKey } from '../support/signed-layers.ts';
import { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** Who wants what. */
export interface BuildScenario {
  readonly tenants: readonly string[];
  readonly environments: number;
  readonly clients: number;
  readonly durationMs: number;
  /** So many more want the same, which nobody has seen, at once. */
  readonly crowd: number;
  readonly failedPercent: number;
  readonly brokenPercent: number;
  readonly impatientPercent: number;
  readonly privatePercent: number;
}

const settings: KeySettings = { architecture: machineArchitecture, egressPolicyId: 'any', epoch: '1', salt: 'salt' };
const options = { failureTtlMs: 2000, unreachableTtlMs: 1000, retryDelayMs: 100 };
const { signing, trusted } = createTestKey();
const impatience = new Error('a client that does not wait any longer');

/** One run. */
export class SimulatedBuilds {
  readonly time = new SimulatedTime();
  readonly chance: SimulatedChance;
  readonly counts = { clients: 0, served: 0, failed: 0, broken: 0, left: 0, builds: 0, ended: 0 };
  readonly #scenario: BuildScenario;
  readonly #objects = new Map<string, Uint8Array>();
  readonly #trust: ManifestTrust;
  readonly #layers: LayerBuilds;
  /** Marks of builds that are under way: a mark is its tenant's and its specification's. */
  readonly #building = new Set<string>();
  /** What each key has given, by where it lies. */
  readonly #published = new Map<string, string>();
  /** What was wrong, wherever it was found. */
  readonly #problems: unknown[] = [];

  constructor(seed: string, scenario: BuildScenario) {
    this.chance = new SimulatedChance(seed);
    this.#scenario = scenario;
    this.#trust = new ManifestTrust([trusted], { clock: this.time });
    const grant = { rules: {}, begun: () => undefined, fetched: () => undefined, settle: async () => undefined };
    const ports = {
      ...{ clock: this.time, random: this.chance, log: silentLogger, weightOf: () => 1 },
      quota: { begin: async () => grant },
      store: { get: (key: string) => this.#read(key) },
      builder: {
        build: (order: BuildOrder, _: unknown, signal: AbortSignal) => this.#build(order, signal),
        forget: async () => undefined,
      },
      verifier: { publish: (order: PublicationOrder) => this.#publish(order) },
      trust: { envelope: async () => ({}), open: this.#trust.open.bind(this.#trust), isKeyRevoked: () => false },
      urls: { urlOf: () => '' },
    };
    // Only what getting a layer calls is there.
    this.#layers = new LayerBuilds(ports as never, options);
  }

  /** Lets it all happen; everybody has an answer at its end. */
  async run(): Promise<void> {
    const { clients, durationMs, environments, crowd, tenants } = this.#scenario;
    const { chance, time } = this;
    for (let client = 0; client < clients; client += 1) {
      const [tenant, name] = [chance.of(tenants), `environment ${chance.zipf(environments, 1)}`];
      time.after(chance.between(0, durationMs), () => this.#want(tenant, name));
    }
    const [first = ''] = tenants;
    for (let client = 0; client < crowd; client += 1) {
      time.after(durationMs / 2 + chance.between(0, 50), () => this.#want(first, 'never seen'));
    }
    while (time.step()) await settled();
    if (this.#problems.length > 0) throw this.#problems[0];
    const { served, failed, broken, left } = this.counts;
    assert.equal(served + failed + broken + left, this.counts.clients, JSON.stringify(this.counts));
    assert.equal(this.#building.size, 0, 'nothing is built that nobody waits for');
    assert.equal(this.#layers.running, 0);
  }

  #want(tenantId: string, name: string): void {
    this.counts.clients += 1;
    const abort = new AbortController();
    const visit = this.#layers.visit();
    const wanted = visit.obtain(this.#toDemand(tenantId, name), {
      ...{ isFresh: false, signal: abort.signal, news: () => undefined },
    });
    if (this.chance.percent(this.#scenario.impatientPercent)) {
      this.time.after(this.chance.gap(1000), () => abort.abort(impatience));
    }
    wanted
      .then(
        ({ layer }) => {
          if (layer === null) {
            this.counts.failed += 1;
            return;
          }
          this.counts.served += 1;
          const { scope, key, tar } = layer.manifest;
          assert.ok(scope === 'shared' || scope === tenantScope(tenantId), `${tenantId} got what is of ${scope}`);
          assert.equal(
            tar.digest,
            this.#published.get(manifestKey(scope, key)),
            'whoever waits gets what was published',
          );
        },
        (error: unknown) => {
          if (error === impatience) this.counts.left += 1;
          else if (error instanceof SystemError) this.counts.broken += 1;
          else throw error;
        },
      )
      .catch((problem: unknown) => this.#problems.push(problem))
      .finally(() => visit.end());
  }

  #toDemand(tenantId: string, name: string): LayerDemand {
    const tenant = { tenantId, key: Buffer.from(tenantId) };
    const isPrivate = Number.parseInt(digestOf(name).slice(7, 11), 16) % 100 < this.#scenario.privatePercent;
    const request = { setup: name, ...(isPrivate ? { visibility: 'private' as const } : {}) };
    const description = describeEnvironment(request, tenant);
    const plan = planLayers(description).at(-1);
    assert.ok(plan !== undefined);
    const keys = layerKeys(toLayerSpec(description, plan, '', settings), [], tenant);
    return { tenantId, description, plan, parents: [], keys };
  }

  async #read(key: string) {
    await this.#pass(1, 300);
    const content = this.#objects.get(key);
    return content === undefined ? null : { bytes: content.length, body: toBody(content) };
  }

  async #build(order: BuildOrder, signal: AbortSignal) {
    signal.throwIfAborted();
    const { mark, buildId, isPrivate } = order;
    assert.ok(mark !== null);
    assert.ok(!this.#building.has(mark), 'two builds of the same at a time');
    this.#building.add(mark);
    this.counts.builds += 1;
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    try {
      await Promise.race([this.#pass(300, 5000), ended]);
    } catch (error) {
      this.counts.ended += 1;
      throw error;
    } finally {
      this.#building.delete(mark);
    }
    if (this.chance.percent(this.#scenario.brokenPercent)) throw new SystemError('builder-unavailable', 'simulated');
    const isFailed = this.chance.percent(this.#scenario.failedPercent);
    const tar = { digest: digestOf(buildId), bytes: 1, entries: 1, rules: 1 };
    const blob = { digest: digestOf(`blob ${buildId}`), bytes: 1 };
    const end = { report: makeReport(), verify: null, materials: [], isNetworkUnreachable: false };
    const layer = isFailed ? null : { buildId, blob, tar, variables: {} };
    return { type: 'finished', endedIn: isFailed ? 'setup' : null, layer, ...end, isPrivate };
  }

  async #publish({ staged, spec, scope, key, parents, builtAt }: PublicationOrder) {
    await this.#pass(1, 20);
    const place = manifestKey(scope, key);
    assert.ok(!this.#published.has(place), `${place} is published twice`);
    assert.equal(key.startsWith(PRIVATE_PREFIX) && scope === 'shared', false, 'what is private is shared');
    this.#published.set(place, staged.tar.digest);
    const { kind, base, architecture } = spec;
    const envelope = signManifest(
      {
        ...{ version: 1, key, scope, kind, base, architecture, parents: [...parents], builtAt, provenance: null },
        ...{
          specDigest: digestOfSpec(spec, parents),
          blob: { ...staged.blob, codec: 'zstd' },
          tar: staged.tar,
          variables: {},
        },
      },
      signing,
    );
    this.#objects.set(place, encodeEnvelope(envelope));
    return { envelope, isNew: true };
  }

  #pass(leastMs: number, mostMs: number): Promise<void> {
    return new Promise((resolve) => this.time.after(this.chance.between(leastMs, mostMs), resolve));
  }
}
