/**
 * Owns the proof of trust states: who may sign one, that none is older than one seen before, what an old one still allows, and what it revokes.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { toTimestamp } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { ManifestTrust } from '../../shared/layers/manifest-trust.ts';
import { RevocationList } from '../../shared/layers/revocation-list.ts';
import { TrustMemory } from '../../shared/layers/trust-memory.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { Envelope } from '../../shared/model/manifest.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';
import { revocation, trustState } from '../support/trust-states.ts';

const [old, next, stranger] = [createTestKey(), createTestKey(), createTestKey()];
const layer = createTestLayer(old.signing, 'one');
const { envelope } = layer.reference;
const withCode =
  (code: string, text = /./) =>
  (error: unknown) =>
    error instanceof SystemError && error.code === code && text.test(error.message);

test('a state that is older than one seen before is refused as rolled back, and the newer one stays in force', () => {
  const trust = new ManifestTrust();
  const revoked = { revocations: [revocation('layer', layer.manifest.tar.digest)] };
  assert.equal(trust.accept(trustState([old.signing], 7, revoked)), true);
  assert.throws(() => trust.accept(trustState([old.signing], 6)), withCode('trust-refused', /rolled back/));
  assert.equal(trust.catchUp(trustState([old.signing], 6)), false, 'an order that was overtaken is no attack');
  assert.throws(() => trust.open(envelope), withCode('layer-revoked', /a test/));
  assert.equal(trust.accept(trustState([old.signing], 7, revoked)), false);
  assert.equal(trust.version, 7);
});

test('the first state is believed, or the one of a named key; the ones after it need a key that is trusted already', () => {
  const trust = new ManifestTrust();
  trust.accept(trustState([old.signing]));
  const refused = withCode('trust-refused', /no trusted key/);
  assert.throws(() => trust.accept(trustState([stranger.signing], 2)), refused);
  // It names the old key, which did not sign it; and the old key signs for a state that names only another.
  assert.throws(
    () => trust.accept(trustState([stranger.signing], 2, { keys: [old.trusted, stranger.trusted] })),
    refused,
  );
  assert.throws(() => trust.accept(trustState([old.signing], 2, { keys: [stranger.trusted] })), refused);
  trust.accept(trustState([next.signing, old.signing], 3));
  trust.accept(trustState([next.signing], 4));
  assert.throws(() => trust.accept(trustState([old.signing], 5)), refused);
  const pinned = new ManifestTrust([], { keyIds: [next.trusted.keyid] });
  assert.throws(() => pinned.accept(trustState([stranger.signing])), refused);
  const lying = { ...stranger.trusted, keyid: next.trusted.keyid };
  assert.throws(() => pinned.accept(trustState([stranger.signing], 1, { keys: [lying] })), refused);
  pinned.accept(trustState([next.signing]));
});

test('what is no trust state is none: another type, another form, one byte changed', () => {
  const good = trustState([old.signing]);
  fc.assert(
    fc.property(fc.nat({ max: good.payload.length - 1 }), fc.constantFrom('A', 'z', '0'), (at, letter) => {
      fc.pre(good.payload[at] !== letter);
      const payload = good.payload.slice(0, at) + letter + good.payload.slice(at + 1);
      assert.throws(() => new ManifestTrust().accept({ ...good, payload }), withCode('trust-refused'));
    }),
    { numRuns: 200 },
  );
  const refused = withCode('trust-refused');
  assert.throws(() => new ManifestTrust().accept(envelope), refused);
  assert.throws(() => new ManifestTrust().accept({ ...good, payloadType: envelope.payloadType }), refused);
  assert.throws(() => new ManifestTrust().accept({ ...good, signatures: envelope.signatures }), refused);
});

test('past its ttl a state lets nothing new in, past its end nothing is used', () => {
  const clock = { at: Date.now(), nowMs: () => clock.at };
  const trust = new ManifestTrust([], { clock, ttlMs: 300_000 });
  trust.accept(trustState([old.signing]));
  clock.at += 299_000;
  trust.checkFresh();
  clock.at += 2000;
  assert.throws(() => trust.checkFresh(), withCode('trust-expired', /301 s old/));
  assert.deepEqual(trust.open(envelope), layer.manifest, 'what is here already may be used');
  clock.at += 3_600_000;
  assert.throws(() => trust.open(envelope), withCode('trust-expired', /has ended/));
  const times = { issuedAt: toTimestamp(clock.at), expires: toTimestamp(clock.at + 1000) };
  trust.accept(trustState([old.signing], 2, times));
  trust.checkFresh();
  assert.deepEqual(trust.open(envelope), layer.manifest);
});

test('each kind of revocation hits what it names and nothing else', () => {
  const { tar, key, builtAt } = layer.manifest;
  const later = toTimestamp(Date.parse(builtAt) + 1);
  const open = (...revocations: ReturnType<typeof revocation>[]) => {
    const trust = new ManifestTrust();
    trust.accept(trustState([old.signing, next.signing], 1, { revocations }));
    return () => trust.open(envelope);
  };
  const revoked = withCode('layer-revoked');
  assert.throws(open(revocation('layer', tar.digest)), revoked);
  assert.throws(open(revocation('key', key)), revoked);
  assert.throws(open(revocation('signing-key', old.trusted.keyid)), revoked);
  assert.throws(open(revocation('built-before', builtAt), revocation('built-before', later)), revoked);
  open(revocation('built-before', builtAt))();
  open(revocation('layer', layer.manifest.blob.digest), revocation('key', `${key}x`))();
  open(revocation('signing-key', next.trusted.keyid))();
});

test('a list finds the same as looking at every revocation in turn, in whatever order they come', () => {
  const kinds = fc.constantFrom('layer' as const, 'key' as const, 'built-before' as const);
  const moments = fc.integer({ min: 0, max: 20 }).map((days) => toTimestamp(Date.UTC(2026, 0, 1 + days)));
  const some = fc.tuple(kinds, fc.constantFrom('a', 'b', 'c'), moments);
  fc.assert(
    fc.property(
      fc.array(some),
      fc.constantFrom('a', 'b'),
      fc.constantFrom('b', 'c'),
      moments,
      (all, digest, key, builtAt) => {
        const revocations = all.map(([kind, name, moment]) =>
          revocation(kind, kind === 'built-before' ? moment : name),
        );
        const expected = revocations.some(({ kind, value }) => {
          if (kind === 'layer') return value === digest;
          return kind === 'key' ? value === key : Date.parse(builtAt) < Date.parse(value);
        });
        const manifest = { ...layer.manifest, tar: { ...layer.manifest.tar, digest }, key, builtAt };
        assert.equal(new RevocationList(revocations).find(manifest) !== null, expected);
      },
    ),
  );
});

test('only a fatal revocation ends whoever uses a layer now', () => {
  const fatalOf = (...revocations: ReturnType<typeof revocation>[]) => {
    const trust = new ManifestTrust();
    trust.accept(trustState([old.signing, next.signing], 1, { revocations }));
    return trust.fatal(envelope)?.code ?? null;
  };
  const { digest } = layer.manifest.tar;
  assert.equal(fatalOf(revocation('layer', digest)), null);
  assert.equal(fatalOf(revocation('layer', digest, true)), 'layer-revoked');
  assert.equal(fatalOf(revocation('signing-key', old.trusted.keyid, true)), 'layer-revoked');
  assert.equal(fatalOf(revocation('signing-key', next.trusted.keyid, true)), null);
});

test('what was seen is remembered on the disk, so that a restart can not be shown an older state', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'trust-'));
  context.after(() => rm(folder, { recursive: true }));
  const open = async () => {
    const memory = new TrustMemory(join(folder, 'state'), silentLogger);
    const trust = new ManifestTrust([], { remember: (seen: Envelope) => memory.keep(seen) });
    const remembered = await memory.read();
    if (remembered !== null) trust.restore(remembered);
    return { memory, trust };
  };
  const first = await open();
  assert.equal(await first.memory.read(), null);
  for (const version of [1, 2, 3]) first.trust.accept(trustState([old.signing], version));
  await first.memory.settled();
  const second = await open();
  assert.equal(second.trust.version, 3);
  assert.throws(() => second.trust.accept(trustState([old.signing], 2)), withCode('trust-refused', /rolled back/));
  assert.throws(() => second.trust.accept(trustState([stranger.signing], 9)), withCode('trust-refused'));
  await writeFile(join(folder, 'state/trust.json'), '{"payload');
  await assert.rejects(open(), withCode('trust-refused', /trust.json can't be read; remove it/));
});
