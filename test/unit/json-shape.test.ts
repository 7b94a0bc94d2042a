/**
 * Owns the look over a JSON body before it becomes values: what is said twice, too deep or too much is refused with its place, and nothing else is.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJsonBody } from '../../shared/http/json-body.ts';

const read = (text: string) => parseJsonBody(Buffer.from(text));
const refused = (text: string, detail: RegExp) =>
  assert.throws(() => read(text), { code: 'request-invalid', message: detail });

test('a name that an object says twice is refused with its place, however it is spelled', () => {
  refused('{"a":1,"a":2}', /^\/a is there twice$/);
  refused('{"run":{"script":"x","b":[1,2,{"c":1,"\\u0063":2}]}}', /^\/run\/b\/2\/c is there twice$/);
  refused('{"a/b":1,"x":{},"a/b":2}', /^\/a~1b is there twice$/);
  refused('{"__proto__":1,"__proto__":2}', /__proto__ is there twice/);
  assert.deepEqual(read('{"a":{"a":"a"},"b":["a","a"],"c":"\\"a\\":1,\\"a\\":2"}'), {
    a: { a: 'a' },
    b: ['a', 'a'],
    c: '"a":1,"a":2',
  });
});

test('numbers that we would hold as endless are refused with their place', () => {
  refused('{"metadata":{"a":[0,1e999]}}', /^\/metadata\/a\/1 is a number beyond/);
  refused(`{"a":-${'9'.repeat(400)}}`, /^\/a is a number beyond/);
  assert.deepEqual(read('{"a":1e308,"b":-0.1e-999}'), { a: 1e308, b: -0 });
});

test('what is deep or many beyond bounds is refused before there are values of it', () => {
  assert.ok(Array.isArray(read('['.repeat(100) + ']'.repeat(100))));
  refused('['.repeat(101) + ']'.repeat(101), /nested deeper than 100/);
  refused('{"a":'.repeat(5_000_000), /nested deeper than 100/);
  refused(`[${'{},'.repeat(1_100_000)}{}]`, /more than 1000000 values/);
  const before = process.memoryUsage().rss;
  for (const text of ['['.repeat(16_000_000), '[],'.repeat(10_000_000), '[{"a":[1,2]},'.repeat(2_000_000)])
    refused(text, /./);
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 512 * 1024 * 1024, `${grown} bytes more`);
});

test('what is not JSON is told by its position, whatever else is wrong with it', () => {
  refused('{"a":1,"a":2,}', /unexpected "}" at position 13/);
  refused('\ufeff{}', /position 0/);
  refused('{"a":NaN}', /position 5/);
  refused('{} {}', /position 3/);
  refused('{"a":"\\', /ends too early/);
});

test('every value that JSON can write is read as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) =>
      assert.deepEqual(read(JSON.stringify(value)), JSON.parse(JSON.stringify(value))),
    ),
  );
});

test('no text makes the look do anything but refuse or read', () => {
  const tokens = fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', '1', '-', 'e9', 'a', ' ', '"a"', 'null');
  fc.assert(
    fc.property(fc.array(tokens, { maxLength: 60 }), (parts) => {
      const text = parts.join('');
      try {
        read(text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'request-invalid', text);
      }
    }),
    { numRuns: 2000 },
  );
});
