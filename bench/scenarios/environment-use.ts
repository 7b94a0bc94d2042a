/**
 * Question: what does the first use of an environment on an agent cost, the next ones, and one after it had to go; how long does it take to be rid of it?
 * Environments of one script that writes 50 MiB (quick: 16) that no compression makes smaller: no registry is in the figures. Built beforehand, so that a first use is
 * pull, check, install and attach; an agent that has room for the base and one of them, so that each environment's first use evicts the one before it.
 * Then an operator revokes it: from the request until nothing of it is left at the agent, and purges it from the store.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { PrivateInstance } from '../../ops/local/private-instance.ts';
import type { Environment } from '../../shared/model/environment.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { Submitter } from '../load/submitter.ts';
import { type InstanceScenario, onlyOurOwn, type ScenarioResult, type ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';

const MEBIBYTE = 1024 * 1024;
/** Room beside the base, in contents: for one, and not for two. */
const ROOM = 1.5;
const WARM_USES = 10;
const BUILD_MS_MAX = 300_000;
const GONE_MS_MAX = 60_000;

interface CachedLayer {
  readonly digest: string;
  readonly tarBytes: number;
}

/** What a use took the client, and of it what the agent said of layers and sandboxes. */
interface Use {
  readonly ms: number;
  readonly fetchMs: number;
  readonly prepareMs: number;
  /** The environment's own layer. */
  readonly digest: string;
  readonly origin: string;
}

interface Extent {
  readonly rounds: number;
  /** What the script of an environment writes. */
  readonly mebibytes: number;
}

const script = (mebibytes: number) =>
  `# ${randomUUID()}\nhead -c ${mebibytes * MEBIBYTE} /dev/urandom > /environment/content`;

async function use(client: Submitter, environment: string | object): Promise<Use> {
  const from = performance.now();
  const { status, execution } = await client.submit({
    environment: environment as string,
    run: { script: 'true' },
  });
  const ms = performance.now() - from;
  if (execution?.verdict !== 'ok') throw new Error(`${status}: ${JSON.stringify(execution).slice(0, 1000)}`);
  const layer = (execution.environment as NonNullable<Execution['environment']>).layers.at(-1);
  const { fetchMs, prepareMs } = execution.timing;
  return { ms, fetchMs, prepareMs, digest: layer?.digest ?? '', origin: layer?.origin ?? '' };
}

/** Declares it and waits until it is built; its id and the milliseconds. */
async function build(client: Submitter, setup: string): Promise<{ readonly id: string; readonly ms: number }> {
  const from = performance.now();
  const { id } = await client.ask<Environment>('POST', '/v1/environments', { setup });
  while (performance.now() - from < BUILD_MS_MAX) {
    const { state } = await client.ask<Environment>('GET', `/v1/environments/${id}`);
    if (state === 'ready') return { id, ms: performance.now() - from };
    if (state === 'failed') throw new Error('an environment could not be built');
    await pause(10);
  }
  throw new Error(`an environment was not built within ${BUILD_MS_MAX} ms`);
}

/** Is anything of a layer at the agent, as an image or as a tree, in use or waiting to be removed? */
function isAtAgent(instance: PrivateInstance, digest: string): boolean {
  const store = join(instance.stateDirectory, 'agent-layers');
  const name = digest.replace(':', '-');
  return ['', ...readdirSync(store)].some((folder) => existsSync(join(store, folder, name)));
}

async function gone(instance: PrivateInstance, digest: string): Promise<void> {
  const until = performance.now() + GONE_MS_MAX;
  while (isAtAgent(instance, digest) || readdirSync(join(instance.stateDirectory, 'agent-layers/trash')).length > 0) {
    if (performance.now() > until) throw new Error(`a layer is still at the agent after ${GONE_MS_MAX} ms`);
    await pause(1);
  }
}

class Series {
  readonly built: number[] = [];
  readonly first: Use[] = [];
  readonly base: Use[] = [];
  readonly warm: Use[] = [];
  readonly again: Use[] = [];
  readonly evicted: number[] = [];
  readonly purged: number[] = [];
}

/** One environment's life on the agent; the other one, whose use evicts it, is there already and may go when it does. */
async function round(instance: PrivateInstance, client: Submitter, ids: readonly string[], series: Series) {
  const [id = '', other = ''] = ids;
  const first = await use(client, id);
  if (first.origin === 'local') throw new Error('the agent had an environment that nobody had used on it');
  series.first.push(first);
  for (let count = 0; count < WARM_USES; count += 1) {
    series.base.push(await use(client, {}));
    series.warm.push(await use(client, id));
  }
  await use(client, other);
  await gone(instance, first.digest);
  series.again.push(await use(client, id));
  const from = performance.now();
  await client.ask('POST', '/v1/cache/revoke', { layers: [first.digest], reason: 'measured' });
  await gone(instance, first.digest);
  series.evicted.push(performance.now() - from);
  const purging = performance.now();
  await client.ask('POST', '/v1/cache/purge', { digests: [first.digest] });
  series.purged.push(performance.now() - purging);
}

async function measure(instance: PrivateInstance, client: Submitter, { rounds, mebibytes }: Extent): Promise<Series> {
  const series = new Series();
  const { digest } = await use(client, {});
  const { items } = await client.ask<{ items: readonly CachedLayer[] }>('GET', '/v1/cache?limit=100');
  const base = items.find((layer) => layer.digest === digest)?.tarBytes ?? 0;
  const other = await build(client, script(mebibytes));
  const bytesMax = base + ROOM * mebibytes * MEBIBYTE;
  await instance.restart({ ENVICUTOR_AGENT_LAYER_BYTES_MAX: String(bytesMax) });
  try {
    await use(client, {});
    for (let count = 0; count < rounds; count += 1) {
      const { id, ms } = await build(client, script(mebibytes));
      series.built.push(ms);
      await round(instance, client, [id, other.id], series);
    }
  } finally {
    await instance.restart();
  }
  return series;
}

function toResult(series: Series, mebibytes: number): ScenarioResult {
  const of = (uses: readonly Use[], member: 'ms' | 'fetchMs' | 'prepareMs') =>
    summarise(uses.map((each) => each[member]));
  const [warm, base] = [of(series.warm, 'ms'), of(series.base, 'ms')];
  const [first, again] = [of(series.first, 'ms'), of(series.again, 'ms')];
  const labels = {
    base: 'the base alone, warm',
    warm: 'second and later uses',
    first: 'first use on an agent',
    again: 'use after it was evicted',
  };
  const rows: ScenarioRow[] = [
    { label: labels.base, summary: base },
    { label: labels.warm, summary: warm, against: base },
    { label: labels.first, summary: first, against: warm },
    { label: labels.again, summary: again, against: warm },
    { label: 'first use: pull, check, install', summary: of(series.first, 'fetchMs') },
    { label: 'first use: attach', summary: of(series.first, 'prepareMs') },
    { label: 'second use: layers found', summary: of(series.warm, 'fetchMs') },
    { label: 'second use: attach', summary: of(series.warm, 'prepareMs') },
    { label: 'revoked until it is gone from the agent', summary: summarise(series.evicted) },
    { label: 'purged from the store', summary: summarise(series.purged) },
    { label: 'built, before any use', summary: summarise(series.built) },
  ];
  const perMebibyte = of(series.first, 'fetchMs').p50 / mebibytes;
  return {
    answer: `The first use of an environment of ${mebibytes} MiB takes ${toDuration(first.p50)}, the next ${toDuration(warm.p50)}, one after it was evicted ${toDuration(again.p50)}; to be rid of it takes ${toDuration(summarise(series.evicted).p50)}.`,
    rows,
    plots: [
      { kind: 'bars', title: 'One use of an environment', rows: Object.values(labels) },
      {
        kind: 'split',
        title: 'What the agent spends on layers and sandbox',
        bars: [
          {
            label: 'first use',
            parts: [
              { label: 'pull, check, install', row: 'first use: pull, check, install' },
              { label: 'attach', row: 'first use: attach' },
            ],
          },
          {
            label: 'second use',
            parts: [
              { label: 'layers found', row: 'second use: layers found' },
              { label: 'attach', row: 'second use: attach' },
            ],
          },
        ],
      },
    ],
    notes: [
      `Times from request to answer, of a program that does nothing; the agent pulls from this instance's own store on this machine: ${toFigure(perMebibyte)} ms for each MiB.`,
      'Attach: files written and sandbox prepared, as the execution itself says; the mount of a layer that has just arrived is in its installation.',
    ],
  };
}

/** The scenario; only for an instance of our own. */
export const environmentUse: InstanceScenario = {
  needs: 'instance',
  name: 'environment-use',
  question: 'What does the first use of an environment on an agent cost, the next one, and one after it was evicted?',
  async run({ instance, url }, { isQuick }): Promise<ScenarioResult> {
    if (instance === null) return onlyOurOwn;
    const client = new Submitter(url);
    try {
      const extent = isQuick ? { rounds: 1, mebibytes: 16 } : { rounds: 10, mebibytes: 50 };
      return toResult(await measure(instance, client, extent), extent.mebibytes);
    } finally {
      await client.close();
    }
  },
};
