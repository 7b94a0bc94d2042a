/**
 * Owns what a pool's owner can say: every rule, hours over midnight, shares by whole slots, and that the owner is never refused.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import { limitDefaults } from '../../shared/model/limits.ts';
import {
  days,
  findLastingObjection,
  findObjection,
  type Hours,
  isWithin,
  type PolicyCase,
  SitePolicy,
  sharedSlots,
} from '../../shared/model/site-policy.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const policy: SitePolicy = { owner: 'site', tenants: ['guest'] };
const layer = { scope: 'shared', base: 'debian-13', egress: 'any' };
const work: PolicyCase = {
  tenantId: 'guest',
  layers: [layer],
  limits: [limitDefaults.run],
  nowMs: at('2026-11-28T12:00'),
};

test('hours are from a minute to the one before another, on their days, and may go over midnight', () => {
  const evenings: Hours[] = [{ days: ['fri'], from: '22:00', to: '06:30' }];
  const is = (text: string, hours = evenings) => isWithin(hours, at(text));
  // The 27th of November 2026 is a Friday.
  assert.deepEqual(
    ['2026-11-27T21:59', '2026-11-27T22:00', '2026-11-28T06:29', '2026-11-28T06:30'].map((text) => is(text)),
    [false, true, true, false],
  );
  assert.equal(is('2026-11-27T03:00'), false, 'the night before is of Thursday');
  const sunday: Hours[] = [{ days: ['sat'], from: '20:00', to: '20:00' }];
  assert.deepEqual([is('2026-11-29T19:59', sunday), is('2026-11-29T20:00', sunday)], [true, false]);
  const lunch: Hours[] = [{ days: ['mon', 'sat'], from: '12:00', to: '13:00' }];
  assert.deepEqual([is('2026-11-28T12:59', lunch), is('2026-11-28T13:00', lunch)], [true, false]);
  assert.equal(isWithin([], at('2026-11-28T12:00')), false);
});

test('each rule refuses what it is about, and nothing else', () => {
  const objection = (changes: Partial<SitePolicy>, more: Partial<PolicyCase> = {}) =>
    findObjection({ ...policy, ...changes }, { ...work, ...more });
  assert.equal(objection({}), null);
  assert.match(objection({}, { tenantId: 'other' }) ?? '', /^tenant other may not use machines of site$/);
  assert.equal(objection({ tenants: ['*'] }, { tenantId: 'other' }), null);
  const own = [layer, { ...layer, scope: 'tenant-guest' }];
  assert.match(objection({ environments: { scopes: ['shared'] } }, { layers: own }) ?? '', /scope tenant/);
  assert.equal(objection({ environments: { scopes: ['shared', 'tenant'] } }, { layers: own }), null);
  assert.match(objection({ environments: { bases: ['debian-12'] } }) ?? '', /base debian-13/);
  assert.match(objection({ environments: { egress: ['strict'] } }) ?? '', /egress rules any/);
  const limits = { memoryBytes: limitDefaults.run.memoryBytes - 1 };
  assert.match(objection({ limits }) ?? '', /^memoryBytes is \d+ and machines of site allow others \d+$/);
  assert.equal(objection({ limits: { memoryBytes: limitDefaults.run.memoryBytes } }), null);
  const hours: Hours[] = [{ days: [...days], from: '00:00', to: '01:00' }];
  assert.match(objection({ hours }) ?? '', /at this hour/);
  assert.equal(findLastingObjection({ ...policy, hours }, work), null, 'another hour will do');
});

test('a share is of whole slots, rounded down', () => {
  const shares = [0, 33, 50, 99, 100].map((sharePercentMax) => sharedSlots({ ...policy, sharePercentMax }, 3));
  assert.deepEqual(shares, [0, 0, 1, 2, 3]);
  assert.equal(sharedSlots(policy, 3), 3);
});

test('the owner is never refused, whatever the policy says', () => {
  const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
  const clock = time.map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
  const policies = fc.record(
    {
      owner: fc.constant('site'),
      tenants: fc.array(fc.constantFrom('guest', '*')),
      environments: fc.record({
        scopes: fc.subarray(['shared', 'tenant'] as const),
        bases: fc.constant([]),
        egress: fc.constant([]),
      }),
      limits: fc.record({ memoryBytes: fc.integer({ min: 1, max: 10 }) }),
      hours: fc.array(fc.record({ days: fc.subarray([...days], { minLength: 1 }), from: clock, to: clock })),
      sharePercentMax: fc.integer({ min: 0, max: 100 }),
    },
    { requiredKeys: ['owner', 'tenants'] },
  );
  fc.assert(
    fc.property(policies, fc.constantFrom('shared', 'tenant-site'), fc.nat(2 ** 41), (said, scope, nowMs) => {
      assert.ok(Value.Check(SitePolicy, said), JSON.stringify([...Value.Errors(SitePolicy, said)]));
      const own = { ...work, tenantId: 'site', layers: [{ ...layer, scope }], nowMs };
      assert.equal(findObjection(said, own), null);
    }),
  );
});
