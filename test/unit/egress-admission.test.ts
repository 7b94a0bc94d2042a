/**
 * Owns the proof that only host names get through as hosts, and that patterns, headers and quotas mean what their schema says.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import fc from 'fast-check';
import { isHostMatched, toHostName, whyHostDenied } from '../../coordinator/egress/admission.ts';
import { hasCredentials, toClientHeaders, toUpstreamHeaders } from '../../coordinator/egress/headers.ts';
import { createLedger } from '../../coordinator/egress/ledger.ts';
import { defaultEgressPolicy, defaultEgressQuotas, EgressPolicy, EgressRecord } from '../../shared/model/egress.ts';

test('an address in any spelling is no host name', () => {
  for (const text of [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '017700000001',
    '1.2.3.4.',
    '::1',
    '[::1]',
    'a.0x1',
    'x.1',
    '',
    '.',
    '-a.example',
    'a..b',
    'a_b.example/',
    'a\u0000.example',
    'münchen.example',
    `${'a'.repeat(64)}.example`,
  ])
    assert.equal(toHostName(text), null, text);
  assert.equal(toHostName('Registry.Example.ORG.'), 'registry.example.org');
  assert.equal(toHostName('a_b-c.xn--p1ai'), 'a_b-c.xn--p1ai');
});

test('no host name is one that URL parsing takes for an address', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-fx.]{1,20}$/), (text) => {
      if (toHostName(text) === null || !URL.canParse(`http://${text}/`)) return;
      assert.doesNotMatch(new URL(`http://${text}/`).hostname, /^[\d.]+$|^\[/);
    }),
    { numRuns: 3000 },
  );
});

test('patterns: a name is itself, *.name is below it, * is every host', () => {
  assert.ok(isHostMatched('a.example', 'a.example'));
  assert.ok(!isHostMatched('a.example', 'b.a.example'));
  assert.ok(isHostMatched('*.a.example', 'b.a.example'));
  assert.ok(!isHostMatched('*.a.example', 'a.example'));
  assert.ok(!isHostMatched('*.a.example', 'xa.example'));
  assert.ok(isHostMatched('*', 'anything.example'));
  assert.ok(!Value.Check(EgressPolicy, { ...defaultEgressPolicy, allowHosts: ['a*.example'] }));
});

test('deny beats allow, and a bare word must be listed itself', () => {
  const policy = { ...defaultEgressPolicy, denyHosts: ['*.bad.example'] };
  assert.equal(whyHostDenied(policy, 'good.example'), null);
  assert.equal(whyHostDenied(policy, 'x.bad.example')?.code, 'host-denied');
  assert.equal(whyHostDenied(policy, 'intranet')?.code, 'host-denied');
  assert.equal(whyHostDenied({ ...policy, allowHosts: ['intranet'] }, 'intranet'), null);
  assert.equal(whyHostDenied({ ...policy, allowHosts: ['a.example'] }, 'b.example')?.code, 'host-denied');
});

test('headers cross raw and in order, without hop-by-hop, partial and Connection-listed ones', () => {
  const raw = [
    'Host',
    'x',
    'X-A',
    '1',
    'x-a',
    '2',
    'Connection',
    'keep-alive, X-Private',
    'X-Private',
    'p',
    'Range',
    'bytes=0-1',
    'If-None-Match',
    '"e"',
    'TE',
    'trailers',
    'Content-Length',
    '0',
    'Accept',
    '*/*',
  ];
  assert.deepEqual(toUpstreamHeaders(raw, 'a.example', false), [
    'Host',
    'a.example',
    'X-A',
    '1',
    'x-a',
    '2',
    'Accept',
    '*/*',
  ]);
  assert.deepEqual(toUpstreamHeaders(['Host', 'x'], 'a.example', true), [
    'Host',
    'a.example',
    'Transfer-Encoding',
    'chunked',
  ]);
  assert.deepEqual(
    toClientHeaders(['Set-Cookie', 'a', 'Set-Cookie', 'b', 'Transfer-Encoding', 'chunked', 'ETag', '"e"']),
    ['Set-Cookie', 'a', 'Set-Cookie', 'b', 'ETag', '"e"'],
  );
});

test('authorization, cookies and token headers are credentials', () => {
  for (const name of ['Authorization', 'cookie', 'PRIVATE-TOKEN']) assert.ok(hasCredentials([name, 'x']), name);
  assert.ok(!hasCredentials(['User-Agent', 'authorization']));
});

function ledgerOf(quotas: Partial<typeof defaultEgressQuotas>): [ReturnType<typeof createLedger>, EgressRecord[]] {
  const records: EgressRecord[] = [];
  return [
    createLedger({ ...defaultEgressQuotas, ...quotas }, (line) => records.push(JSON.parse(line) as EgressRecord)),
    records,
  ];
}

test('quotas: the last allowed request, host and byte pass, the next do not', () => {
  const [ledger] = ledgerOf({ requestsMax: 3, hostsMax: 1, bytesMax: 10 });
  assert.equal(ledger.admit('a.example'), null);
  assert.match(ledger.admit('b.example')?.sentence ?? '', /quota of 1 hosts/);
  assert.equal(ledger.admit('a.example'), null);
  assert.match(ledger.admit('a.example')?.sentence ?? '', /quota of 3 requests/);
  assert.equal(ledger.take(10), null);
  assert.equal(ledger.take(1)?.code, 'quota-exceeded');
  assert.ok(!ledger.isTooMuch(0));
});

test('records of too many bytes are a quota, too: nobody holds the long URLs of fifty thousand requests', () => {
  const [ledger] = ledgerOf({});
  const url = `https://a.example/${'x'.repeat(16_000)}`;
  const record = { kind: 'artefact', url, method: 'GET', httpCode: 200, sha256: '0'.repeat(64), bytes: 0 } as const;
  const rest = {
    contentEncoding: null,
    location: url,
    commits: [],
    isWithCredentials: false,
    isComplete: true,
  };
  let admitted = 0;
  for (; ledger.admit('a.example') === null; admitted += 1)
    ledger.write({ ...record, ...rest, source: 'upstream', mirror: null });
  assert.ok(admitted > 1000 && admitted * 32_000 < 34 * 1024 ** 2, `${admitted}`);
  const refusal = ledger.admit('a.example');
  assert.deepEqual(
    [refusal?.code, /quota of 33554432 bytes of URLs/.test(refusal?.sentence ?? '')],
    ['quota-exceeded', true],
  );
});

test('a flood of refusals is cut off but counted, records follow their schema, nothing comes after the summary', () => {
  const [ledger, records] = ledgerOf({});
  for (let at = 0; at < 5000; at++) ledger.refuse('https://a.example/?token=1', 'host-denied', 'no');
  ledger.close();
  ledger.refuse('https://a.example/', 'host-denied', 'late');
  assert.ok(records.length <= 2001);
  assert.ok(records.every((record) => Value.Check(EgressRecord, record)));
  assert.deepEqual(records.at(-1), {
    kind: 'summary',
    requests: 0,
    artefacts: 0,
    refusals: 5000,
    bytes: 0,
    connections: 0,
    hosts: 0,
  });
});
