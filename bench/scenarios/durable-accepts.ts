/**
 * Question: how many executions per second are accepted durably, on SQLite and on PostgreSQL, next to one commit for each?
 * Ours and the rival write the same rows into the same engine, the same number of callers waiting; windows interleaved. PostgreSQL is a server of its
 * own on this machine with Debian's configuration, so it shares the processors with those who ask.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPostgresStateStore } from '../../coordinator/executions/postgres-state-store.ts';
import { SHARDS, type ShardLease, shardOf } from '../../coordinator/executions/shard-store.ts';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import type { AcceptedExecution, StateStore } from '../../coordinator/executions/state-store.ts';
import { startPostgresServer } from '../../ops/postgres/private-postgres.ts';
import { perSecond, windowsFor } from '../load/windows.ts';
import { CONNECTIONS, type InsertEach, insertEachIntoPostgres, insertEachIntoSqlite } from '../peers/insert-each.ts';
import type { Goal } from '../recording/recording.ts';
import type { FreeScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { summarise } from '../statistics/quantiles.ts';

const CALLERS = [1, 32, 256] as const;
const MOST_CALLERS = 256;
const TENANTS = 100;
const BATCH_SIZE = 1000;
interface Engine {
  readonly name: string;
  readonly store: StateStore;
  readonly rival: InsertEach;
  readonly rivalName: string;
  readonly perSecondMin: number;
}

let count = 0;

/** A request of about 600 bytes, with an answer of as many, of one tenant among a hundred. */
function nextEntry(): AcceptedExecution {
  count += 1;
  const run = { script: `python3 main.py # ${'x'.repeat(500)}` };
  const answer = { id: `exec_${String(count).padStart(16, '0')}`, stage: 'queued', limits: 'y'.repeat(500) };
  return {
    tenantId: `tenant-${count % TENANTS}`,
    answer: answer as unknown as AcceptedExecution['answer'],
    request: { environment: 'env_00000000', run },
    idempotency: null,
  };
}

/** What accepts one more. */
async function accepting({ store }: Engine): Promise<() => Promise<unknown>> {
  const { held } = await store.shards.beat({ id: 'bench', url: 'http://bench.example' }, 600_000, []);
  const leases: (ShardLease | undefined)[] = new Array(SHARDS);
  for (const lease of held) leases[lease.shard] = lease;
  return () => {
    const entry = nextEntry();
    return store.executions.accept(entry, leases[shardOf(entry.tenantId)] as ShardLease);
  };
}

/** What accepts a batch of one tenant, in one write. */
async function acceptingBatches({ store }: Engine, size: number): Promise<() => Promise<unknown>> {
  const { held } = await store.shards.beat({ id: 'bench', url: 'http://bench.example' }, 600_000, []);
  return () => {
    const entries = Array.from({ length: size }, nextEntry);
    const tenantId = entries[0]?.tenantId ?? '';
    const lease = held.find(({ shard }) => shard === shardOf(tenantId)) as ShardLease;
    return store.executions.acceptAll({ tenantId, executions: entries, idempotency: null }, lease);
  };
}

/** Executions a second, by batches of a thousand that one caller sends one after the other. */
async function measureBatches(engine: Engine, rounds: number): Promise<ScenarioRow[]> {
  const { windows, windowMs } = windowsFor(rounds);
  const [one, batch] = [await accepting(engine), await acceptingBatches(engine, BATCH_SIZE)];
  const [singly, together]: [number[], number[]] = [[], []];
  for (let window = 0; window < windows; window += 1) {
    singly.push(await perSecond(1, windowMs, one));
    together.push(BATCH_SIZE * (await perSecond(1, windowMs, batch)));
  }
  const [their, our] = [summarise(singly), summarise(together)];
  return [
    { label: `envicutor on ${engine.name}, one after the other, 1 caller`, summary: their },
    { label: `envicutor on ${engine.name}, batches of ${BATCH_SIZE}, 1 caller`, summary: our, against: their },
  ];
}

const toCallers = (count: number) => (count === 1 ? '1 caller' : `${count} callers`);

async function measure(engine: Engine, rounds: number): Promise<Required<Pick<ScenarioResult, 'rows' | 'goals'>>> {
  const accept = await accepting(engine);
  const insert = () => engine.rival.insert(nextEntry());
  const { windows, windowMs } = windowsFor(rounds);
  const rows: ScenarioRow[] = [];
  const goals: Goal[] = [];
  for (const round of [insert, accept]) await perSecond(MOST_CALLERS, 500, round);
  for (const callers of CALLERS) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let window = 0; window < windows; window += 1) {
      theirs.push(await perSecond(callers, windowMs, insert));
      ours.push(await perSecond(callers, windowMs, accept));
    }
    const [our, their] = [summarise(ours), summarise(theirs)];
    const who = toCallers(callers);
    rows.push({ label: `${engine.rivalName}, ${who}`, summary: their });
    rows.push({ label: `envicutor on ${engine.name}, ${who}`, summary: our, against: their });
    if (callers !== MOST_CALLERS) continue;
    goals.push({
      promise: `≥ ${engine.perSecondMin} durable accepts a second on ${engine.name}, ${callers} callers`,
      seen: `${our.p50.toFixed(0)}/s (${(our.p50 / their.p50).toFixed(2)} × ${engine.rivalName})`,
      isReached: our.p50 >= engine.perSecondMin,
    });
  }
  rows.push(...(await measureBatches(engine, rounds)));
  return { rows, goals };
}

/** The scenario; needs the package postgresql. */
export const durableAccepts: FreeScenario = {
  name: 'durable-accepts',
  needs: 'nothing',
  question: 'How many executions per second are accepted durably, next to one commit for each?',
  async run({ rounds }): Promise<ScenarioResult> {
    const server = await startPostgresServer();
    const folder = await mkdtemp(join(tmpdir(), 'envicutor-accepts-'));
    const engines: readonly Engine[] = [
      {
        name: 'SQLite',
        store: openSqliteStateStore(join(folder, 'state.sqlite')),
        rival: insertEachIntoSqlite(join(folder, 'rival.sqlite')),
        rivalName: 'SQLite, one commit each',
        perSecondMin: 10_000,
      },
      {
        name: 'PostgreSQL',
        store: await openPostgresStateStore({ url: server.url }),
        rival: await insertEachIntoPostgres(await server.createDatabase('rival')),
        rivalName: `PostgreSQL, one commit each on ${CONNECTIONS} connections`,
        perSecondMin: 5000,
      },
    ];
    try {
      const answers = [];
      for (const engine of engines) answers.push(await measure(engine, rounds));
      const goals = answers.flatMap((answer) => answer.goals);
      return {
        answer: `With ${MOST_CALLERS} callers waiting: ${goals.map(({ seen }, index) => `${engines[index]?.name} accepts ${seen}`).join(', ')}.`,
        plots: engines.map(({ name, rivalName }) => ({
          kind: 'curve' as const,
          title: `Durable accepts a second on ${name}`,
          x: 'callers',
          lines: [`envicutor on ${name}`, rivalName].map((label) => ({
            label,
            points: CALLERS.map((callers) => ({ x: callers, row: `${label}, ${toCallers(callers)}` })),
          })),
        })),
        unit: 'accepts/s',
        rows: answers.flatMap(({ rows }) => rows),
        goals,
        notes: [
          'A sample is one window; × is the p50 as a multiple of the rival above it.',
          'The rivals check no lease and no key; a row is about 1200 bytes.',
          'A batch is of one tenant and in one write; its figure is of executions, not of batches.',
        ],
      };
    } finally {
      for (const { store, rival } of engines) await Promise.all([store.close(), rival.stop()]);
      await rm(folder, { recursive: true });
      await server.stop();
    }
  },
};
