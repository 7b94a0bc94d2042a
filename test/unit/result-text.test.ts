/**
 * Owns the proof that what an agent says of a result can be heard: it is never larger than a message, however much there is to say, and a coordinator of an
 * earlier release hears it as that release tells it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retell, tellResult } from '../../agent/connection/result-text.ts';
import { decodeAgentMessage, type LeaseResultMessage } from '../../shared/protocol/agent-messages.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/protocol/version.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';

const leased = { lease: 'lease_1', fence: 3 };
const all = ['result.packed', 'result.certificate'];
const sign = (result: LeaseResultMessage): LeaseResultMessage => ({ ...result, receipt: 'signed' });
const written = '\0'.repeat(5000);

function decode(text: string): LeaseResultMessage {
  const message = decodeAgentMessage(text);
  assert.ok(message.type === 'lease.completed');
  assert.deepEqual([message.lease, message.fence], [leased.lease, leased.fence]);
  return message.result;
}

test('a result is signed as it was and told as the coordinator takes it', () => {
  const unsigned = makeResult({ run: makeReport({ stdout: written }) });
  const { result, text } = tellResult(leased, unsigned, all, sign);
  assert.deepEqual(result, { ...unsigned, receipt: 'signed' });
  assert.deepEqual(decode(text).packed, ['/run/stdout']);
  assert.equal(decode(tellResult(leased, unsigned, [], sign).text).run?.stdout, written);
});

test('what can not be made to fit is a failure of its own that nobody tries again', () => {
  const uncollected = Array.from({ length: 8000 }, (_, index) => ({
    ...{ path: `${'\u0001'.repeat(4000)}${index}`, reason: 'too-large' as const, bytes: 1 },
  }));
  const { result, text } = tellResult(leased, { ...makeResult(), uncollected } as never, all, sign);
  assert.ok(Buffer.byteLength(text) <= MESSAGE_BYTES_MAX);
  assert.deepEqual([result.failure?.code, result.failure?.isRetryable], ['internal', false]);
  assert.deepEqual([decode(text).receipt, decode(text).verdict], ['signed', null]);
});

test('a packed text of an earlier connection is unpacked for who takes none', () => {
  const { text } = tellResult(leased, makeResult({ run: makeReport({ stdout: written }) }), all, sign);
  assert.equal(retell(text, all), text);
  const retold = decode(retell(text, []));
  assert.deepEqual([retold.packed, retold.run?.stdout, retold.receipt], [undefined, written, 'signed']);
  const plain = tellResult(leased, makeResult(), all, sign).text;
  assert.equal(retell(plain, []), plain);
});
