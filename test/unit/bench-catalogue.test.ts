/**
 * Owns the proof that the list of scenarios can be chosen from: what is named, all that is ordinary, and what takes long only when somebody wants it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseScenarios, scenarios } from '../../bench/catalogue.ts';

const namesOf = (names: readonly string[], isQuick: boolean) =>
  chooseScenarios(names, isQuick).chosen.map(({ name }) => name);
const long = scenarios.filter(({ isLong }) => isLong).map(({ name }) => name);

test('no two scenarios have a name in common', () => {
  const names = scenarios.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

test('a scenario that takes long is asked by name or quickly, and otherwise left out', () => {
  assert.ok(long.length > 0);
  const ordinary = scenarios.map(({ name }) => name).filter((name) => !long.includes(name));
  assert.deepEqual(namesOf([], false), ordinary);
  assert.equal(namesOf([], true).length, scenarios.length);
  assert.deepEqual(namesOf(long, false), long);
});

test('a name that no scenario has is told, and the others are chosen', () => {
  const [first] = scenarios;
  assert.ok(first);
  const { chosen, unknown } = chooseScenarios([first.name, 'nothing-of-the-kind'], false);
  assert.deepEqual([chosen, unknown], [[first], ['nothing-of-the-kind']]);
});
