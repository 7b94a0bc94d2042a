/**
 * Owns the proof that results fit into messages whatever programs write, and arrive as they were.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestResult } from '../../shared/model/judging.ts';
import { decodeAgentMessage, type LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import { encodeMessage } from '../../shared/protocol/catalog.ts';
import { fitResult, packResult, unpackResult } from '../../shared/protocol/packed-outputs.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';

const MEBIBYTE = 1024 * 1024;
const nothing = '\0'.repeat(5000);
const newlines = '\n'.repeat(5000);
const usual = 'a line of "text"\n'.repeat(300);

function tell(result: LeaseResultMessage): string {
  return encodeMessage({ type: 'lease.completed', lease: 'lease_1', fence: 1, result });
}

/** What arrives of it. */
function pass(result: LeaseResultMessage): LeaseResultMessage {
  const message = decodeAgentMessage(tell(packResult(result)));
  assert.ok(message.type === 'lease.completed');
  return unpackResult(message.result);
}

function testOf(stdout: string, checked: string | null): TestResult {
  const check = checked === null ? null : { message: '', score: 1, report: makeReport({ stderr: checked }) };
  return { name: '1', outcome: 'accepted', report: makeReport({ stdout }), check };
}

test('outputs that JSON makes long are packed, others are not, and all arrive as they were', () => {
  const result = makeResult({
    compile: makeReport({ stdout: usual, stderr: nothing }),
    run: makeReport({
      stdout: '\u0001é€😀'.repeat(1000),
      stderr: Buffer.alloc(3000, 0xff).toString('base64'),
      stderrEncoding: 'base64',
    }),
    tests: [testOf(nothing, null), testOf(usual, nothing), testOf(newlines, '')],
    check: { layers: [], compile: makeReport({ stdout: nothing }) },
  });
  const packed = ['/compile/stderr', '/run/stdout', '/tests/0/report/stdout', '/tests/1/check/report/stderr'];
  assert.deepEqual(packResult(result).packed, [...packed, '/tests/2/report/stdout', '/check/compile/stdout']);
  assert.deepEqual(pass(result), result);
  assert.equal(packResult(makeResult()).packed, undefined);
});

test('what nobody packs so is refused', () => {
  const result = makeResult({ run: makeReport({ stdout: 'aGVsbG8=', stderr: 'x' }) });
  assert.equal(unpackResult({ ...result, packed: ['/run/stdout'] }).run?.stdout, 'hello');
  const encoded = makeResult({ run: makeReport({ stdout: 'aGVsbG8=', stdoutEncoding: 'base64' }) });
  for (const [wrong, pointer] of [
    [result, '/run/stderr'],
    [result, '/compile/stdout'],
    [result, '/tests/0/report/stdout'],
    [encoded, '/run/stdout'],
    [makeResult({ run: makeReport({ stdout: '/w==' }) }), '/run/stdout'],
  ] as const) {
    assert.throws(() => unpackResult({ ...wrong, packed: [pointer] }), /packed|no output/, pointer);
  }
  assert.throws(() => decodeAgentMessage(tell({ ...result, packed: ['/run/__proto__'] })), /packed/);
});

test('the largest outputs that the usual limits allow fit, whatever is in them', () => {
  for (const text of ['\0'.repeat(16 * MEBIBYTE), '"'.repeat(16 * MEBIBYTE), 'x'.repeat(16 * MEBIBYTE)]) {
    const result = makeResult({ run: makeReport({ stdout: text, stderr: text }) });
    const fitted = fitResult(result, true);
    assert.ok(fitted === result);
    assert.ok(Buffer.byteLength(tell(packResult(fitted))) <= MESSAGE_BYTES_MAX);
    assert.ok(pass(fitted).run?.stdout === text);
  }
});

for (const isPacking of [true, false]) {
  test(`what does not fit even so is cut and says it; ${isPacking ? 'packed' : 'for who takes nothing packed'}`, () => {
    for (const letter of ['\0', '😀', 'x']) {
      const long = letter.repeat((36 * MEBIBYTE) / letter.length);
      const compile = makeReport({ stdout: 'short', stderr: long });
      const run = makeReport({ stdout: long, stderr: Buffer.from(long).toString('base64'), stderrEncoding: 'base64' });
      const fitted = fitResult(makeResult({ compile, run }), isPacking);
      const told = tell(isPacking ? packResult(fitted) : fitted);
      assert.ok(Buffer.byteLength(told) <= MESSAGE_BYTES_MAX, `${Buffer.byteLength(told)} bytes of ${letter}`);
      assert.ok(Buffer.byteLength(told) >= MESSAGE_BYTES_MAX * 0.95, `${Buffer.byteLength(told)} bytes of ${letter}`);
      assert.deepEqual([fitted.compile?.stdout, fitted.compile?.stdoutTruncated], ['short', false]);
      assert.deepEqual([fitted.run?.stdoutTruncated, fitted.run?.stderrTruncated], [true, true]);
      assert.ok(long.startsWith(fitted.run?.stdout ?? 'nothing') && fitted.run?.stdout.isWellFormed());
      assert.ok(
        Buffer.from(long)
          .subarray(0, 1000)
          .equals(Buffer.from(fitted.run?.stderr ?? '', 'base64').subarray(0, 1000)),
      );
    }
  });
}

test('what checks say of a thousand tests is counted, and outputs have what it leaves', () => {
  const message = '\u0001'.repeat(4096);
  const output = '\u0001'.repeat(15 * 1024);
  const report = makeReport({ stdout: output, stderr: output });
  const tests = Array.from({ length: 1000 }, (_, index): TestResult => {
    return { name: `${index}`, outcome: 'wrong-answer', report, check: { message, score: 0, report } };
  });
  for (const isPacking of [true, false]) {
    const fitted = fitResult(makeResult({ tests }), isPacking);
    const bytes = Buffer.byteLength(tell(isPacking ? packResult(fitted) : fitted));
    assert.ok(bytes <= MESSAGE_BYTES_MAX && bytes >= MESSAGE_BYTES_MAX * 0.7, `${bytes} bytes`);
    assert.ok(fitted.tests?.every(({ check }) => check?.message === message));
    assert.equal(fitted.tests?.[999]?.report?.stdoutTruncated, true);
  }
});

test('names of files are counted, too', () => {
  const files = Array.from({ length: 2000 }, (_, index) => ({
    ...{
      path: `${'\u0001'.repeat(4000)}${index}`,
      fileId: 'file_00000000',
      bytes: 1,
      sha256: '0'.repeat(64),
      isExecutable: false,
    },
  }));
  const result = {
    ...makeResult({ run: makeReport({ stdout: '\0'.repeat(13 * MEBIBYTE), stderr: 'x'.repeat(40 * MEBIBYTE) }) }),
    files,
  };
  const fitted = fitResult(result as never, true) as LeaseResultMessage;
  assert.ok(Buffer.byteLength(tell(packResult(fitted))) <= MESSAGE_BYTES_MAX);
  assert.equal(fitted.run?.stderrTruncated, true);
});

test('of what is a little too much nearly all is told', () => {
  const long = '\0'.repeat(18 * MEBIBYTE);
  const report = makeReport({ stdout: long, stderr: long });
  const { compile, run } = fitResult(makeResult({ compile: report, run: report }), true);
  for (const text of [compile?.stdout, compile?.stderr, run?.stdout, run?.stderr])
    assert.ok((text?.length ?? 0) > 17 * MEBIBYTE && text !== long, `${text?.length}`);
});

test('an output that is plain at first and not later is counted as it is told', () => {
  const mixed = 'x'.repeat(24 * MEBIBYTE) + '\0'.repeat(8 * MEBIBYTE);
  const report = makeReport({ stdout: mixed, stderr: mixed });
  const fitted = fitResult(makeResult({ compile: report, run: report }), true);
  const bytes = Buffer.byteLength(tell(packResult(fitted)));
  assert.ok(bytes <= MESSAGE_BYTES_MAX && bytes > MESSAGE_BYTES_MAX * 0.9, `${bytes} bytes`);
});
