/**
 * Owns the proof of which headers name a place in a trace, as W3C Trace Context says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromTraceparent, TRACEPARENT, toTraceparent } from '../../shared/tracing/traceparent.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

test('a header that is right names its place, and says whether it is looked at', () => {
  const context = { traceId: trace, spanId: span };
  assert.deepEqual(fromTraceparent(`00-${trace}-${span}-01`), { context, isSampled: true });
  assert.deepEqual(fromTraceparent(`00-${trace}-${span}-02`), { context, isSampled: false });
  assert.deepEqual(fromTraceparent(`cc-${trace}-${span}-01-what-comes-later`), { context, isSampled: true });
  assert.deepEqual(fromTraceparent(toTraceparent(context)), { context, isSampled: true });
  assert.match(toTraceparent(context), new RegExp(TRACEPARENT));
});

test('anything else is as if it were not there', () => {
  const wrong = [
    ...[undefined, '', 'x', `00-${trace}-${span}`, `ff-${trace}-${span}-01`, `00-${trace}-${span}-01-more`],
    ...[`00-${'0'.repeat(32)}-${span}-01`, `00-${trace}-${'0'.repeat(16)}-01`, `00-${trace.toUpperCase()}-${span}-01`],
  ];
  for (const text of wrong) assert.equal(fromTraceparent(text), null, text);
});
