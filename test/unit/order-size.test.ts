/**
 * Owns the proof that what tests take from `run` can't make an order larger than a message: the largest that passes is one, what is refused says why,
 * and ordinary requests are not looked at twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkExecution } from '../../shared/http/request-checks.ts';
import type { ExecutionRequest } from '../../shared/model/execution.ts';
import { limitCeilings } from '../../shared/model/limits.ts';
import { toOrder } from '../../shared/protocol/lease-order.ts';
import { findOrderExcess } from '../../shared/protocol/order-size.ts';
import { CONTENT_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';

const requestWith = (run: Partial<ExecutionRequest['run']>, tests: ExecutionRequest['tests']): ExecutionRequest => ({
  environment: { base: 'debian-13' },
  run: { script: 'cat', ...run },
  ...(tests === undefined ? {} : { tests }),
});
const many = (count: number) => Array.from({ length: count }, (_, index) => ({ arguments: [String(index)] }));

function orderBytesOf(request: ExecutionRequest, variables: Readonly<Record<string, string>> = {}): number {
  const terms = {
    ...{ executionId: 'exec_00000000' as const, tenantId: 'tenant', layers: [], isOutputStreamed: false },
    environment: { id: 'env_1', variables },
  };
  return Buffer.byteLength(JSON.stringify(toOrder(request, terms as never, limitCeilings)));
}

test('an input for a thousand tests that makes half a gigabyte is refused at /tests, with what to do', () => {
  const request = requestWith({ stdin: 'x'.repeat(560_000) }, many(1000));
  assert.throws(() => checkExecution(request, limitCeilings), {
    code: 'request-invalid',
    message:
      /^\/tests take input or arguments from \/run, .* 56\d{7} bytes .* at most 83886080: put what is large into files, or send fewer tests$/,
  });
});

test('the largest that passes is a message, also of characters that JSON escapes and with arguments', () => {
  for (const text of ['x', '\u0001', 'é', '中', '\ud800']) {
    const unit = Buffer.byteLength(JSON.stringify(text)) - 2;
    const length = Math.floor((CONTENT_BYTES_MAX - 200_000) / 101 / unit);
    const request = requestWith({ stdin: text.repeat(length) }, many(100));
    assert.equal(findOrderExcess(request), null, text);
    const bytes = orderBytesOf(request);
    assert.ok(bytes > CONTENT_BYTES_MAX * 0.98 && bytes < MESSAGE_BYTES_MAX, `${text}: ${bytes}`);
    assert.ok(findOrderExcess(requestWith({ stdin: text.repeat(length + 12_000) }, many(100))) !== null, text);
  }
  const words = Array.from({ length: 1000 }, () => 'word'.repeat(25));
  const withArguments = (count: number) =>
    requestWith(
      { arguments: words },
      Array.from({ length: count }, () => ({ stdin: 'own' })),
    );
  assert.equal(findOrderExcess(withArguments(700)), null);
  assert.ok(orderBytesOf(withArguments(700)) < MESSAGE_BYTES_MAX);
  assert.ok(findOrderExcess(withArguments(900)) !== null);
});

test('what tests have of their own is told once, as it was sent', () => {
  const own = Array.from({ length: 30 }, () => ({ stdin: 'x'.repeat(1_000_000), arguments: [] }));
  assert.equal(findOrderExcess(requestWith({ stdin: 'y'.repeat(9_000_000), arguments: ['z'] }, own)), null);
  assert.equal(findOrderExcess(requestWith({ stdin: 'y'.repeat(30_000_000) }, undefined)), null);
});

test('variables are told with each script, and once more with its environment', () => {
  const variables = Object.fromEntries(Array.from({ length: 240 }, (_, index) => [`V${index}`, 'x'.repeat(131_072)]));
  const full: ExecutionRequest = {
    environment: { base: 'debian-13', variables },
    compile: { script: 'true' },
    run: { script: 'true' },
    tests: [{ expected: '' }],
    check: { kind: 'program', run: { script: 'true' } },
  };
  assert.throws(() => checkExecution(full, limitCeilings), {
    code: 'request-invalid',
    message: /^\/environment has variables that each script gets/,
  });
  // One that names its environment is looked at when that is ready.
  const named: ExecutionRequest = { environment: 'env_0123456789abcdefghij', run: { script: 'true' } };
  assert.equal(findOrderExcess(named), null);
  assert.equal(findOrderExcess(named, { own: variables, check: variables }), null);
  assert.equal(
    findOrderExcess({ ...named, compile: { script: 'true' } }, { own: variables, check: variables })?.pointer,
    '/environment',
  );
  for (const [request, times] of [
    [{ environment: full.environment, run: full.run }, 3],
    [full, 6],
  ] as const) {
    const part = Object.fromEntries(Object.entries(variables).slice(0, Math.floor((605 / (times + 1)) * 1.0)));
    const fitting: ExecutionRequest = { ...request, environment: { base: 'debian-13', variables: part } };
    assert.equal(findOrderExcess(fitting), null);
    const bytes = orderBytesOf(fitting, part);
    assert.ok(bytes < MESSAGE_BYTES_MAX, `${bytes}`);
  }
});
