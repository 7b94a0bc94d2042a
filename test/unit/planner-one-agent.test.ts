/**
 * Owns the proof that the simulator is held against one agent fairly: it is asked for the very trace that the agent is offered, before the agent answers,
 * and what it is off by is told with its sign. The agent here is the queueing model, so nothing waits for real.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Arrival } from '../../bench/planner/arrivals.ts';
import { parseMix } from '../../bench/planner/mix.ts';
import { type Offer, toOffer } from '../../bench/planner/offer.ts';
import { holdSimulator, toSimulatedText } from '../../bench/planner/one-agent.ts';
import type { Measuring } from '../../bench/planner/probe.ts';
import { type Model, predict } from '../../bench/planner/queueing-model.ts';

const model: Model = {
  machine: { cores: 2, slots: 2, memoryBytes: 100 },
  costs: {
    ...{ coordinatorMs: 1.5, agentMs: 3, sandboxMs: 4, pathShare: 0.8, backgroundMs: 1, generatorMs: 0.5, perCpuMs: 1 },
    delaysMs: [0, 1, 2],
  },
  demands: [{ cpuSamplesMs: [0], waitMs: 0, memoryBytes: 1, missShare: 0, fetchMs: 0 }],
};
const mix = parseMix(
  {
    name: 'one',
    environments: [{ name: 'a', share: 1, program: { cpuTimeMs: { kind: 'exponential', meanMs: 20 } } }],
    target: { p99Ms: 400 },
  },
  'test',
);
/** Of so few, two samples of one p99 are far apart. */
const length = { samples: 250, msMin: 1000, msMax: 20_000 };
const KNEE = 55;

/** An agent as the model is, whose every latency is so many times as long. */
class ModelledAgent {
  readonly offered: (readonly Arrival[])[] = [];
  readonly #factor: number;
  readonly #onOffer: () => void;

  constructor(factor: number, onOffer: () => void = () => undefined) {
    this.#factor = factor;
    this.#onOffer = onOffer;
  }

  offer(_target: unknown, arrivals: readonly Arrival[], durationMs: number): Promise<Offer> {
    this.offered.push(arrivals);
    this.#onOffer();
    const { latenciesMs } = predict(model, arrivals, 'real');
    const records = latenciesMs.map((latencyMs, index) => {
      const intendedMs = arrivals[index]?.atMs ?? 0;
      const doneMs = intendedMs + latencyMs * this.#factor;
      return { intendedMs, environment: 0, sentMs: intendedMs, doneMs, outcome: 'served' as const };
    });
    return Promise.resolve(toOffer({ records, isCut: false, offeredMs: durationMs, cpuMs: 1 }, durationMs));
  }
}

const measure = (generator: ModelledAgent, signal: AbortSignal | null = null): Measuring => ({
  ...{ generator, signal, say: () => undefined },
  target: { url: '', key: null, templates: [] },
});

test('an agent that is as the model says is simulated to a few percent, by the trace that it gets', async () => {
  const agent = new ModelledAgent(1);
  const found = await holdSimulator(measure(agent), mix, model, KNEE, length, 'trace');
  assert.deepEqual(
    found.map(({ shareOfKnee, ratePerSecond }) => [shareOfKnee, ratePerSecond]),
    [0.5, 0.7, 0.85].map((share) => [share, KNEE * share]),
  );
  for (const { errorShare, ratePerSecond } of found)
    assert.ok(Math.abs(errorShare) < 0.06, `${ratePerSecond}: ${errorShare}`);
  // With the same rates, other traces are farther apart than that: the trace is what counts.
  const others = await holdSimulator(measure(new ModelledAgent(1)), mix, model, KNEE, length, 'another');
  const apart = found.map(({ simulatedP99Ms }, index) => (others[index]?.simulatedP99Ms ?? 0) / simulatedP99Ms - 1);
  assert.ok(
    apart.some((share) => Math.abs(share) > 0.06),
    String(apart),
  );
});

test('what the simulator is off by is told relative to the measured p99, with its sign', async () => {
  const found = await holdSimulator(measure(new ModelledAgent(2)), mix, model, KNEE, length, 'slow');
  for (const { errorShare } of found) assert.ok(Math.abs(errorShare + 0.5) < 0.03, String(errorShare));
  const [first] = found;
  assert.ok(first !== undefined);
  assert.match(
    toSimulatedText(first),
    /^ {2}one agent at 27\.5\/s \(50 % of the predicted knee\): p99 simulated \d+ ms, measured \d+ ms \(-\d\d\.\d %\)$/,
  );
});

test('cut short it tells the rates that it has', async () => {
  const stopping = new AbortController();
  const agent = new ModelledAgent(1, () => agent.offered.length === 2 && stopping.abort());
  const found = await holdSimulator(measure(agent, stopping.signal), mix, model, KNEE, length, 'cut');
  assert.equal(agent.offered.length, 2);
  assert.equal(found.length, 2);
});
