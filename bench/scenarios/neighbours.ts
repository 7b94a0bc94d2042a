/**
 * Question: how much longer does a program take, above all in the tail, while others on the same agent are busy or hostile?
 * The victim is a warm `true` and a spin of 20 ms over HTTP; the neighbours have all slots but one and run bounded programs under ordinary limits through
 * the same API, again as soon as one ends, asked for by another process than the one with the clock. Kinds of neighbours take turns in blocks. Beside it
 * the same victims by Node's spawn with the same program beside them, without a sandbox: only for what is merely busy, never for a bomb.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { NeighbourLanes } from '../peers/neighbour-lanes.ts';
import type { Plot } from '../recording/recording.ts';
import type { InstanceScenario, ScenarioResult, ScenarioRow } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toDuration, toFigure } from '../wording.ts';
import { compiledProgram } from '../workloads/compiled-program.ts';
import { InstanceProgram } from '../workloads/execute-program.ts';
import { executeTrue } from '../workloads/execute-true.ts';

const MiB = 1024 * 1024;
/** Between two victims: they come, they don't stand in line. */
const GAP_MS = 10;
/** How long victims are looked at beside each kind of neighbour. In `settleMs` what begins is under way, and what ended is tidied up. */
interface Shape {
  readonly rounds: number;
  readonly blockRounds: number;
  readonly settleMs: number;
  readonly neighbourMs: number;
}
const quick: Shape = { rounds: 2, blockRounds: 2, settleMs: 50, neighbourMs: 150 };
const whole = (rounds: number): Shape => ({
  rounds: Math.ceil(rounds / 2),
  blockRounds: 20,
  settleMs: 150,
  neighbourMs: 600,
});
const SPIN_MS = 20;

/** Neighbours by what they are; `mode` is neighbour.c's word, null: nobody is there. */
interface Kind {
  readonly name: string;
  readonly mode: string | null;
  readonly isMerelyBusy: boolean;
  /** Where it is not the default. */
  readonly outputBytes?: number;
}

const NOBODY = 'nobody';
const kinds: readonly Kind[] = [
  { name: NOBODY, mode: null, isMerelyBusy: true },
  { name: 'a busy program', mode: 'spin', isMerelyBusy: true },
  { name: 'eight busy threads', mode: 'threads', isMerelyBusy: true },
  { name: 'a cache thrasher', mode: 'cache', isMerelyBusy: false },
  { name: 'a fork bomb', mode: 'fork', isMerelyBusy: false },
  { name: 'a memory bomb', mode: 'memory', isMerelyBusy: false },
  { name: 'a disk filler', mode: 'disk', isMerelyBusy: false },
  { name: 'a maker of files', mode: 'files', isMerelyBusy: false },
  { name: 'an output flood', mode: 'output', isMerelyBusy: false },
  { name: 'an output flood of 16 MiB', mode: 'output', isMerelyBusy: false, outputBytes: 16 * MiB },
];
const limits = { memoryBytes: 256 * MiB };

/** Neighbours that go on until they are stopped. */
interface Neighbours {
  stop(): Promise<void>;
}

const noNeighbours: Neighbours = { stop: () => Promise.resolve() };

/** Somebody whose programs are victims, and beside whom neighbours can be put. */
interface Household {
  readonly name: string;
  readonly kinds: readonly Kind[];
  readonly victims: Readonly<Record<string, () => Promise<unknown>>>;
  neighbours(kind: Kind): Promise<Neighbours>;
}

/** Through the API; what neighbours ended by is counted in `ends`. */
async function toSandboxed(
  pool: Pool,
  there: NeighbourLanes,
  order: { readonly lanes: number; readonly wallTimeMs: number },
  ends: Map<string, number>,
): Promise<Household> {
  const spin = await InstanceProgram.send(pool, 'spin');
  const spinOnce = async () => {
    const { verdict } = await spin.execute([String(SPIN_MS * 1000), '1']);
    if (verdict !== 'ok') throw new Error(`a victim ended as ${verdict}`);
  };
  return {
    ...{ name: 'envicutor', kinds, victims: { true: () => executeTrue(pool), [`a spin of ${SPIN_MS} ms`]: spinOnce } },
    neighbours: async ({ name, mode, outputBytes }) => {
      if (mode === null) return noNeighbours;
      const { lanes, wallTimeMs } = order;
      const own = { ...limits, wallTimeMs, ...(outputBytes === undefined ? {} : { outputBytes }) };
      there.begin({ mode, lanes, limits: own });
      return {
        stop: async () => {
          for (const [verdict, count] of Object.entries(await there.end())) {
            const end = `${name}: ${verdict}`;
            ends.set(end, (ends.get(end) ?? 0) + count);
          }
        },
      };
    },
  };
}

function spawnProgram(program: string, parameters: readonly string[]): ChildProcess {
  return spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function spawnToEnd(program: string, ...parameters: readonly string[]): Promise<void> {
  const child = spawnProgram(program, parameters);
  child.stdout?.resume();
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}

/** Without any sandbox. */
function toBare(neighbours: number): Household {
  const spin = compiledProgram('programs/spin.c');
  return {
    name: "Node's spawn, no sandbox",
    kinds: kinds.filter(({ isMerelyBusy }) => isMerelyBusy),
    victims: {
      true: () => spawnToEnd('/bin/true'),
      [`a spin of ${SPIN_MS} ms`]: () => spawnToEnd(spin, String(SPIN_MS * 1000), '1'),
    },
    neighbours: async ({ mode, isMerelyBusy }) => {
      if (mode === null || !isMerelyBusy) return noNeighbours;
      const program = compiledProgram('programs/neighbour.c');
      const children = Array.from({ length: neighbours }, () => spawnProgram(program, [mode]));
      return {
        stop: async () => {
          await Promise.all(
            children.map(async (child) => {
              const ended = once(child, 'close');
              child.kill('SIGKILL');
              await ended;
            }),
          );
        },
      };
    },
  };
}

const labelOf = (household: string, victim: string, kind: string) => `${household}: ${victim} beside ${kind}`;

/** One block of a household's victims beside a kind of neighbours. */
async function measureBlock(
  household: Household,
  kind: Kind,
  { blockRounds, settleMs }: Shape,
  samples: Map<string, number[]>,
): Promise<void> {
  const neighbours = await household.neighbours(kind);
  try {
    await pause(settleMs);
    for (let round = 0; round < blockRounds; round++) {
      for (const [victim, run] of Object.entries(household.victims)) {
        await pause(GAP_MS);
        const from = performance.now();
        await run();
        const label = labelOf(household.name, victim, kind.name);
        samples.set(label, [...(samples.get(label) ?? []), performance.now() - from]);
      }
    }
  } finally {
    await neighbours.stop();
  }
  await pause(settleMs);
}

async function measure(households: readonly Household[], shape: Shape): Promise<ReadonlyMap<string, Summary>> {
  const samples = new Map<string, number[]>();
  for (let done = 0; done < shape.rounds; done += shape.blockRounds)
    for (const kind of kinds)
      for (const household of households)
        if (household.kinds.includes(kind)) await measureBlock(household, kind, shape, samples);
  return new Map([...samples].map(([label, each]) => [label, summarise(each)]));
}

/** Each beside what the same victim takes when nobody is there. */
function toRows(found: ReadonlyMap<string, Summary>): ScenarioRow[] {
  return [...found].map(([label, summary]) => {
    const alone = found.get(label.replace(/ beside .*/, ` beside ${NOBODY}`));
    return { label, summary, ...(alone === undefined || alone === summary ? {} : { against: alone }) };
  });
}

function toAnswer(rows: readonly ScenarioRow[], victims: readonly string[]): string {
  const said = victims.map((victim) => {
    const ours = rows.filter(({ label }) => label.startsWith(`envicutor: ${victim} beside`));
    const [alone, ...others] = ours;
    const worst = others.toSorted((a, b) => b.summary.p99 - a.summary.p99)[0];
    if (alone === undefined || worst === undefined) return '';
    const times = toFigure(worst.summary.p99 / alone.summary.p99);
    const neighbour = worst.label.replace(/.* beside /, '');
    return `${victim} takes ${toDuration(alone.summary.p50)} alone (p99 ${toDuration(alone.summary.p99)}) and at most ${toDuration(worst.summary.p99)} at p99, ${times} × that, beside ${neighbour}`;
  });
  return `${said.join('; ')}.`;
}

/** Slots of whoever runs programs there. */
async function slotsOf(pool: Pool): Promise<number> {
  const { body } = await pool.request({ method: 'GET', path: '/v1/agents' });
  const { items } = (await body.json()) as { items: { state: string; slots: { total: number } }[] };
  return items.reduce((sum, { state, slots }) => sum + (state === 'ready' ? slots.total : 0), 0);
}

/** The scenario. */
export const neighbours: InstanceScenario = {
  name: 'neighbours',
  needs: 'instance',
  question: 'How long does a program take while its neighbours are busy or hostile?',
  async run(target, options): Promise<ScenarioResult> {
    const pool = new Pool(target.url, { connections: 1, pipelining: 1 });
    const there = await NeighbourLanes.start(target.url);
    try {
      const ends = new Map<string, number>();
      const slots = await slotsOf(pool);
      if (slots < 2) return { answer: 'Left out: an agent with one slot has no neighbours.', rows: [] };
      const shape = options.isQuick ? quick : whole(options.rounds);
      const order = { lanes: slots - 1, wallTimeMs: shape.neighbourMs };
      const households = [await toSandboxed(pool, there, order, ends), toBare(slots - 1)];
      for (const { victims } of households)
        for (const run of Object.values(victims)) for (let round = 0; round < options.warmUp; round++) await run();
      const rows = toRows(await measure(households, shape));
      const victims = Object.keys(households[0]?.victims ?? {});
      const plots: Plot[] = victims.map((victim) => ({
        kind: 'distribution',
        title: `${victim[0]?.toUpperCase()}${victim.slice(1)} beside neighbours`,
        rows: rows.map(({ label }) => label).filter((label) => label.includes(`: ${victim} beside`)),
      }));
      return {
        answer: toAnswer(rows, victims),
        ...{ rows, plots },
        notes: [
          `${slots} slots: one for the victim, ${slots - 1} for neighbours of the same tenant, each ended after ${shape.neighbourMs} ms and begun again. × is the p50 as a multiple of the same victim beside nobody.`,
          `How neighbours ended: ${[...ends].map(([end, count]) => `${end} ${count} times`).join(', ')}.`,
        ],
      };
    } finally {
      await there.stop();
      await pool.close();
    }
  },
};
