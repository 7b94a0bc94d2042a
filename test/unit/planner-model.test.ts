/**
 * Owns the proof that the planner's model of a machine is a queueing model: it is Erlang's where his formula holds, work is kept, and the fleet's
 * simulator says the same of one agent. Also that costs are found again from a calibration that the model itself made.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scheduleOf } from '../../bench/planner/arrivals.ts';
import { type Calibration, type CalibrationRun, scheduleOfRun } from '../../bench/planner/calibrate.ts';
import { fitCosts, fitLine } from '../../bench/planner/cost-model.ts';
import { meanOf } from '../../bench/planner/distribution.ts';
import { loopback, network, predictFleetAt, sizeFleet } from '../../bench/planner/fleet.ts';
import { type ExecutionCosts, SharedProcessors } from '../../bench/planner/machine-model.ts';
import { parseMix } from '../../bench/planner/mix.ts';
import { makePlan, saturatesFirst } from '../../bench/planner/planning.ts';
import { missShares, predictKnee, toModel } from '../../bench/planner/prediction.ts';
import { type Model, predict, predictSaturated } from '../../bench/planner/queueing-model.ts';
import { percentile } from '../../bench/statistics/quantiles.ts';
import { SimulatedTime } from '../simulation/simulated-time.ts';

const free: ExecutionCosts = {
  ...{ coordinatorMs: 0, agentMs: 0, sandboxMs: 0, pathShare: 1, backgroundMs: 0, generatorMs: 0, perCpuMs: 1 },
  delaysMs: [0],
};
const costly: ExecutionCosts = {
  ...{ coordinatorMs: 1.5, agentMs: 3, sandboxMs: 4, pathShare: 0.8, backgroundMs: 1, generatorMs: 0.5, perCpuMs: 1 },
  delaysMs: [0, 1, 2, 5],
};
const demand = { cpuSamplesMs: [0], waitMs: 0, memoryBytes: 1, missShare: 0, fetchMs: 0 };
const modelOf = (costs: ExecutionCosts, cores: number, slots: number): Model => ({
  ...{ machine: { cores, slots, memoryBytes: 100 }, costs, demands: [demand] },
});
const mixOf = (meanMs: number, p99Ms = 1000) =>
  parseMix(
    {
      name: 'one',
      environments: [{ name: 'a', share: 1, program: { cpuTimeMs: { kind: 'exponential', meanMs } } }],
      target: { p99Ms },
    },
    'test',
  );

/** The mean wait of M/M/c by Erlang's second formula; seconds, or whatever the mean service is in. */
function erlangWait(rate: number, meanService: number, servers: number): number {
  const load = rate * meanService;
  let blocking = 1;
  for (let each = 1; each <= servers; each += 1) blocking = (load * blocking) / (each + load * blocking);
  const waiting = blocking / (1 - (load / servers) * (1 - blocking));
  return (waiting * meanService) / (servers - load);
}

for (const [servers, load] of [
  [1, 0.6],
  [2, 0.8],
  [8, 0.85],
] as const) {
  test(`without costs the model is M/M/${servers}: at ${load} of its capacity it waits as Erlang says`, () => {
    const meanMs = 20;
    const ratePerSecond = (load * servers * 1000) / meanMs;
    const schedule = scheduleOf(mixOf(meanMs), ratePerSecond, (120_000 * 1000) / ratePerSecond, 'erlang');
    const { latenciesMs, busy } = predict(modelOf(free, servers, servers), schedule);
    const meanLatencyMs = latenciesMs.reduce((sum, ms) => sum + ms, 0) / latenciesMs.length;
    const truth = erlangWait(ratePerSecond / 1000, meanMs, servers) + meanMs;
    assert.ok(Math.abs(meanLatencyMs / truth - 1) < 0.05, `${meanLatencyMs} of ${truth}`);
    assert.ok(Math.abs(busy.slots - load) < 0.02, String(busy.slots));
  });
}

test('processors that are shared give each what it asked for, and together no more than they have', () => {
  const time = new SimulatedTime();
  const processors = new SharedProcessors(time, 2);
  const ended: string[] = [];
  processors.work(10, () => ended.push(`a ${time.monotonicMs()}`));
  processors.work(10, () => ended.push(`b ${time.monotonicMs()}`));
  processors.work(30, () => ended.push(`c ${time.monotonicMs()}`));
  while (time.step());
  // Three on two run at two thirds: the short ones end at 15; the long one has had 10 and runs alone then.
  assert.deepEqual(ended, ['a 15', 'b 15', 'c 35']);
  assert.equal(processors.busyMs, 50);
});

test('a machine that always has more to do serves what its processors allow, by the sum of all costs', () => {
  const costs = { ...costly, delaysMs: [0] };
  const { perSecond } = predictSaturated(modelOf(costs, 2, 8), mixOf(20), 40, 6000, 'full');
  const { coordinatorMs, agentMs, sandboxMs, backgroundMs, generatorMs } = costs;
  const truth = 2000 / (coordinatorMs + agentMs + sandboxMs + backgroundMs + generatorMs + 20);
  assert.ok(Math.abs(perSecond / truth - 1) < 0.03, `${perSecond} of ${truth}`);
});

test("the fleet's simulator, with the real scheduler in it, says of one agent what the queueing model says", () => {
  const [model, mix] = [modelOf(costly, 2, 2), mixOf(20)];
  for (const ratePerSecond of [20, 45]) {
    const schedule = scheduleOf(mix, ratePerSecond, (8000 * 1000) / ratePerSecond, 'one');
    const queue = percentile(predict(model, schedule, 'one').latenciesMs, 0.99);
    const shape = { machines: 1, coordinators: 1, networkMs: loopback };
    const { p99Ms } = predictFleetAt(model, mix, shape, ratePerSecond, 8000, 'one');
    assert.ok(Math.abs(p99Ms / queue - 1) < 0.06, `${ratePerSecond}/s: ${p99Ms} of ${queue}`);
  }
});

test('ten machines keep a target at ten times the rate, with little to spare and less than one', async () => {
  const [model, mix] = [modelOf(costly, 2, 2), mixOf(20, 400)];
  const knee = await predictKnee(model, mix, 0.02);
  const size = sizeFleet(model, mix, knee.ratePerSecond * 10, knee.ratePerSecond, 100);
  // A queue for all wants less slack than ten queues; the coordinator has a machine of its own.
  assert.ok(size.machines !== null && size.machines >= 7 && size.machines <= 10, String(size.machines));
  const shape = { machines: size.machines, coordinators: size.coordinators, networkMs: network };
  assert.ok(predictFleetAt(model, mix, shape, knee.ratePerSecond * 10, 6000, 'other').p99Ms < 600);
});

const PROGRAMS: readonly CalibrationRun['program'][] = [
  { kind: 'constant', ms: 1 },
  { kind: 'exponential', meanMs: 18 },
  { kind: 'constant', ms: 70 },
];

/** What a calibration of a machine that is the model would have seen. */
function synthetic(costs: ExecutionCosts, cores: number): Calibration {
  const runs = PROGRAMS.flatMap((program, index) => {
    const capacity = 2000 / (12 + meanOf(program));
    const asked = [
      { kind: 'burst' as const, ratePerSecond: 0, count: 160, durationMs: 1000 },
      { kind: 'open' as const, ratePerSecond: capacity * 0.5, count: 0, durationMs: 9000 },
      { kind: 'open' as const, ratePerSecond: capacity * 0.7, count: 0, durationMs: 9000 },
    ];
    return asked.map((each): CalibrationRun => {
      const run = { ...each, program, seed: `synthetic ${index}` };
      const schedule = scheduleOfRun(run);
      const { latenciesMs } = predict(modelOf(costs, cores, 2), schedule, 'the machine');
      const ends = Math.max(...latenciesMs, (schedule.at(-1)?.atMs ?? 0) + percentile(latenciesMs, 0.5));
      const meanCpuTimeMs = schedule.reduce((sum, { cpuTimeMs }) => sum + (cpuTimeMs ?? 0), 0) / schedule.length;
      const { coordinatorMs, agentMs, sandboxMs, generatorMs, perCpuMs } = costs;
      return {
        ...{ ...run, count: schedule.length, served: schedule.length, makespanMs: ends, meanCpuTimeMs },
        latenciesMs: Array.from({ length: 101 }, (_, percent) => percentile(latenciesMs, percent / 100)),
        cpuMs: {
          ...{ coordinator: coordinatorMs, agent: agentMs, generator: generatorMs },
          launcher: sandboxMs + perCpuMs * meanCpuTimeMs,
        },
        ...{ busyCores: 1, stealCores: 0 },
      };
    });
  });
  return {
    ...{ format: 1, at: '', isComplete: true, machine: { cores: 2, memoryBytes: 100 }, slots: 2, runs },
    ...{ isOneMachine: true, idleBusyCores: 0, fetch: null },
  };
}

test('costs are found again from what a known machine shows, and so is the knee of a mix that was not in it', async () => {
  const truth = { ...costly, backgroundMs: 2 };
  const fitted = fitCosts(synthetic(truth, 1.7));
  assert.ok(fitted.capacityError < 0.03, String(fitted.capacityError));
  assert.ok(Math.abs(fitted.costs.sandboxMs - truth.sandboxMs) < 0.05);
  const mix = parseMix(
    {
      name: 'kept out',
      environments: [{ name: 'a', share: 1, program: { cpuTimeMs: { kind: 'lognormal', medianMs: 8, p99Ms: 90 } } }],
      target: { p99Ms: 500 },
    },
    'test',
  );
  const known = [{ cpuSamplesMs: [], waitMs: 0, memoryBytes: 1, layers: [] }];
  const machine = { cores: 2, slots: 2, memoryBytes: 100, layerBytesMax: 1 };
  const predicted = await predictKnee(toModel(fitted, mix, known, machine, true), mix, 0);
  const actual = await predictKnee(modelOf(truth, 1.7, 2), mix, 0);
  const error = predicted.ratePerSecond / actual.ratePerSecond - 1;
  assert.ok(Math.abs(error) < 0.05, `${predicted.ratePerSecond} of ${actual.ratePerSecond}`);
});

test('a calibration of one program is refused with the remedy', () => {
  const calibration = synthetic(costly, 2);
  const runs = calibration.runs.slice(0, 3);
  assert.throws(() => fitCosts({ ...calibration, runs }), /of 3 runs and 1 programs failed: .* calibrate again/);
});

test('a line is fitted without costs below zero', () => {
  const { fixed, slope } = fitLine([
    [0, 3],
    [10, 13],
    [20, 23],
  ]);
  assert.deepEqual([Math.round(fixed), Math.round(slope)], [3, 1]);
  const [falling, steep] = [
    fitLine([
      [1, 5],
      [2, 4],
    ]),
    fitLine([
      [1, 1],
      [2, 4],
    ]),
  ];
  assert.deepEqual([falling.slope, steep.fixed], [0, 0]);
});

test('a plan says how many machines, what saturates first, what more would buy, and where it was never validated', async () => {
  const costs = fitCosts(synthetic(costly, 2));
  const mix = mixOf(20, 500);
  const known = [{ cpuSamplesMs: [], waitMs: 0, memoryBytes: 60, layers: [{ digest: 'sha256:a', bytes: 5 }] }];
  const machine = { cores: 2, slots: 2, memoryBytes: 100, layerBytesMax: 10 };
  const knee = await predictKnee(toModel(costs, mix, known, machine, false), mix, 0.02);
  const plan = await makePlan(costs, mix, known, machine, knee.ratePerSecond * 60 * 4, knee);
  assert.ok(plan.machines.expected !== null && plan.machines.expected >= 3 && plan.machines.expected <= 4);
  assert.ok((plan.machines.high ?? 0) >= plan.machines.expected);
  // Two executions of 60 do not fit into 100: one slot is all that there is, and memory is what is missing.
  assert.ok(plan.whatIf.find(({ more }) => more.startsWith('GB of memory'))?.percent ?? 0 > 20);
  assert.match(plan.whatIf.find(({ more }) => more.startsWith('GB of disk'))?.remark ?? '', /have room/);
  assert.match(plan.outside.join('\n'), /machines, validated on 1: the rest is the simulator's/);
  const busy = { cores: 0.7, slots: 0.8, coordinator: 0.2, agent: 0.3, memory: 0.9 };
  assert.equal(saturatesFirst(busy, 0), 'memory');
  assert.match(saturatesFirst(busy, 0.5), /layers that the disk has no room for/);
});

test('layers that have room never miss, and those that have none miss as often as they are rare', () => {
  const mix = parseMix(
    {
      name: 'two',
      environments: [
        { name: 'often', share: 0.9, program: { cpuTimeMs: { kind: 'constant', ms: 1 } } },
        { name: 'rarely', share: 0.1, program: { cpuTimeMs: { kind: 'constant', ms: 1 } } },
      ],
      target: { p99Ms: 100 },
    },
    'test',
  );
  const known = ['a', 'b'].map((digest) => ({
    ...{ cpuSamplesMs: [], waitMs: 0, memoryBytes: 1, layers: [{ digest, bytes: 10 }] },
  }));
  assert.deepEqual(missShares(mix, known, 20), [0, 0]);
  const [often = 1, rarely = 0] = missShares(mix, known, 10);
  assert.ok(often < 0.35 && rarely > 0.65, `${often} ${rarely}`);
});
