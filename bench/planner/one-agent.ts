/**
 * Owns holding the fleet's simulator against one real agent: it is asked exactly what the agent will be asked, the same arrivals and programs, and
 * says its p99 before the agent shows its own. Never fits anything, and never looks at what was measured.
 * That both get one trace leaves what is wrong with the model, without the chance of two samples; Law, "Simulation Modeling and Analysis", 5.6.1.
 */
import { percentile } from '../statistics/quantiles.ts';
import { toSignedPercent } from '../wording.ts';
import { scheduleOf } from './arrivals.ts';
import { loopback, predictFleet } from './fleet.ts';
import type { Mix } from './mix.ts';
import { durationOf, type Measuring, measureProbe, type ProbeLength } from './probe.ts';
import type { Model } from './queueing-model.ts';

/** One rate, and both p99. */
export interface SimulatedProbe {
  readonly ratePerSecond: number;
  /** Of the knee that was predicted. */
  readonly shareOfKnee: number;
  readonly simulatedP99Ms: number;
  readonly measuredP99Ms: number;
  /** Of the simulated one, relative to the measured one. */
  readonly errorShare: number;
  readonly samples: number;
}

/** Longer than the probes of a search: a p99 of 900 answers is that of nine. */
export const steadyProbeLength: ProbeLength = { samples: 4000, msMin: 30_000, msMax: 90_000 };
export const quickSteadyProbeLength: ProbeLength = { samples: 100, msMin: 2000, msMax: 4000 };

/** Nearer to the knee a queue of a finite time says little of either. */
const SHARES_OF_KNEE = [0.5, 0.7, 0.85] as const;
/** Arrivals and programs are one; delays are drawn. */
const DRAWS = 5;

/** What the simulator says of one agent on the machine of its coordinator. */
function simulate(model: Model, mix: Mix, ratePerSecond: number, durationMs: number, seed: string): number {
  const shape = { machines: 1, coordinators: 1, networkMs: loopback };
  const schedule = scheduleOf(mix, ratePerSecond, durationMs, seed);
  const all = Array.from({ length: DRAWS }, (_, draw) => predictFleet(model, shape, schedule, `${seed} ${draw}`).p99Ms);
  return percentile(all, 0.5);
}

/** Simulates and then measures each rate; fewer when it is cut short. */
export async function holdSimulator(
  measuring: Measuring,
  mix: Mix,
  model: Model,
  kneePerSecond: number,
  length: ProbeLength,
  seed: string,
): Promise<SimulatedProbe[]> {
  const found: SimulatedProbe[] = [];
  for (const shareOfKnee of SHARES_OF_KNEE) {
    if (measuring.signal?.aborted === true) break;
    const ratePerSecond = kneePerSecond * shareOfKnee;
    const which = `${seed} ${mix.name} one agent ${shareOfKnee}`;
    const simulatedP99Ms = simulate(model, mix, ratePerSecond, durationOf(length, ratePerSecond), which);
    const probe = await measureProbe(measuring, mix, ratePerSecond, length, which);
    if (probe === null) break;
    const { p99Ms: measuredP99Ms, samples } = probe;
    const errorShare = (simulatedP99Ms - measuredP99Ms) / measuredP99Ms;
    found.push({ ratePerSecond, shareOfKnee, simulatedP99Ms, measuredP99Ms, errorShare, samples });
  }
  return found;
}

/** One line about a rate. */
export function toSimulatedText(probe: SimulatedProbe): string {
  const { ratePerSecond, shareOfKnee, simulatedP99Ms, measuredP99Ms, errorShare } = probe;
  return `  one agent at ${ratePerSecond.toFixed(1)}/s (${(shareOfKnee * 100).toFixed(0)} % of the predicted knee): p99 simulated ${simulatedP99Ms.toFixed(0)} ms, measured ${measuredP99Ms.toFixed(0)} ms (${toSignedPercent(errorShare)})`;
}
