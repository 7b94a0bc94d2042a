/**
 * Owns the proof that knees are found, on systems whose knees are known: formulas with chance in them, and none that runs.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../bench/planner/arrivals.ts';
import type { OfferRecord } from '../../bench/planner/generator/orders.ts';
import { crossing, findKnee, kneeOptions, type ProbeResult, toKneeTarget } from '../../bench/planner/knee.ts';
import { latencyQuantile } from '../../bench/planner/offer.ts';

/** M/M/1 of this capacity: 99 of 100 are answered within ln(100) / (capacity - rate). */
function queue(capacity: number, noise = 0, seed = 'noise') {
  const random = seededRandom(seed);
  return async (ratePerSecond: number): Promise<ProbeResult> => {
    const isOver = ratePerSecond >= capacity;
    const p99Ms = isOver ? Number.POSITIVE_INFINITY : (1000 * Math.log(100)) / (capacity - ratePerSecond);
    const factor = Math.exp(noise * (random.next() + random.next() + random.next() - 1.5));
    const achievedShare = Math.min(1, capacity / ratePerSecond);
    return { ratePerSecond, p99Ms: p99Ms * factor, achievedShare, refusedShare: 0, samples: 1000 };
  };
}

const kneeOf = (capacity: number, p99Ms: number) => capacity - (1000 * Math.log(100)) / p99Ms;

for (const [capacity, startPerSecond] of [
  [100, 10],
  [100, 400],
  [7, 100],
] as const) {
  test(`the knee of a queue that serves ${capacity} a second is found from ${startPerSecond}`, async () => {
    const options = { ...kneeOptions, startPerSecond };
    const knee = await findKnee(queue(capacity), toKneeTarget(2000), options);
    const truth = kneeOf(capacity, 2000);
    assert.ok(knee.isComplete, String(knee.remark));
    assert.ok(Math.abs(knee.ratePerSecond / truth - 1) < 0.03, `${knee.ratePerSecond} of ${truth}`);
    assert.ok(knee.probes.length <= kneeOptions.probesMax);
  });
}

test('noise of a third in every p99 moves the knee by little', async () => {
  for (const seed of ['1', '2', '3', '4', '5']) {
    const options = { ...kneeOptions, startPerSecond: 60 };
    const knee = await findKnee(queue(100, 0.3, seed), toKneeTarget(300), options);
    assert.ok(Math.abs(knee.ratePerSecond / kneeOf(100, 300) - 1) < 0.06, `${seed}: ${knee.ratePerSecond}`);
  }
});

test('refusals end a knee as latency does', async () => {
  const probe = async (ratePerSecond: number): Promise<ProbeResult> => ({
    ...{ ratePerSecond, p99Ms: 10, achievedShare: Math.min(1, 50 / ratePerSecond), samples: 1000 },
    refusedShare: Math.max(0, 1 - 50 / ratePerSecond),
  });
  const knee = await findKnee(probe, toKneeTarget(100), { ...kneeOptions, startPerSecond: 20 });
  assert.ok(Math.abs(knee.ratePerSecond - 50) < 3, String(knee.ratePerSecond));
});

test('a target below the floor has no knee, and the floor is told', async () => {
  const knee = await findKnee(queue(100), toKneeTarget(10), { ...kneeOptions, startPerSecond: 50 });
  assert.equal(knee.ratePerSecond, 0);
  assert.match(knee.remark ?? '', /no rate keeps a p99 of 10 ms: the lowest seen is 46\.\d ms, which is the floor/);
});

test('an interrupted search keeps what it knows, and says that it is not complete', async () => {
  const controller = new AbortController();
  const real = queue(100);
  let looks = 0;
  const probe = async (ratePerSecond: number) => {
    looks += 1;
    if (looks === 5) controller.abort();
    return controller.signal.aborted ? null : real(ratePerSecond);
  };
  const options = { ...kneeOptions, startPerSecond: 50, signal: controller.signal };
  const knee = await findKnee(probe, toKneeTarget(1000), options);
  assert.equal(knee.isComplete, false);
  assert.equal(knee.probes.length, 4);
  assert.equal(looks, 5);
  assert.match(knee.remark ?? '', /interrupted/);
});

test('a probe with too few answers is no evidence', async () => {
  const probe = async (ratePerSecond: number) => ({ ...(await queue(100)(ratePerSecond)), samples: 20 });
  const search = findKnee(probe, toKneeTarget(1000), { ...kneeOptions, startPerSecond: 50 });
  await assert.rejects(search, /had 20 answers and a p99 wants 300: probe for longer/);
});

test('where repeated looks disagree, all of them count', () => {
  const at = (ratePerSecond: number, p99Ms: number) => ({
    ...{ ratePerSecond, p99Ms, achievedShare: 1, refusedShare: 0, samples: 1000 },
  });
  const target = toKneeTarget(100);
  assert.ok(Math.abs(crossing([at(10, 50), at(20, 60)], target) - 20) < 1e-9);
  assert.equal(crossing([at(10, 150), at(20, 160)], target), 0);
  const knee = crossing([at(10, 50), at(20, 120), at(20, 80), at(40, 400)], target);
  assert.ok(knee > 19 && knee < 22, String(knee));
});

const record = (outcome: OfferRecord['outcome'], latencyMs: number | null): OfferRecord => ({
  ...{ intendedMs: 100, environment: 0, sentMs: 100, outcome },
  doneMs: latencyMs === null ? null : 100 + latencyMs,
});

test('a refusal is no latency, and what was never answered took for ever', () => {
  const served = Array.from({ length: 98 }, (_, index) => record('served', index + 1));
  const refused = Array.from({ length: 900 }, () => record('refused', 0.1));
  assert.equal(latencyQuantile([...served, ...refused], 0.5), 49);
  const lost = [record('unsent', null), record('failed', null)];
  assert.equal(latencyQuantile([...served, ...lost], 0.99), Number.POSITIVE_INFINITY);
});
