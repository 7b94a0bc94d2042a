/**
 * Owns the proof that the address policy lets out nothing internal, in whatever spelling, and that the operator's ranges work.
 */
import { strict as assert } from 'node:assert';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAddressPolicy, toOctets } from '../../coordinator/egress/address-policy.ts';

const policy = createAddressPolicy({ allowedPrivateRanges: [], deniedRanges: [], ownAddresses: ['8.8.4.4'] });

const internal4 = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  internal4.addSubnet(network, bits);
internal4.addAddress('168.63.129.16');
internal4.addAddress('8.8.4.4');

const hex = (octets: readonly number[]): string => Buffer.from(octets).toString('hex');
const octets4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const nearInternal = fc
  .tuple(
    fc.constantFrom(0, 10, 100, 127, 168, 169, 172, 192, 198, 224, 240, 255),
    fc.nat(255),
    fc.nat(255),
    fc.nat(255),
  )
  .map((octets) => [...octets]);

test('an IPv4 address may be dialled exactly when an independent list of internal ranges does not hold it', () => {
  fc.assert(
    fc.property(fc.oneof(octets4, nearInternal), (octets) => {
      const text = octets.join('.');
      assert.equal(policy.whyDenied(text) !== null, internal4.check(text), text);
    }),
    { numRuns: 3000 },
  );
});

test('an IPv4 address inside an IPv6 one is judged as itself, in every carrier', () => {
  fc.assert(
    fc.property(fc.oneof(octets4, nearInternal), (octets) => {
      const dotted = octets.join('.');
      const digits = hex([...octets]);
      const groups = `${digits.slice(0, 4)}:${digits.slice(4)}`;
      for (const text of [`::ffff:${dotted}`, `::ffff:${groups}`, `64:ff9b::${groups}`, `2002:${groups}::1`])
        assert.equal(policy.whyDenied(text) !== null, internal4.check(dotted), text);
    }),
    { numRuns: 1000 },
  );
});

test('IPv6 that is not global unicast may not be dialled', () => {
  const refused = [
    '::',
    '::1',
    'fe80::1',
    'fec0::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '5f00::1',
    '4000::1',
    '::127.0.0.1',
    '2607:f8b0::5efe:10.0.0.1',
    'fe80::1%lo',
  ];
  for (const text of refused) assert.notEqual(policy.whyDenied(text), null, text);
  for (const text of ['2606:4700::1111', '2a00:1450:4001::200e']) assert.equal(policy.whyDenied(text), null, text);
});

test('documentation ranges may be dialled: registries resolve to them behind some networks', () => {
  for (const text of ['192.0.2.1', '198.51.100.7', '203.0.113.80', '2001:db8::1'])
    assert.equal(policy.whyDenied(text), null, text);
});

test('what is not an address may not be dialled', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      if (toOctets(text) === null) assert.notEqual(policy.whyDenied(text), null);
    }),
  );
});

test('every spelling of an IPv6 address has the same octets', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff, 0x0a0b), { minLength: 8, maxLength: 8 }), (groups) => {
      const long = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
      const short = new URL(`http://[${long}]/`).hostname.slice(1, -1);
      assert.deepEqual(toOctets(short), toOctets(long));
      assert.deepEqual(
        [...(toOctets(long) ?? [])],
        groups.flatMap((group) => [group >> 8, group & 255]),
      );
    }),
  );
});

test("the operator's allowed ranges open private addresses, also when they come mapped; denied ranges beat them", () => {
  const opened = createAddressPolicy({
    allowedPrivateRanges: ['10.1.0.0/16', 'fd12::/16'],
    deniedRanges: ['10.1.2.0/24', '9.9.9.9'],
    ownAddresses: [],
  });
  for (const text of ['10.1.0.1', '::ffff:10.1.0.1', 'fd12::7', '9.9.9.8'])
    assert.equal(opened.whyDenied(text), null, text);
  for (const text of ['10.2.0.1', '10.1.2.1', '::ffff:10.1.2.1', 'fd13::1', '9.9.9.9'])
    assert.notEqual(opened.whyDenied(text), null, text);
});

test('a range that can not be read is an error, never an open policy', () => {
  for (const range of ['10.0.0.0/33', '10.0.0/8', 'example.org', '::/129', '1.2.3.4/8/8'])
    assert.throws(
      () => createAddressPolicy({ allowedPrivateRanges: [], deniedRanges: [range], ownAddresses: [] }),
      /not an address/,
    );
});
