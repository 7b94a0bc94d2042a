/**
 * Owns what the console writes for people, and what it reads out of streams, logs and receipts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countCertificates, toCertificateText } from '../../coordinator/pages/console/certificates.ts';
import { toHeat } from '../../coordinator/pages/console/heat.ts';
import { findConcerns, toFigures } from '../../coordinator/pages/console/overview-facts.ts';
import { readProvenance } from '../../coordinator/pages/console/provenance-text.ts';
import { EventLines } from '../../coordinator/pages/foundation/event-lines.ts';
import {
  toAgeText,
  toBytesText,
  toPercentText,
  toShort,
  toTimeText,
} from '../../coordinator/pages/foundation/formats.ts';
import { findUses } from '../../coordinator/pages/foundation/limit-use.ts';
import { toPlainText, toTail } from '../../coordinator/pages/foundation/plain-text.ts';
import { readReceipt } from '../../coordinator/pages/foundation/receipt-text.ts';
import { limitDefaults } from '../../shared/model/limits.ts';
import { makeReport } from '../support/lease-results.ts';

test('bytes, times, ages and parts are written in the largest unit of which there is one', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 10 * 1024 ** 2, 5 * 1024 ** 4].map(toBytesText), [
    ...['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '10 MiB', '5.0 TiB'],
  ]);
  assert.deepEqual([0, 0.04, 2.5, 240, 1500, 59_900, 61_000, 7_260_000].map(toTimeText), [
    ...['0 ms', '0.04 ms', '2.5 ms', '240 ms', '1.50 s', '59.9 s', '1 min 1 s', '2 h 1 min'],
  ]);
  const nowMs = Date.parse('2026-01-02T00:00:00.000Z');
  assert.equal(toAgeText('2026-01-01T23:59:30.000Z', nowMs), '30 s ago');
  assert.equal(toAgeText('2026-01-02T00:00:05.000Z', nowMs), '0 s ago', 'another clock may be ahead');
  assert.equal(toAgeText(null, nowMs), '–');
  assert.deepEqual([0, 0.0004, 0.004, 0.5, 1].map(toPercentText), ['0 %', '< 0.1 %', '0.4 %', '50 %', '100 %']);
  assert.equal(toShort(`sha256:${'ab'.repeat(32)}`), 'abababababab…');
});

test('of what a build writes for a terminal the text stays', () => {
  const esc = '\u001b';
  assert.equal(toPlainText(`${esc}[1;31mred${esc}[0m ${esc}]0;title\u0007end\n`), 'red end\n');
  assert.equal(toPlainText('10 %\r50 %\r100 %\nnext\r\n'), '100 %\nnext\n');
  assert.equal(toPlainText(`a\u0000b\u202ec${esc}`), 'abc');
  assert.equal(toPlainText('<b>&amp;</b>'), '<b>&amp;</b>', 'nothing is escaped twice');
  assert.equal(toTail('one\ntwo\nthree', 8), 'three');
  assert.equal(toTail('short', 8), 'short');
});

test('events are told once, however their text is cut', () => {
  const text =
    'id: 1\nevent: state\ndata: {"state":"queued"}\n\n: ping\n\nid: 2\nevent: build.log\ndata: {"text":"a\\n"}\n\n';
  const expected = [
    { name: 'state', data: { state: 'queued' }, id: '1' },
    { name: 'build.log', data: { text: 'a\n' }, id: '2' },
  ];
  for (const size of [1, 3, 50, text.length]) {
    const lines = new EventLines();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...lines.take(text.slice(at, at + size)));
    assert.deepEqual(events, expected);
  }
});

test('certificates are counted by agent and kind', () => {
  const agent = { id: 'agent_a', name: 'a', pool: 'default' };
  const counts = countCertificates([
    { agent, clean: true },
    { agent, clean: 'unprovable' },
    { agent, clean: true },
    { agent, clean: null },
    { agent: null, clean: false },
  ]);
  assert.equal(toCertificateText(counts.get('agent_a')), '2 clean, 1 unprovable');
  assert.equal(toCertificateText(undefined), '–');
});

test('a layer loses half of its heat in a day', () => {
  const nowMs = Date.parse('2026-01-03T00:00:00.000Z');
  assert.deepEqual(
    ['2026-01-03T00:00:00.000Z', '2026-01-02T00:00:00.000Z', '2026-01-01T00:00:00.000Z'].map((at) => toHeat(at, nowMs)),
    [1, 0.5, 0.25],
  );
});

test('what was used is held against the limits of the receipt, if that says them', () => {
  const statement = { agent: 'agent_ü', compile: null, run: { limits: limitDefaults.run } };
  const read = readReceipt(`${Buffer.from(JSON.stringify(statement)).toString('base64url')}.signature`);
  assert.equal(read?.agent, 'agent_ü');
  const uses = findUses({ compile: null, run: makeReport() }, read?.limits ?? {});
  const memory = uses.find(({ what }) => what.startsWith('Memory'));
  assert.deepEqual(memory, {
    script: 'run',
    what: 'Memory at its peak',
    used: 4096,
    allowed: 512 * 1024 * 1024,
    unit: 'bytes',
    limit: 'memoryBytes',
  });
  assert.equal(findUses({ compile: null, run: makeReport() }, {})[0]?.allowed, null);
  assert.equal(readReceipt('no receipt'), null);
});

test('a statement of provenance is read, and what is none is nothing', () => {
  const buildDefinition = {
    externalParameters: { setup: 'true' },
    internalParameters: { key: 'k', specDigest: 's', areMaterialsComplete: true },
    resolvedDependencies: [
      { uri: 'urn:envicutor:layer', digest: { sha256: 'aa' } },
      {
        uri: 'http://origin.test/ü',
        digest: { sha256: 'bb' },
        annotations: { method: 'GET', bytes: 3, source: 'upstream' },
      },
    ],
  };
  const statement = { predicate: { buildDefinition, runDetails: { metadata: { finishedOn: 'then' } } } };
  const read = readProvenance(Buffer.from(JSON.stringify(statement)).toString('base64'));
  assert.deepEqual([read?.builtAt, read?.key, read?.isComplete], ['then', 'k', true]);
  assert.deepEqual(read?.materials, [
    { uri: 'urn:envicutor:layer', digest: 'aa', method: null, bytes: null, source: 'a layer below' },
    { uri: 'http://origin.test/ü', digest: 'bb', method: 'GET', bytes: 3, source: 'upstream' },
  ]);
  assert.equal(readProvenance('e30='), null);
});

test('what wants somebody is said, and nothing else', () => {
  const queue = { tenant: 'one', weight: 1, waiting: 0, running: 0, share: 0, begunInMinute: 0, forecastMs: 0 };
  const refused = { rate: 0, queue: 0, time: 0 };
  const queues = {
    ...{ waiting: 0, waitingMax: 10, running: 0, slots: { total: 2, free: 2 }, builds: 0, itemsNotShown: 0 },
    items: [{ ...queue, refused }],
  };
  const well = { readiness: { state: 'ready', problems: [] }, queues, agents: [], executions: [] };
  assert.deepEqual(findConcerns(well), []);
  const full = {
    ...queues,
    waiting: 3,
    slots: { total: 2, free: 0 },
    items: [{ ...queue, refused: { ...refused, rate: 1 } }],
  };
  const problems = [{ requirement: 'builder', detail: 'it is gone' }];
  const said = findConcerns({ ...well, queues: full, readiness: { state: 'not-ready', problems } }).map(
    ({ text }) => text,
  );
  assert.deepEqual(said, [
    'builder does not answer: it is gone',
    '1 tenant was refused something',
    '3 executions wait and no slot is free',
  ]);
  assert.deepEqual(toFigures({ ...well, queues: full })[0], ['Slots taken', '2', 'of 2', '#/fleet']);
});
