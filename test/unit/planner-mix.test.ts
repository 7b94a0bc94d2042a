/**
 * Owns the proof that a mix is checked before anything is offered, that its schedules are what it says, and that a recording becomes one.
 * Never asks an instance.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, histogramsBy, parseMetrics, total, toValues } from '../../bench/gauges/prometheus-text.ts';
import { meanShareOfPeak, scheduleOf } from '../../bench/planner/arrivals.ts';
import { meanOf, normalQuantile, quantile, stratify } from '../../bench/planner/distribution.ts';
import { type Mix, MixError, parseMix, readMix } from '../../bench/planner/mix.ts';
import { toMs, toRecordedMix } from '../../bench/planner/record.ts';

const program = { cpuTimeMs: { kind: 'constant', ms: 5 } } as const;
const good = {
  name: 'good',
  environments: [
    { name: 'a', share: 0.75, program },
    { name: 'b', share: 0.25, program: { cpuTimeMs: { kind: 'exponential', meanMs: 8 } } },
  ],
  target: { p99Ms: 100 },
} as const;

function problemsOf(value: unknown): readonly string[] {
  try {
    parseMix(value, 'mix.json');
  } catch (error) {
    assert.ok(error instanceof MixError);
    return error.problems;
  }
  return [];
}

test('a mix that is right has no problem', () => {
  assert.deepEqual(problemsOf(good), []);
});

test('shares that do not add up are told with their sum and the remedy', () => {
  const [first, second] = good.environments;
  const problems = problemsOf({ ...good, environments: [first, { ...second, share: 0.5 }] });
  assert.deepEqual(problems, ['reading mix.json: the shares 0.75 + 0.5 add up to 1.250: make them add up to 1']);
});

test('every problem is told, not only the first', () => {
  const lognormal = { kind: 'lognormal', medianMs: 10, p99Ms: 5 };
  const environments = [
    { name: 'a', share: 0.5, program },
    { name: 'a', share: 0.1, program: { cpuTimeMs: lognormal } },
  ];
  const problems = problemsOf({ ...good, environments, arrivals: [{ forMs: 1000, shareOfPeak: 0 }] });
  assert.equal(problems.length, 4);
  assert.match(problems.join('\n'), /two environments are named 'a'/);
  assert.match(problems.join('\n'), /p99Ms of 5 below its medianMs of 10: set p99Ms to at least 10/);
  assert.match(problems.join('\n'), /nothing would arrive/);
});

test('a field that is unknown, and a shape that is none, are refused by their place', () => {
  assert.match(problemsOf({ ...good, targets: {} }).join(), /\/targets/);
  assert.match(problemsOf({ ...good, target: { p99Ms: 0 } }).join(), /\/target\/p99Ms is 0/);
  assert.match(problemsOf([]).join(), /is \[\]/);
  const [first, second] = good.environments;
  const negative = { ...second, program: { cpuTimeMs: { kind: 'exponential', meanMs: -1 } } };
  const odd = problemsOf({ ...good, environments: [first, negative] }).join();
  assert.match(odd, /\/environments\/1\/program\/cpuTimeMs\/meanMs is -1/);
  assert.throws(() => readMix('/nowhere/mix.json'), /reading the mix '\/nowhere\/mix.json' failed \(ENOENT\)/);
});

test('distributions have the quantiles and means that they were declared by', () => {
  const lognormal = { kind: 'lognormal', medianMs: 20, p99Ms: 100 } as const;
  assert.ok(Math.abs(quantile(lognormal, 0.5) - 20) < 1e-6);
  assert.ok(Math.abs(quantile(lognormal, 0.99) - 100) < 1e-3);
  assert.ok(Math.abs(meanOf({ kind: 'exponential', meanMs: 30 }) - 30) < 0.1);
  assert.ok(Math.abs(normalQuantile(0.975) - 1.959964) < 1e-5);
  assert.deepEqual(stratify({ kind: 'empirical', samplesMs: [3, 1, 2] }, 3), [1, 2, 3]);
});

test('two schedules of one rate offer the same load, in another order; one seed gives one schedule', () => {
  const mix: Mix = parseMix(good, 'mix.json');
  const [one, again, other] = ['a', 'a', 'b'].map((seed) => scheduleOf(mix, 50, 10_000, seed));
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, other);
  const loadOf = (schedule: typeof one) =>
    (schedule ?? []).map(({ cpuTimeMs }) => cpuTimeMs ?? 0).toSorted((a, b) => a - b);
  assert.equal(one?.length, 500);
  assert.deepEqual(loadOf(one), loadOf(other));
  assert.equal(one?.filter(({ environment }) => environment === 0).length, 375);
  assert.ok(one?.every(({ atMs }, index) => index === 0 || atMs >= (one[index - 1]?.atMs ?? 0)));
});

test('arrivals follow the curve', () => {
  const arrivals = [
    { forMs: 1000, shareOfPeak: 1 },
    { forMs: 1000, shareOfPeak: 0.25 },
  ];
  const mix = parseMix({ ...good, arrivals }, 'mix.json');
  assert.equal(meanShareOfPeak(mix), 0.625);
  const schedule = scheduleOf(mix, 400, 20_000, 'curve');
  assert.equal(schedule.length, 5000);
  const early = schedule.filter(({ atMs }) => atMs < 10_000).length;
  assert.ok(early > 3850 && early < 4150, `${early} of 5000 in the half that has four fifths of them`);
});

const environmentId = `env_${'0'.repeat(52)}`;
const metrics = (ended: number, buckets: readonly number[], sum: number) => `# HELP x y
envicutor_executions_total{stage="finished",verdict="ok"} ${ended}
envicutor_executions_refused_total{reason="queue"} 0
envicutor_queue_depth 0
envicutor_leases 0
envicutor_execution_cpu_seconds_bucket{le="0.01",environment="${environmentId}"} ${buckets[0]}
envicutor_execution_cpu_seconds_bucket{le="0.1",environment="${environmentId}"} ${buckets[1]}
envicutor_execution_cpu_seconds_bucket{le="+Inf",environment="${environmentId}"} ${buckets[1]}
envicutor_execution_cpu_seconds_sum{environment="${environmentId}"} ${sum}
envicutor_execution_cpu_seconds_bucket{le="0.01",environment="tenant"} 10
envicutor_execution_cpu_seconds_bucket{le="0.1",environment="tenant"} ${10 + ended / 5}
envicutor_execution_cpu_seconds_bucket{le="+Inf",environment="tenant"} ${10 + ended / 5}
envicutor_execution_cpu_seconds_sum{environment="tenant"} ${ended / 100}
`;
const reading = (atMs: number, text: string) => ({ atMs, samples: parseMetrics(text) });

test('metrics are read with their labels, and a histogram becomes values of its mean', () => {
  const samples = parseMetrics(metrics(100, [50, 80], 2));
  assert.equal(total(samples, 'envicutor_executions_total'), 100);
  const counted = histogramsBy(samples, 'envicutor_execution_cpu_seconds', 'environment').get(environmentId);
  assert.ok(counted !== undefined);
  assert.deepEqual(counted.counts, [50, 80, 80]);
  const values = toValues(counted, 100);
  assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) / 100 - 2 / 80) < 1e-9);
  assert.equal(difference({ ...counted, counts: [90, 90, 90] }, counted), null);
});

test('a recording gives shares, times, the peak and the curve', () => {
  const readings = [
    reading(0, metrics(0, [0, 0], 0)),
    reading(10_000, metrics(100, [60, 80], 1)),
    reading(20_000, metrics(150, [90, 120], 1.5)),
  ];
  const mix = toRecordedMix(readings, 500, 'http://127.0.0.1:1');
  assert.deepEqual(
    mix.environments.map(({ name, share }) => [name, Number(share.toFixed(3))]),
    [
      [environmentId, 0.8],
      ['tenant', 0.2],
    ],
  );
  assert.equal(mix.ratePerMinute, 600);
  assert.deepEqual(mix.arrivals, [
    { forMs: 10_000, shareOfPeak: 1 },
    { forMs: 10_000, shareOfPeak: 0.5 },
  ]);
  assert.equal((mix.environments[0] as { environment?: string }).environment, environmentId);
});

test('an empty recording is refused with what it saw and the remedy', () => {
  const quiet = metrics(7, [3, 7], 1);
  assert.throws(
    () => toRecordedMix([reading(0, quiet), reading(60_000, quiet)], 500, 'http://x'),
    /recording http:\/\/x for 60 s saw 0 executions end: record for longer, or while it is used/,
  );
});

test('times are read with their units, and nothing else is', () => {
  assert.deepEqual(['90s', '2m', '1.5h', '250ms', '7', 'soon'].map(toMs), [
    90_000,
    120_000,
    5_400_000,
    250,
    null,
    null,
  ]);
});
