/**
 * Owns the run of every hostile program in the real launcher: what it said, how it was judged, and that nothing of it is left.
 * Never says what is expected: each theme's expectations.ts does, beside its programs. Needs root and gcc.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from '../../shared/model/verdict.ts';
import { attackNames, intentOf } from '../support/attack-programs.ts';
import { notInGuest, patience } from '../support/guest.ts';
import { HostObserver, type HostTraces } from '../support/host-traces.ts';
import { addAttacks, assertExpected, runProgram, themes, toSpec } from '../support/program-runs.ts';
import { RealLauncher } from '../support/real-launcher.ts';
import { covertChannel } from './programs/covert-channel/expectations.ts';
import type { Expectation } from './programs/expectation.ts';

const cgroup = 'envicutor-programs';

let launcher: RealLauncher;
let host: HostObserver;
let clean: HostTraces;
before(async () => {
  launcher = await RealLauncher.start(cgroup);
  await addAttacks(launcher.sandbox);
  host = new HostObserver(launcher.folder, `envicutor-${cgroup}-${process.pid}`);
  await run(['/bin/true'], {});
  clean = host.look();
});
after(() => launcher.stop());

const run = (argv: readonly string[], expected: Expectation): Promise<Report> =>
  runProgram(launcher.sandbox, argv, expected);

/** Cgroups and mounts are removed behind a run's back, so this waits for them, but not for long. */
async function assertNothingLeft(): Promise<void> {
  let traces = host.look();
  for (let tries = 0; tries < 200 * patience && JSON.stringify(traces) !== JSON.stringify(clean); tries++) {
    await wait(10);
    traces = host.look();
  }
  assert.deepEqual(traces, clean);
  assert.equal((await launcher.sandbox.gauges()).running, 0);
}

for (const [theme, programs] of Object.entries(themes)) {
  for (const [name, expected] of Object.entries(programs)) {
    test(`${theme}: ${intentOf(`${theme}/${name}`)}`, notInGuest(expected.notInGuest), async () => {
      const report = await run(['/attack', `${theme}/${name}`, ...(expected.words ?? [])], expected);
      assertExpected(report, expected, launcher.sandbox.facts.missing);
      await assertNothingLeft();
    });
  }
}

for (const [name, expected] of Object.entries(covertChannel)) {
  test(`covert-channel: ${intentOf(`covert-channel/${name}`)}`, async () => {
    const program = ['/attack', `covert-channel/${name}`];
    const { missing } = launcher.sandbox.facts;
    const said = Promise.withResolvers<string>();
    let heard = '';
    const leaving = launcher.sandbox.launch(toSpec([...program, 'leave'], expected), {
      stdout: (chunk) => {
        heard += Buffer.from(chunk).toString();
        if (heard.endsWith('left\n')) said.resolve('left');
      },
    });
    try {
      const came = await Promise.race([said.promise, leaving.report.then((report) => JSON.stringify(report))]);
      assert.equal(came, 'left', heard);
      assertExpected(await run([...program, 'look'], expected), expected, missing);
    } finally {
      leaving.kill();
      await leaving.report;
    }
    assert.equal((await leaving.report).end, 'client');
    assertExpected(await run([...program, 'look'], expected), expected, missing);
    await assertNothingLeft();
  });
}

test('every program has its expectation, and every expectation its program', () => {
  const all = { ...themes, 'covert-channel': covertChannel };
  const expected = Object.entries(all).flatMap(([theme, programs]) =>
    Object.keys(programs).map((name) => `${theme}/${name}`),
  );
  assert.deepEqual(expected.sort(), attackNames());
});
