/**
 * Owns one run of the real layer cache in simulated time: users that come, hold layers and go; downloads, unpacking and removals that take their
 * time and fail; pins that change, layers that are found damaged, and deaths of the process. Store and index are of memory; one seed is one run.
 * Invariants that it checks after every event: what is used or pinned is in the store, and the same as it was; the store weighs no more than its
 * bound, or what can't go, beside what is on its way in or out; and whatever is in it the index names, or a removal has it.
 */
import assert from 'node:assert/strict';
import { setImmediate as settled } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.ts';
import type { Digest } from '../../shared/digest.ts';
import { type ErrorCode, SystemError } from '../../shared/errors.ts';
import { LayerCache } from '../../shared/layers/layer-cache.ts';
import { layerName } from '../../shared/layers/layer-manifest.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { createTestKey, createTestLayer, type TestLayer } from '../support/signed-layers.ts';
import { SimulatedChance, SimulatedTime } from './simulated-time.ts';

/** What a run is made of. */
export interface LayerScenario {
  readonly tenants: readonly string[];
  /** The first ones are asked for most. */
  readonly environments: number;
  readonly users: number;
  readonly durationMs: number;
  readonly holdMs: number;
  /** The store's bound, in hundredths of what all layers weigh. */
  readonly roomPercent: number;
  /** Of downloads, unpackings and removals, in hundredths. */
  readonly failedPercent: number;
  readonly pinChanges: number;
  readonly damages: number;
  readonly deaths: number;
}

/** A layer of the store: made once, and another one when it is made again. */
interface Stored {
  readonly bytes: number;
}

/** What somebody holds, as it was when he got it. */
interface Hold {
  readonly stored: ReadonlyMap<string, Stored | undefined>;
  readonly release: () => void;
}

interface Environment {
  readonly tenantId: string;
  readonly references: readonly LayerReference[];
  readonly names: readonly string[];
}

const { signing, trusted } = createTestKey();
/** What an image takes beside its tar. */
const INDEX_BYTES = 512;

/** One run. */
export class SimulatedLayers {
  readonly time = new SimulatedTime();
  readonly chance: SimulatedChance;
  readonly counts = { users: 0, served: 0, failed: 0, evictions: 0, damaged: 0, stuck: 0, deaths: 0 };
  readonly #scenario: LayerScenario;
  readonly #environments: readonly Environment[];
  readonly #bytesMax: number;
  readonly #digests: readonly Digest[];
  readonly #store = new Map<string, Stored>();
  /** On their way out, and those that would not go yet. */
  readonly #leaving = new Set<string>();
  readonly #holds = new Set<Hold>();
  /** Whatever somebody holds, or waits for beside what he has; how many do. */
  readonly #wanted = new Map<string, number>();
  readonly #discarded = new Set<string>();
  #pins: ReadonlySet<string> = new Set();
  /** Users who have no answer yet. */
  #waiting = 0;
  #index: string | null = null;
  #cache: LayerCache | null = null;
  /** Counts processes: a dead one changes nothing any more. */
  #life = 0;
  readonly #problems: unknown[] = [];

  constructor(seed: string, scenario: LayerScenario) {
    this.chance = new SimulatedChance(seed);
    this.#scenario = scenario;
    const { layers, environments } = this.#makeEnvironments();
    this.#environments = environments;
    this.#digests = layers.map(({ manifest }) => manifest.tar.digest as Digest);
    const all = layers.reduce((sum, { tar }) => sum + tar.length + INDEX_BYTES, 0);
    this.#bytesMax = Math.ceil((all * scenario.roomPercent) / 100);
  }

  /** Each environment is a base of a few and a layer of its own, which may be one tenant's. */
  #makeEnvironments() {
    const { chance } = this;
    const { tenants, environments } = this.#scenario;
    const bases = [0, 1].map((number) => createTestLayer(signing, `base ${number}`, 20_000));
    const layers: TestLayer[] = [...bases];
    const made = Array.from({ length: environments }, (_, number) => {
      const base = chance.of(bases);
      const tenantId = chance.of(tenants);
      const scope = chance.percent(60) ? `tenant-${tenantId}` : 'shared';
      const changes = { kind: 'setup' as const, parents: [base.manifest.tar.digest], scope };
      const layer = createTestLayer(signing, `setup ${number}`, Math.floor(chance.between(1000, 30_000)), changes);
      layers.push(layer);
      const both = [base, layer];
      const names = both.map(({ manifest }) => layerName(manifest.tar.digest));
      return { tenantId, names, references: both.map(({ reference }) => reference) };
    });
    return { layers, environments: made };
  }

  /** Lets it all happen; nothing is held at its end, and there is not more than there is room for. */
  async run(): Promise<void> {
    const { users, durationMs, pinChanges, damages, deaths, environments } = this.#scenario;
    const { chance, time } = this;
    const often = (count: number, action: () => void) => {
      for (let number = 0; number < count; number += 1) time.after(chance.between(0, durationMs), action);
    };
    often(users, () => this.#use(chance.zipf(environments, 0.8)));
    often(pinChanges, () => this.#pin());
    often(damages, () => this.#damage());
    often(deaths, () => this.#die());
    this.#begin();
    await settled();
    while (time.step()) {
      await settled();
      if (this.#problems.length > 0) throw this.#problems[0];
      this.#check();
    }
    assert.equal(this.counts.served + this.counts.failed, this.counts.users, JSON.stringify(this.counts));
    assert.ok(this.#cache !== null);
    const { inUse, evictions } = this.#cache.gauges();
    this.counts.evictions += evictions;
    assert.equal(inUse, 0, 'nobody has left a layer in use');
    assert.equal(this.#leaving.size, 0, 'whatever was to go has gone');
  }

  /** A process of the agent, on what the last one left. */
  #begin(): void {
    const life = ++this.#life;
    const isAlive = () => life === this.#life;
    const clock: Clock = {
      nowMs: () => this.time.nowMs(),
      monotonicMs: () => this.time.monotonicMs(),
      after: (delayMs, action) => this.time.after(delayMs, () => isAlive() && action()),
    };
    const alive = (work: Promise<void>) =>
      work.then(() => (isAlive() ? undefined : new Promise<never>(() => undefined)));
    const cache = new LayerCache({
      ...{ clock, logger: silentLogger, bytesMax: this.#bytesMax, tenantPercentMax: 40 },
      trust: new ManifestTrust([trusted], { clock: { nowMs: () => Date.parse('2026-01-02') } }),
      directory: {
        read: async () => this.#index,
        write: async (text) => {
          if (isAlive()) this.#index = text;
        },
      },
      fetcher: {
        fetch: async (_url, { bytes }) => {
          await alive(this.#pass(5, 800));
          this.#mayFail('object-store-unavailable');
          return { bytes, read: () => assert.fail('nothing is unpacked'), close: async () => undefined };
        },
      },
      installer: {
        install: async (_blob, { tar: { digest, bytes } }) => {
          const name = layerName(digest);
          const whole = bytes + INDEX_BYTES;
          await alive(this.#pass(1, 100));
          this.#mayFail('sandbox-failed');
          assert.ok(!this.#store.has(name), 'a layer is made where one is');
          this.#store.set(name, { bytes: whole });
          return { name, form: 'image', bytes: whole };
        },
      },
      sandbox: {
        launch: () => assert.fail('nothing is launched'),
        store: {
          ...{ create: assert.fail, commit: assert.fail, commitImage: assert.fail },
          list: async () => [...this.#store.keys()],
          remove: (name: string) => this.#remove(name, alive),
        },
      },
    });
    this.#cache = null;
    cache
      .start()
      .then(
        () => {
          if (isAlive()) this.#cache = cache;
        },
        // Whoever can't start is started again.
        () => this.time.after(1000, () => isAlive() && this.#begin()),
      )
      .catch((problem: unknown) => this.#problems.push(problem));
  }

  async #remove(name: string, alive: (work: Promise<void>) => Promise<void>): Promise<void> {
    if (!this.#leaving.has(name)) this.#checkGoing(name);
    this.#leaving.add(name);
    await alive(this.#pass(1, 300));
    if (this.chance.percent(this.#scenario.failedPercent)) {
      this.counts.stuck += 1;
      // Half of them were done all the same.
      if (this.chance.percent(50)) this.#gone(name);
      throw new SystemError('launcher-unavailable', 'simulated');
    }
    if (!this.#store.has(name)) throw new SystemError('sandbox-failed', 'ENOENT');
    this.#gone(name);
  }

  #gone(name: string): void {
    this.#store.delete(name);
    this.#leaving.delete(name);
    this.#discarded.delete(name);
  }

  #checkGoing(name: string): void {
    try {
      for (const { stored } of this.#holds) assert.ok(!stored.has(name), `${name} goes while somebody uses it`);
      assert.ok(!this.#pins.has(name) || this.#discarded.has(name), `${name} goes while it is pinned`);
    } catch (problem) {
      // The cache would take it for a failure of the store.
      this.#problems.push(problem);
    }
  }

  #use(number: number): void {
    const [cache, life, environment] = [this.#cache, this.#life, this.#environments[number]];
    this.counts.users += 1;
    if (cache === null || environment === undefined) {
      this.counts.failed += 1;
      return;
    }
    const { references, tenantId, names } = environment;
    this.#want(names, 1);
    this.#waiting += 1;
    const answered = (what: 'served' | 'failed') => {
      this.#waiting -= 1;
      this.counts[what] += 1;
    };
    cache.acquire(references, tenantId).then(
      ({ release }) => {
        if (life !== this.#life) return;
        answered('served');
        const hold = { release, stored: new Map(names.map((name) => [name, this.#store.get(name)])) };
        this.#holds.add(hold);
        this.time.after(this.chance.gap(this.#scenario.holdMs), () => this.#letGo(hold, names));
      },
      (error: unknown) => {
        if (life !== this.#life) return;
        if (!(error instanceof SystemError) || error.code === 'internal') this.#problems.push(error);
        answered('failed');
        this.#want(names, -1);
      },
    );
  }

  #letGo(hold: Hold, names: readonly string[]): void {
    if (!this.#holds.delete(hold)) return;
    this.#want(names, -1);
    hold.release();
  }

  #want(names: readonly string[], change: 1 | -1): void {
    for (const name of names) this.#wanted.set(name, (this.#wanted.get(name) ?? 0) + change);
  }

  /** What was pinned and is not to be any more may go at once. */
  #pin(): void {
    if (this.#cache === null) return;
    const pinned = this.#digests.filter(() => this.chance.percent(10));
    const pins = new Set(pinned.map(layerName));
    this.#pins = new Set([...this.#pins].filter((name) => pins.has(name)));
    const life = this.#life;
    this.#cache.pinExactly(pinned).then(
      () => {
        if (life === this.#life) this.#pins = pins;
      },
      (problem: unknown) => this.#problems.push(problem),
    );
  }

  #damage(): void {
    const held = this.#cache?.held() ?? [];
    if (held.length === 0) return;
    const digest = this.chance.of(held) as Digest;
    this.counts.damaged += 1;
    this.#discarded.add(layerName(digest));
    this.#cache?.discard(digest);
  }

  /** Everything that it knew is gone but what the index says. */
  #die(): void {
    this.counts.deaths += 1;
    this.counts.evictions += this.#cache?.gauges().evictions ?? 0;
    this.counts.failed += this.#waiting;
    this.#waiting = 0;
    for (const books of [this.#holds, this.#wanted, this.#leaving, this.#discarded]) books.clear();
    // Pins of what had not come yet are told again by whoever pins.
    const pinned = this.#indexed().flatMap(({ digest, isPinned }) => (isPinned ? [layerName(digest)] : []));
    this.#pins = new Set(pinned.filter((name) => this.#store.has(name)));
    this.#begin();
  }

  #indexed(): { readonly digest: Digest; readonly isPinned: boolean }[] {
    return this.#index === null ? [] : JSON.parse(this.#index).layers;
  }

  /** See the head of this file. */
  #check(): void {
    for (const { stored } of this.#holds) {
      for (const [name, layer] of stored) {
        assert.ok(layer !== undefined && this.#store.get(name) === layer, `${name} is used and is not what it was`);
      }
    }
    if (this.#cache === null) return;
    const named = new Set(this.#indexed().map(({ digest }) => layerName(digest)));
    let [bytes, keptBytes] = [0, 0];
    for (const [name, layer] of this.#store) {
      if (this.#leaving.has(name)) continue;
      assert.ok(named.has(name) || this.#discarded.has(name), `${name} is in the store, and a crash would lose it`);
      bytes += layer.bytes;
      if ((this.#wanted.get(name) ?? 0) > 0 || this.#pins.has(name)) keptBytes += layer.bytes;
    }
    const most = Math.max(this.#bytesMax, keptBytes);
    assert.ok(bytes <= most, `${bytes} bytes are kept, ${keptBytes} of them must be, ${this.#bytesMax} may be`);
  }

  #mayFail(code: ErrorCode): void {
    if (this.chance.percent(this.#scenario.failedPercent)) throw new SystemError(code, 'simulated');
  }

  #pass(leastMs: number, mostMs: number): Promise<void> {
    return new Promise((resolve) => this.time.after(this.chance.between(leastMs, mostMs), resolve));
  }
}
