/**
 * Owns the proof of which URLs a webhook may have: every way in which a client might name an address that is not public, or a door that is no receiver's.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { CoordinatorConfig } from '../../coordinator/config.ts';
import { findConfigProblems } from '../../coordinator/config-problems.ts';
import { type ReceiverRules, whyRefused } from '../../coordinator/deliveries/receiver-rules.ts';
import { createAddressPolicy } from '../../coordinator/egress/address-policy.ts';

function rulesOf(allowedPrivateRanges: readonly string[] = [], more: Partial<ReceiverRules> = {}): ReceiverRules {
  const addresses = createAddressPolicy({
    ...{ allowedPrivateRanges, deniedRanges: ['203.0.113.9'], ownAddresses: ['198.51.100.7'] },
  });
  return { addresses, allowsPlainHttp: false, ports: ['443', '8443'], ...more };
}

test('a public receiver by https is allowed, by its name or its address', () => {
  for (const url of ['https://judge.example/hook?token=a%20b', 'https://203.0.113.10:8443/', 'https://[2a00:1::1]/']) {
    assert.equal(whyRefused(url, rulesOf()), null, url);
  }
});

test('every spelling of an address that is not public is refused', () => {
  const hosts = [
    ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0.0.0.0', '0', '10.1.2.3', '172.16.0.1'],
    ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '168.63.129.16', '192.0.0.192', '224.0.0.1', '255.255.255.255'],
    ...[
      '[::1]',
      '[::]',
      '[fe80::1]',
      '[fc00::1]',
      '[fd00:ec2::254]',
      '[ff02::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:a00:1]',
    ],
    ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[2001::1]', '127.0.0.1.', '①②⑦.0.0.1', '198.51.100.7', '203.0.113.9'],
  ];
  for (const host of hosts) assert.notEqual(whyRefused(`https://${host}/`, rulesOf()), null, host);
});

test('schemes, ports, names and passwords, and fragments are refused with what to do', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['http://judge.example/', /must begin with https:$/],
    ['ftp://judge.example/', /must begin with https:/],
    ['file:///etc/passwd', /is no URL of a receiver/],
    ['javascript:alert(1)', /is no URL|must begin/],
    ['judge.example/hook', /is no URL/],
    ['https://', /is no URL/],
    ['https://user:word@judge.example/', /signature/],
    ['https://user@judge.example/', /signature/],
    ['https://judge.example/#part', /fragment/],
    ['https://judge.example:22/', /port 22; webhooks are sent to ports 443, 8443/],
    ['https://judge.example:65536/', /is no URL/],
  ];
  for (const [url, why] of refused) assert.match(whyRefused(url, rulesOf()) ?? '', why, url);
});

test('a range that can not be read ends the start with a sentence', () => {
  const config = { ...Value.Create(CoordinatorConfig), webhookPrivateRanges: ['10.0.0.0/8', '10.0.0/24'] };
  const problems = findConfigProblems({ ...config, webhookDeniedRanges: ['localhost'] });
  assert.equal(problems.length, 2);
  assert.match(
    problems.join(),
    /webhookPrivateRanges: 10\.0\.0\/24 is no address.*webhookDeniedRanges: localhost is no/,
  );
});

test('the operator may allow what is private, what is plain, and any port; what it denies stays denied', () => {
  const local = rulesOf(['127.0.0.1/32', 'fd00::/8'], { allowsPlainHttp: true, ports: ['*'] });
  assert.equal(whyRefused('http://127.0.0.1:3000/hook', local), null);
  assert.equal(whyRefused('https://[fd00::1]/', local), null);
  assert.equal(whyRefused('https://[::ffff:127.0.0.1]/', local), null, 'an address is judged as itself');
  assert.notEqual(whyRefused('http://127.0.0.2/', local), null);
  assert.notEqual(whyRefused('https://203.0.113.9/', local), null);
});
