/**
 * Owns turning a fitted model and a mix into a plan: machines for a rate with their margin, what saturates first, what one more of each thing would
 * buy, and whether that is inside what was validated. Pure but for the seed. Never measures and never prints.
 * Invariant: what lies outside the validated range is said beside the figure that it belongs to.
 */
import type { CostModel } from './cost-model.ts';
import { coordinatorsFor, type FleetSize, sizeFleet } from './fleet.ts';
import type { Mix } from './mix.ts';
import {
  errorOf,
  type KnownEnvironment,
  meanCpuOf,
  type PlannedMachine,
  type PredictedKnee,
  predictKnee,
  toModel,
} from './prediction.ts';
import type { Prediction } from './queueing-model.ts';

/** What one more of something would buy, for one machine. */
export interface WhatIf {
  readonly more: string;
  /** Submissions a minute more at the knee. */
  readonly perMinute: number;
  readonly percent: number;
  /** Why it buys nothing, where that is known beforehand; null: it was asked of the model. */
  readonly remark: string | null;
}

/** A plan; rates a minute, as operators have them. */
export interface Plan {
  readonly isComplete: boolean;
  readonly mix: string;
  readonly p99Ms: number;
  readonly ratePerMinute: number;
  readonly machine: PlannedMachine;
  readonly perMachine: {
    readonly perMinute: number;
    readonly low: number;
    readonly high: number;
    readonly floorP99Ms: number;
  };
  /** `low` to `high` is the fit's margin; whoever buys machines buys `high`. Null: more than can be planned for. */
  readonly machines: {
    readonly expected: number | null;
    readonly low: number | null;
    readonly high: number | null;
    readonly coordinators: number;
    readonly p99Ms: number | null;
  };
  readonly saturatesFirst: string;
  readonly busy: Readonly<Record<string, number>>;
  readonly costs: Readonly<Record<string, number>>;
  readonly whatIf: readonly WhatIf[];
  /** Where costs were measured. */
  readonly calibrated: {
    readonly cpuTimeMs: readonly [number, number];
    readonly perMinute: readonly [number, number];
    readonly cores: number;
  };
  /** Where predictions were held against measurements. */
  readonly validated: typeof VALIDATED;
  /** Each a sentence; empty: all of it is inside. */
  readonly outside: readonly string[];
}

/** What predicted knees were held against measured ones in, and how it came out: bench/results/planner.md. */
const VALIDATED = { cpuTimeMs: [7, 33], machines: 1, cores: 2 } as const;

const GIBIBYTE = 2 ** 30;
export const MACHINES_MAX = 2000;

const names: Readonly<Record<keyof Prediction['busy'], string>> = {
  cores: 'processors',
  slots: 'slots',
  coordinator: "the coordinator's thread",
  agent: "the agent's thread",
  memory: 'memory',
};

/** What is busiest at the knee; slots before processors when both are full, since a slot is what is waited for. */
export function saturatesFirst(busy: Prediction['busy'], missShareMax: number): string {
  const order = (Object.keys(names) as (keyof Prediction['busy'])[]).sort((a, b) => busy[b] - busy[a]);
  const [first = 'slots'] = order;
  return missShareMax > 0.05 ? `${names[first]}, held up by layers that the disk has no room for` : names[first];
}

async function whatIfs(
  costs: CostModel,
  mix: Mix,
  known: readonly KnownEnvironment[],
  machine: PlannedMachine,
  isApart: boolean,
): Promise<WhatIf[]> {
  const kneeOf = async (changes: Partial<PlannedMachine>) => {
    const model = withoutCoordinator(toModel(costs, mix, known, { ...machine, ...changes }, false), isApart);
    return (await predictKnee(model, mix, 0, 'what if', 1)).ratePerSecond * 60;
  };
  const base = await kneeOf({});
  const ask = async (more: string, changes: Partial<PlannedMachine>, remark: string | null = null): Promise<WhatIf> => {
    const perMinute = remark === null ? (await kneeOf(changes)) - base : 0;
    return { more, perMinute, percent: base > 0 ? (100 * perMinute) / base : 0, remark };
  };
  const largest = Math.max(0, ...known.map(({ memoryBytes }) => memoryBytes));
  const isRoomy = largest * machine.slots <= machine.memoryBytes;
  const layers = new Map(known.flatMap((each) => each.layers.map(({ digest, bytes }) => [digest, bytes] as const)));
  const layerBytes = [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
  const held =
    layerBytes <= machine.layerBytesMax ? `all ${(layerBytes / 1e6).toFixed(0)} MB of layers have room` : null;
  return [
    await ask('core (and its slot)', { cores: machine.cores + 1, slots: machine.slots + 1 }),
    await ask('slot on the same cores', { slots: machine.slots + 1 }),
    await ask(
      'GB of memory',
      { memoryBytes: machine.memoryBytes + GIBIBYTE },
      isRoomy ? 'every slot has the memory that limits promise' : null,
    ),
    await ask('GB of disk for layers', { layerBytesMax: machine.layerBytesMax + 1e9 }, held),
  ];
}

/** A machine of a fleet has no coordinator on it. */
function withoutCoordinator(model: ReturnType<typeof toModel>, isApart: boolean): ReturnType<typeof toModel> {
  return isApart ? { ...model, costs: { ...model.costs, coordinatorMs: 0 } } : model;
}

/** What of a plan was never held against a measurement. */
export function outsideOf(
  costs: CostModel,
  mix: Mix,
  known: readonly KnownEnvironment[],
  machine: PlannedMachine,
  perSecond: number,
  machines: number | null,
): string[] {
  const { range, machineCores } = costs;
  const cpuTimeMs = meanCpuOf(mix, known);
  const isOutside = ([low, high]: readonly [number, number], value: number) => value < low || value > high;
  const found: string[] = [];
  if (isOutside(VALIDATED.cpuTimeMs, cpuTimeMs))
    found.push(
      `programs of ${cpuTimeMs.toFixed(1)} ms on average, validated from ${VALIDATED.cpuTimeMs.join(' to ')} ms, calibrated from ${range.cpuTimeMs.map((ms) => ms.toFixed(0)).join(' to ')} ms`,
    );
  if (perSecond > range.ratePerSecond[1])
    found.push(
      `${(perSecond * 60).toFixed(0)} a minute on one machine, calibrated up to ${(range.ratePerSecond[1] * 60).toFixed(0)}`,
    );
  if (machine.cores !== machineCores || machineCores !== VALIDATED.cores)
    found.push(`machines of ${machine.cores} cores, calibrated on ${machineCores}, validated on ${VALIDATED.cores}`);
  if (machines !== VALIDATED.machines)
    found.push(`${machines ?? `more than ${MACHINES_MAX}`} machines, validated on 1: the rest is the simulator's`);
  return found;
}

/** Costs scaled so that the machine is as much slower or faster as the fit may be wrong. */
function scaled(costs: CostModel, factor: number): CostModel {
  return { ...costs, cores: costs.cores * factor };
}

interface Sizes {
  readonly expected: FleetSize;
  readonly low: FleetSize;
  readonly high: FleetSize;
}

function sizes(
  costs: CostModel,
  mix: Mix,
  known: readonly KnownEnvironment[],
  machine: PlannedMachine,
  perSecond: number,
  knee: PredictedKnee,
): Sizes {
  const margin = Math.min(0.5, 2 * errorOf(costs));
  const size = (factor: number) =>
    sizeFleet(
      toModel(scaled(costs, factor), mix, known, machine, false),
      mix,
      perSecond,
      knee.ratePerSecond * factor,
      MACHINES_MAX,
    );
  return { expected: size(1), low: size(1 + margin), high: size(1 - margin) };
}

/** The plan; throws nothing: a target below the floor is refused by whoever asked for it, by `floorP99Ms`. */
export async function makePlan(
  costs: CostModel,
  mix: Mix,
  known: readonly KnownEnvironment[],
  machine: PlannedMachine,
  ratePerMinute: number,
  knee: PredictedKnee,
): Promise<Plan> {
  const perSecond = ratePerMinute / 60;
  const { expected, low, high } = sizes(costs, mix, known, machine, perSecond, knee);
  const isApart = (expected.machines ?? 2) > 1;
  const model = toModel(costs, mix, known, machine, false);
  const perMachine = isApart ? await predictKnee(withoutCoordinator(model, true), mix, errorOf(costs)) : knee;
  const { coordinatorMs, agentMs, sandboxMs, backgroundMs, perCpuMs, delaysMs } = costs.costs;
  return {
    ...{ isComplete: true, mix: mix.name, p99Ms: mix.target.p99Ms, ratePerMinute, machine },
    perMachine: {
      ...{ perMinute: perMachine.ratePerSecond * 60, low: perMachine.low * 60, high: perMachine.high * 60 },
      floorP99Ms: perMachine.floorP99Ms,
    },
    machines: {
      ...{ expected: expected.machines, low: low.machines, high: high.machines },
      ...{ coordinators: coordinatorsFor(model, perSecond), p99Ms: expected.prediction?.p99Ms ?? null },
    },
    saturatesFirst: saturatesFirst(perMachine.busy, Math.max(0, ...model.demands.map(({ missShare }) => missShare))),
    busy: perMachine.busy,
    costs: {
      ...{ coordinatorMs, agentMs, sandboxMs, backgroundMs, perCpuMs },
      delayMs: delaysMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, delaysMs.length),
      ...{ capacityError: costs.capacityError, repeatSpread: costs.repeatSpread },
    },
    whatIf: await whatIfs(costs, mix, known, machine, isApart),
    calibrated: {
      ...{ cpuTimeMs: costs.range.cpuTimeMs, cores: costs.machineCores },
      perMinute: [costs.range.ratePerSecond[0] * 60, costs.range.ratePerSecond[1] * 60],
    },
    validated: VALIDATED,
    outside: outsideOf(costs, mix, known, machine, Math.min(perSecond, perMachine.ratePerSecond), expected.machines),
  };
}
