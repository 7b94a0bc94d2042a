/**
 * Owns runs that never happened: rounds of ours and of a rival on a machine that drifts and hiccups, with a change that is known.
 * Never a model of one real machine; it is what the statistics' promised rates are measured on.
 * Invariant: a seed gives the same run for ever.
 */
import type { ComparedRun } from './comparison.ts';
import { Generator } from './generator.ts';

/** What such a run is like. Shares are of the logarithm, so 0.1 is about 10 %. */
export interface SimulatedWorld {
  readonly blocks: number;
  readonly roundsOfBlock: number;
  /** Scatter of single rounds, ours and the rival's: lognormal, so to the right. */
  readonly scatter: number;
  /** How far apart two whole runs lie for everybody. */
  readonly level: number;
  /** By how much at most everybody is slower at the end of the run than at its start, or faster. */
  readonly slope: number;
  /** How far a wave as long as the run moves everybody. */
  readonly wave: number;
  /** How far a random walk moves everybody, which forgets where it was within 200 rounds. */
  readonly walk: number;
  /** The share of rounds, ours and the rival's, that take three to ten times as long. */
  readonly spikes: number;
  /** By how much ours alone is slower. */
  readonly change: number;
  /** By how much ours alone becomes slower during the run. */
  readonly ramp: number;
}

/** 400 rounds as the suite has them; the scatter is that of its series with gaps on a quiet machine. */
export const usualWorld: SimulatedWorld = {
  blocks: 16,
  roundsOfBlock: 25,
  scatter: 0.08,
  level: 0.1,
  slope: 0.1,
  wave: 0.05,
  walk: 0,
  spikes: 0.01,
  change: 0,
  ramp: 0,
};

const WALK_KEPT = 0.995;
const [OURS_MS, RIVAL_MS] = [2.5, 5];

/** A number of the standard normal distribution (Box and Muller 1958). */
export function normal(generator: Generator): number {
  return Math.sqrt(-2 * Math.log(1 - generator.share())) * Math.cos(2 * Math.PI * generator.share());
}

/** A run with a rival, in milliseconds. */
export function simulatedRun(seed: number, world: SimulatedWorld): Required<ComparedRun> {
  const generator = new Generator(seed);
  const rounds = 2 * world.blocks * world.roundsOfBlock;
  const level = world.level * normal(generator);
  const slope = world.slope * (2 * generator.share() - 1);
  const phase = generator.share();
  let [walk, done] = [world.walk * normal(generator), 0];
  const round = (typical: number, own: number): number => {
    const time = done++ / rounds;
    if (world.walk > 0) walk = WALK_KEPT * walk + Math.sqrt(1 - WALK_KEPT ** 2) * world.walk * normal(generator);
    const machine = level + slope * time + world.wave * Math.sin(2 * Math.PI * (phase + time)) + walk;
    const spike = generator.share() < world.spikes ? 3 + 7 * generator.share() : 1;
    return typical * spike * Math.exp(machine + own + world.scatter * normal(generator));
  };
  const [ours, rival]: [number[][], number[][]] = [[], []];
  for (let block = 0; block < world.blocks; block++) {
    const own = () => world.change + (world.ramp * done) / rounds;
    ours.push(Array.from({ length: world.roundsOfBlock }, () => round(OURS_MS, own())));
    rival.push(Array.from({ length: world.roundsOfBlock }, () => round(RIVAL_MS, 0)));
  }
  return { ours, rival };
}
