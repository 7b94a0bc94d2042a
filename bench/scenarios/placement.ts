/**
 * Question: how often does placement find an agent that has the layers, how often none, and how many placements does one thread make a second?
 * Simulated time over the real placement and index: Poisson arrivals at half of the fleet's capacity, keys by Zipf's law, exponential durations
 * of a second, three seconds for fetching a layer that is not there, 40 layers kept on each agent. The rival is power of two choices alone,
 * over the same arrivals. Whoever is not placed at once is counted as rejected. What placing takes is the difference to a run whose choices are given.
 */
import { createHash } from 'node:crypto';
import type { Candidate, Constraints } from '../../coordinator/scheduler/candidate.ts';
import { FleetIndex } from '../../coordinator/scheduler/fleet-index.ts';
import { type Heaped, IndexedHeap } from '../../coordinator/scheduler/indexed-heap.ts';
import { place } from '../../coordinator/scheduler/placement.ts';
import type { AgentId } from '../../shared/ids.ts';
import type { FreeScenario, ScenarioResult } from '../scenario.ts';
import { type Summary, summarise } from '../statistics/quantiles.ts';
import { toFigure } from '../wording.ts';

const SLOTS = 16;
const KEPT_LAYERS = 40;
const FETCH_S = 3;
const LOAD = 0.5;
const ARRIVALS = 1_000_000;
const QUICK_ARRIVALS = 50_000;
const WARM_MIN = 0.999;
const PER_SECOND_MIN = 500_000;
const ROUNDS_MAX = 5;
const HOW =
  'A placement is the run less the same run with its choices given: what takes less than a microsecond can not be timed by itself, neither by a clock, which takes as long, nor on a machine with neighbours. Fetching the chosen agent into the processor is in both runs, since whoever gets an execution is changed by it; the last row has all of it, with what a fleet of simulated time needs besides.';

const anywhere: Constraints = { key: 'any', architecture: 'x86_64', pool: null, labels: {}, exclusiveCore: false };
const nobody: ReadonlySet<AgentId> = new Set();

class SimulatedAgent implements Candidate {
  readonly id: AgentId;
  readonly number: number;
  readonly architecture = 'x86_64';
  readonly pool = 'default';
  readonly labels = {};
  readonly exclusiveCores = false;
  readonly freeMemoryBytes = 1;
  readonly diskBytes = 1;
  readonly layers = new Set<string>();
  busy = 0;

  constructor(number: number) {
    this.id = `agent_${number}`;
    this.number = number;
  }

  get freeSlots(): number {
    return SLOTS - this.busy;
  }

  get load(): number {
    return this.busy / SLOTS;
  }
}

/** One execution that is under way. */
interface Run extends Heaped {
  readonly endS: number;
  readonly agent: SimulatedAgent;
}

type Choose = (
  index: FleetIndex<SimulatedAgent>,
  agents: readonly SimulatedAgent[],
  layers: string[],
  nowMs: number,
) => SimulatedAgent | null;

/** What a run came to. */
interface Outcome {
  readonly warm: number;
  readonly rejected: number;
  /** Of everything, for one arrival: what arrives and ends, the index, the choice. */
  readonly cpuMicroseconds: number;
  readonly wallMicroseconds: number;
  /** Who was chosen, by number; -1: nobody. */
  readonly choices: Int32Array;
}

/** One run over a fleet; shares of the second half, when layers have found their places. */
function simulate(agentCount: number, keys: number, choose: Choose, seed: string, arrivals: number): Outcome {
  const random = toRandom(seed);
  const agents = Array.from({ length: agentCount }, (_, number) => new SimulatedAgent(number));
  const index = new FleetIndex<SimulatedAgent>();
  for (const agent of agents) index.add(agent);
  const layersOf = Array.from({ length: keys }, (_, key) => [`layer-${key}`]);
  const sums = new Float64Array(keys);
  for (let key = 0; key < keys; key += 1) sums[key] = (sums[key - 1] ?? 0) + 1 / (key + 1);
  const drawKey = () => {
    const wanted = random.next() * (sums[keys - 1] as number);
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const drawGap = (mean: number) => -Math.log(1 - random.next()) * mean;
  const runs = new IndexedHeap<Run>((a, b) => a.endS < b.endS);
  const rate = LOAD * agentCount * SLOTS;
  const counts = { warm: 0, cold: 0, rejected: 0 };
  const choices = new Int32Array(arrivals);
  const [fromMs, used] = [performance.now(), process.cpuUsage()];
  let now = 0;
  for (let arrival = 0; arrival < arrivals; arrival += 1) {
    now += drawGap(1 / rate);
    for (let run = runs.first(); run !== undefined && run.endS <= now; run = runs.first()) {
      runs.remove(run);
      run.agent.busy -= 1;
      index.changed(run.agent);
    }
    const layers = layersOf[drawKey()] as string[];
    const agent = choose(index, agents, layers, now * 1000);
    choices[arrival] = agent?.number ?? -1;
    const isCounted = arrival > arrivals / 2;
    if (agent === null) {
      if (isCounted) counts.rejected += 1;
      continue;
    }
    const [layer] = layers as [string];
    const isWarm = agent.layers.delete(layer);
    agent.layers.add(layer);
    if (!isWarm) {
      index.held(agent, layer);
      const [oldest] = agent.layers;
      if (agent.layers.size > KEPT_LAYERS && oldest !== undefined) {
        agent.layers.delete(oldest);
        index.dropped(agent, oldest);
      }
    }
    if (isCounted) counts[isWarm ? 'warm' : 'cold'] += 1;
    agent.busy += 1;
    index.changed(agent);
    runs.place({ endS: now + (isWarm ? 0 : FETCH_S) + drawGap(1), agent, heapIndex: -1 });
  }
  const placed = counts.warm + counts.cold;
  const { user, system } = process.cpuUsage(used);
  return {
    warm: counts.warm / placed,
    rejected: counts.rejected / (placed + counts.rejected),
    cpuMicroseconds: (user + system) / arrivals,
    wallMicroseconds: ((performance.now() - fromMs) * 1000) / arrivals,
    choices,
  };
}

/** The same run with the same choices, which nobody has to make any more. */
function replay(agentCount: number, keys: number, choices: Int32Array, seed: string): Outcome {
  let arrival = 0;
  const choose: Choose = (_index, agents) => agents[choices[arrival++] as number] ?? null;
  return simulate(agentCount, keys, choose, seed, choices.length);
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

/** The scenario. */
export const placement: FreeScenario = {
  needs: 'nothing',
  name: 'placement',
  question: 'How often does placement find the layers, and how many placements does a thread make a second?',
  async run({ rounds, isQuick }): Promise<ScenarioResult> {
    const arrivals = isQuick ? QUICK_ARRIVALS : ARRIVALS;
    const ours: Choose = (index, _agents, layers, nowMs) =>
      place({ constraints: anywhere, layers, memoryBytes: 1, diskBytes: 1 }, index, {
        random,
        nowMs,
        excluded: nobody,
        isPatient: false,
        isDelayed: false,
      }).agent;
    const twoChoices: Choose = (_index, agents) => {
      const [one, other] = [0, 0].map(() => agents[Math.floor(random.next() * agents.length)] as SimulatedAgent);
      const better = (one as SimulatedAgent).busy <= (other as SimulatedAgent).busy ? one : other;
      return better !== undefined && better.freeSlots > 0 ? better : null;
    };
    let random = toRandom('0');
    const took = { cpu: [] as number[], wall: [] as number[], all: [] as number[] };
    const notes: string[] = [HOW];
    let least = 1;
    let rejected = 0;
    const fleets = [
      [10_000, 3000],
      [20_000, 10_000],
      [10, 300],
    ] as const;
    for (const [agentCount, keys] of fleets) {
      for (let round = 0; round < (isQuick ? 1 : Math.min(ROUNDS_MAX, rounds)); round += 1) {
        const seed = `${agentCount} ${round}`;
        random = toRandom(`choice ${seed}`);
        const mine = simulate(agentCount, keys, ours, seed, arrivals);
        const chosen = replay(agentCount, keys, mine.choices, seed);
        const cpu = mine.cpuMicroseconds - chosen.cpuMicroseconds;
        random = toRandom(`choice ${seed}`);
        const rival = simulate(agentCount, keys, twoChoices, seed, arrivals);
        notes.push(
          `${agentCount} agents, ${keys} keys: warm ${percent(mine.warm)}, rejected ${percent(mine.rejected)}, ${cpu.toFixed(2)} µs a placement; two choices alone: warm ${percent(rival.warm)}, rejected ${percent(rival.rejected)}`,
        );
        if (agentCount !== 10_000) continue;
        took.cpu.push(cpu);
        took.wall.push(mine.wallMicroseconds - chosen.wallMicroseconds);
        took.all.push(mine.cpuMicroseconds);
        least = Math.min(least, mine.warm);
        rejected = Math.max(rejected, mine.rejected);
      }
    }
    const [cpu, wall, all] = [took.cpu, took.wall, took.all].map(summarise) as [Summary, Summary, Summary];
    const perSecond = 1e6 / cpu.p50;
    return {
      answer: `With 10,000 agents at half load ${percent(least)} of placements find their layers, and a thread makes ${toFigure(perSecond)} a second.`,
      unit: 'µs',
      rows: [
        { label: 'one placement, 10,000 agents, processor time', summary: cpu },
        { label: 'the same, by the clock', summary: wall },
        { label: 'everything for one arrival with it, processor time', summary: all },
      ],
      goals: [
        {
          promise: `≥ ${percent(WARM_MIN)} warm at half load, 10,000 agents, none rejected`,
          seen: `${percent(least)}, ${percent(rejected)} rejected`,
          isReached: least >= WARM_MIN && rejected === 0,
        },
        {
          promise: `≥ ${PER_SECOND_MIN} placements a second of one thread's processor time`,
          seen: perSecond.toFixed(0),
          isReached: perSecond >= PER_SECOND_MIN,
        },
      ],
      notes,
    };
  },
};

/** Chance that can be had again: xorshift32 over the digest of a text. */
function toRandom(seed: string): { next(): number } {
  let state = createHash('sha256').update(seed).digest().readUInt32LE() | 1;
  return {
    next: () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) / 0x1_0000_0000;
    },
  };
}
