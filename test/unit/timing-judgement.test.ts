/**
 * Owns the proof of the judgement about times: every reason by itself, what it makes of a certificate, and that dirt outweighs what can't be proven.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCertificate } from '../../agent/timing/judgement.ts';
import { type TimingFacts, type TimingReason, timingReasons } from '../../shared/model/timing-certificate.ts';
import { calibration, calm, cleanFacts } from '../support/timing-facts.ts';

/** What brings about each reason, and no other. */
const causes: Readonly<Record<TimingReason, readonly Partial<TimingFacts>[]>> = {
  steal: [{ after: { ...calm, stealMs: 80 } }],
  throttled: [{ throttledMs: 0.1 }],
  'thermal-throttling': [{ after: { ...calm, thermalThrottles: 5 } }],
  'frequency-changed': [
    { after: { ...calm, frequencyKhz: 2_849_000 } },
    { after: { ...calm, frequencyKhz: 3_151_000 } },
  ],
  'processor-shared': [{ elsewhereMs: 21 }, { wallTimeMs: 2000, elsewhereMs: 41 }],
  'sibling-busy': [{ siblingsMs: 21 }],
  'virtual-machine': [],
  'frequency-unknown': [
    { before: { ...calm, frequencyKhz: null } },
    { after: { ...calm, frequencyKhz: null } },
    { governor: null },
  ],
  'frequency-not-fixed': [{ governor: 'powersave' }, { isBoosted: true }, { isBoosted: null }],
  'steal-unknown': [{ before: { ...calm, stealMs: null } }, { after: { ...calm, stealMs: null } }],
  'not-pinned': [{ cpus: null }, { cpus: null, elsewhereMs: null, siblingsMs: null }],
  'several-slots': [{ slots: 2 }],
  uncalibrated: [{ calibration: null }],
  'calibration-unsteady': [{ calibration: { ...calibration, coefficientOfVariation: 0.0101 } }],
};

test('of whom all is known and nothing bad is clean, with neighbours on other cores, and what is at a bound is not beyond it', () => {
  for (const changes of [
    {},
    { wallTimeMs: 10 },
    { wallTimeMs: 2000, elsewhereMs: 40, siblingsMs: 40 },
    { siblingsMs: null },
    { before: { ...calm, thermalThrottles: null }, after: { ...calm, thermalThrottles: null } },
    { after: { ...calm, frequencyKhz: 2_850_000 } },
    { isVirtual: true },
  ]) {
    const facts = { ...cleanFacts, ...changes };
    assert.deepEqual(toCertificate(facts), { clean: true, reasons: [], ...facts });
  }
});

for (const [reason, all] of Object.entries(causes) as [TimingReason, readonly Partial<TimingFacts>[]][]) {
  const { makes } = timingReasons[reason];
  test(`${reason} alone makes it ${makes}`, () => {
    for (const changes of all) {
      const { clean: found, reasons } = toCertificate({ ...cleanFacts, ...changes });
      assert.deepEqual([found, reasons], [makes === 'dirty' ? false : 'unprovable', [reason]]);
    }
  });
}

test('a virtual machine without control of its frequency is never clean, and dirty when something was seen', () => {
  const unknown = { ...calm, frequencyKhz: null };
  const virtual = { ...cleanFacts, isVirtual: true, governor: null, isBoosted: null, before: unknown, after: unknown };
  const { clean: found, reasons } = toCertificate(virtual);
  assert.deepEqual([found, reasons], ['unprovable', ['virtual-machine', 'frequency-unknown']]);
  const dirty = toCertificate({ ...virtual, after: { ...unknown, stealMs: 80 } });
  assert.deepEqual([dirty.clean, dirty.reasons], [false, ['steal', 'virtual-machine', 'frequency-unknown']]);
});

test('every two reasons together are both told, and one that is dirty decides', () => {
  const single = (Object.entries(causes) as [TimingReason, readonly Partial<TimingFacts>[]][]).flatMap(
    ([reason, [first]]) => (first === undefined ? [] : [{ reason, changes: first }]),
  );
  const members = (changes: Partial<TimingFacts>) => Object.keys(changes);
  for (const one of single) {
    for (const other of single) {
      if (members(one.changes).some((name) => members(other.changes).includes(name))) continue;
      // What can't be read has not grown.
      if ('before' in one.changes || 'before' in other.changes) continue;
      // What is nobody's own can't be shared.
      if (one.reason === 'not-pinned' || other.reason === 'not-pinned') continue;
      const { clean: found, reasons } = toCertificate({ ...cleanFacts, ...one.changes, ...other.changes });
      const both = [one.reason, other.reason];
      assert.deepEqual([...reasons].sort(), [...both].sort());
      assert.equal(found, both.some((name) => timingReasons[name].makes === 'dirty') ? false : 'unprovable');
    }
  }
});
