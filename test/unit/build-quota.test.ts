/**
 * Owns the proof of a tenant's bounds: what is left is what a build gets, what it used is settled once, and the day ends.
 */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import {
  BuildQuota,
  type BuildQuotaLimits,
  secondsToNextDay,
  utcDayOf,
} from '../../coordinator/tenants/build-quota.ts';
import { SystemError } from '../../shared/errors.ts';
import { toEgressRules } from '../../shared/model/egress.ts';
import { temporaryFolder } from '../support/captured.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const none: BuildQuotaLimits = {
  tenantBuildsMax: 0,
  tenantBuildSecondsMax: 0,
  tenantEgressBytesMax: 0,
  tenantEgressRequestsMax: 0,
};
const rules = toEgressRules({ name: 'test', quotas: { bytesMax: 1000, requestsMax: 10 } });
const never = new AbortController().signal;

function start(context: TestContext, limits: Partial<BuildQuotaLimits>) {
  const state = openSqliteStateStore(join(temporaryFolder(context), 'state.sqlite'));
  context.after(() => state.close());
  const clock = new VirtualClock();
  const quota = new BuildQuota({ clock, store: state.buildUsage }, rules, { ...none, ...limits });
  const used = () => state.buildUsage.get('one', utcDayOf(clock.nowMs()));
  return { quota, clock, used, begin: (signal = never) => quota.begin('one', 'setup', signal) };
}

test('a build gets what is left of the day, and used up is refused until the day ends', async (context) => {
  const { begin, clock, used } = start(context, { tenantEgressBytesMax: 1500 });
  const first = await begin();
  assert.equal(first.rules.quotas.bytesMax, 1000);
  const second = await begin();
  assert.equal(second.rules.quotas.bytesMax, 500, 'what the first one holds is not given twice');
  first.begun();
  clock.pass(2500);
  first.fetched({ requests: 2, bytes: 900 });
  await first.settle();
  assert.deepEqual(await used(), { egressBytes: 900, egressRequests: 2, buildMs: 2500 });
  second.fetched({ requests: 1, bytes: 500 });
  await second.settle();
  assert.equal((await begin()).rules.quotas.bytesMax, 100);
  const third = start(context, { tenantEgressBytesMax: 10 });
  const all = await third.begin();
  all.fetched({ requests: 1, bytes: 10 });
  await all.settle();
  await assert.rejects(third.begin(), (error) => {
    assert.ok(error instanceof SystemError);
    assert.deepEqual([error.code, error.http], ['quota-exceeded', 429]);
    assert.equal(error.retryAfterSeconds, secondsToNextDay(third.clock.nowMs()));
    assert.match(error.message, /today's 10 bytes fetched/);
    return true;
  });
  third.clock.pass((secondsToNextDay(third.clock.nowMs()) + 1) * 1000);
  assert.equal((await third.begin()).rules.quotas.bytesMax, 10);
});

test('requests and seconds are bounded like bytes, each with its own words', async (context) => {
  const seconds = start(context, { tenantBuildSecondsMax: 2 });
  const build = await seconds.begin();
  build.begun();
  seconds.clock.pass(2000);
  await build.settle();
  await assert.rejects(seconds.begin(), /today's 2 seconds of building/);
  const requests = start(context, { tenantEgressRequestsMax: 3 });
  const asking = await requests.begin();
  assert.equal(asking.rules.quotas.requestsMax, 3);
  asking.fetched({ requests: 3, bytes: 0 });
  await asking.settle();
  await assert.rejects(requests.begin(), /today's 3 requests/);
});

test('more builds than may run at once wait for one to end, or until nobody wants them', async (context) => {
  const { begin } = start(context, { tenantBuildsMax: 1 });
  const first = await begin();
  const abort = new AbortController();
  const given = begin(abort.signal);
  abort.abort(new Error('not wanted'));
  await assert.rejects(given, /not wanted/);
  let isIn = false;
  const waiting = begin().then((grant) => {
    isIn = true;
    return grant;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isIn, false);
  await first.settle();
  await (await waiting).settle();
});

test("bases are nobody's own: they are not counted", async (context) => {
  const { quota, used } = start(context, { tenantEgressBytesMax: 1, tenantBuildsMax: 1 });
  for (let at = 0; at < 3; at += 1) {
    const grant = await quota.begin('one', 'base', never);
    assert.equal(grant.rules.quotas.bytesMax, 1000);
    grant.fetched({ requests: 1, bytes: 500 });
    await grant.settle();
  }
  assert.equal((await used()).egressBytes, 0);
});

test('the seconds to the next day are at least one and at most a day', () => {
  const day = Date.parse('2026-11-28T00:00:00.000Z');
  assert.deepEqual([secondsToNextDay(day), secondsToNextDay(day + 86_399_999)], [86_400, 1]);
  assert.equal(utcDayOf(day + 86_399_999), '2026-11-28');
});

test("a tenant's own bounds hold in the place of everybody's, and others at once when they change", async (context) => {
  const state = openSqliteStateStore(join(temporaryFolder(context), 'state.sqlite'));
  context.after(() => state.close());
  const clock = new VirtualClock();
  const own = { buildSecondsMax: 0, egressBytesMax: 300 };
  const deps = { clock, store: state.buildUsage, boundsOf: () => own };
  const quota = new BuildQuota(deps, rules, { ...none, tenantEgressBytesMax: 5, tenantBuildSecondsMax: 1 });
  const grant = await quota.begin('one', 'setup', never);
  assert.equal(grant.rules.quotas.bytesMax, 300);
  grant.begun();
  clock.pass(5000);
  grant.fetched({ requests: 1, bytes: 200 });
  await grant.settle();
  own.buildSecondsMax = 5;
  await assert.rejects(quota.begin('one', 'setup', never), {
    code: 'quota-exceeded',
    message: /5 seconds of building/,
  });
  own.buildSecondsMax = 6;
  assert.equal((await quota.begin('one', 'setup', never)).rules.quotas.bytesMax, 100);
});
