/**
 * Owns the rules by which output is compared, case by case as docs/judging.md lists them, and that no bytes break them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compare } from '../../agent/judging/comparison.ts';
import { comparisonKinds } from '../../shared/model/judging.ts';

type Kind = (typeof comparisonKinds)[number];
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** Kind, output, what was expected, whether they are equal, and a part of what is said. */
const cases: readonly (readonly [Kind, string, string, boolean, string])[] = [
  ['exact', 'a\n', 'a\n', true, '2 bytes'],
  ['exact', 'a', 'a\n', false, '1 bytes, expected 2'],
  ['exact', 'a\n\n', 'a\n', false, '3 bytes, expected the first 2'],
  ['exact', 'abcX', 'abcY', false, 'from byte 3 on it is "X", expected "Y"'],
  ['lines', 'a\nb', 'a\nb\n', true, '2 lines'],
  ['lines', 'a \t\r\nb\n\n \n', 'a\nb', true, '2 lines'],
  ['lines', ' a', 'a', false, 'line 1 is " a", expected "a"'],
  ['lines', '\na', 'a', false, 'line 1 is ""'],
  ['lines', 'a\n\nb', 'a\nb', false, 'line 2 is ""'],
  ['lines', 'a', 'a\nb', false, 'line 2 is missing: "b"'],
  ['lines', 'a\nb', 'a', false, 'line 2 is more than expected: "b"'],
  ['lines', '', '\n\n', true, '0 lines'],
  ['tokens', ' 1\n2\t3 ', '1 2 3', true, '3 tokens'],
  ['tokens', '12 3', '1 23', false, 'token 1 is "12", expected "1"'],
  ['tokens', '1 2', '1 2 3', false, 'token 3 is missing: "3"'],
  ['tokens', '1 2 3', '1 2', false, 'token 3 is more than expected: "3"'],
  ['tokens', '1.0', '1', false, 'token 1'],
  ['tokens', '\v\f', '', true, '0 tokens'],
  ['float', '1.0000000001 x', '1 x', true, '2 tokens'],
  ['float', '1.00001', '1', false, 'token 1 is "1.00001", expected "1"'],
  ['float', '1000000000.5', '1000000000', true, '1 token'],
  ['float', '1e3', '1000', true, '1 token'],
  ['float', '0x10', '16', false, 'token 1'],
  ['float', 'nan', 'nan', true, '1 token'],
  ['float', 'nan', '1', false, 'token 1'],
  ['float', '1e999', '2e999', false, 'token 1'],
  ['float', '-0', '0', true, '1 token'],
  ['float', '.5 5.', '0.5 5', true, '2 tokens'],
];

for (const [kind, actual, expected, isEqual, said] of cases) {
  test(`${kind}: ${JSON.stringify(actual)} ${isEqual ? 'is' : 'is not'} ${JSON.stringify(expected)}`, () => {
    const result = compare({ kind }, bytes(actual), bytes(expected));
    assert.equal(result.isEqual, isEqual, result.message);
    assert.ok(result.message.includes(said), result.message);
  });
}

test('a tolerance is absolute below one and relative above it', () => {
  const near = (actual: string, expected: string) =>
    compare({ kind: 'float', tolerance: 0.01 }, bytes(actual), bytes(expected)).isEqual;
  assert.deepEqual(
    [near('0.109', '0.1'), near('0.111', '0.1'), near('100.9', '100'), near('101.1', '100')],
    [...[true, false, true, false]],
  );
});

test('whatever the bytes are, output is equal to itself, and a difference is told in few words', () => {
  const some = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(fc.constantFrom(...comparisonKinds), some, some, (kind, one, other) => {
      assert.equal(compare({ kind }, one, one).isEqual, true);
      const { isEqual, message } = compare({ kind }, one, other);
      assert.equal(
        compare({ kind }, other, one).isEqual,
        isEqual && kind !== 'float' ? true : compare({ kind }, other, one).isEqual,
      );
      assert.ok(message.length < 1000, message);
      // What is the same by a sharp rule is the same by every blunter one.
      if (kind === 'exact' && isEqual) {
        for (const blunter of comparisonKinds) assert.equal(compare({ kind: blunter }, one, other).isEqual, true);
      }
    }),
  );
});
