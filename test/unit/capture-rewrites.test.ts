/**
 * Owns the proof that dates and identities which installing a package invents are the same in every layer, and that nothing else is touched.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewritten } from '../../coordinator/builder/capture-rewrites.ts';
import { isDropped } from '../../coordinator/builder/capture-rules.ts';
import { trustStoreDigest } from '../../coordinator/egress/trust-store.ts';
import { capture, temporaryFolder } from '../support/captured.ts';
import { type Piece, tarOf } from '../support/tar-pieces.ts';

const change = (path: string, content: string | Buffer): string | null => {
  const body = Buffer.from(content);
  return rewritten(path, body.length, () => body)?.toString('latin1') ?? null;
};

test('the day on which a password was set is the day that builds are told, older days and marks stay', () => {
  const before =
    'root:*:20785:0:99999:7:::\nold:!:100:0:99999:7:::\nforced:x:0:0:99999:7:::\nnever:!::0:99999:7:::\nodd:x:y\n';
  const after = before.replace('20785', '18262');
  for (const path of ['etc/shadow', 'etc/shadow-']) assert.equal(change(path, before), after, path);
  assert.equal(change('etc/shadow', after), after);
  assert.equal(change('environment/etc/shadow', before), null);
  assert.equal(change('etc/passwd', before), null);
});

test("a machine's identity is one fixed valid identity; an empty or unset one stays", () => {
  const [one, two] = ['0123456789abcdef0123456789abcdef\n', 'fedcba9876543210fedcba9876543210'];
  assert.equal(change('etc/machine-id', one), change('var/lib/dbus/machine-id', two));
  assert.match(change('etc/machine-id', one) ?? '', /^[0-9a-f]{32}\n$/);
  for (const content of ['', 'uninitialized\n', `${one}more`]) assert.equal(change('etc/machine-id', content), null);
});

/** A store of entries as Java writes them; tag 2 is a trusted certificate, 1 a private key. */
function javaStore(dates: readonly bigint[], tag = 2): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
  const entries = dates.map((date, index) => {
    const [kind, when, size] = [Buffer.alloc(4), Buffer.alloc(8), Buffer.alloc(4)];
    kind.writeUInt32BE(tag);
    when.writeBigUInt64BE(date);
    size.writeUInt32BE(3);
    return Buffer.concat([kind, text(`alias-${index}`), when, text('X.509'), size, Buffer.from('der')]);
  });
  const head = Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, dates.length]);
  const contents = Buffer.concat([head, ...entries]);
  return Buffer.concat([contents, trustStoreDigest(contents)]);
}

test("the dates of Java's trusted certificates are those that builds are told, under a digest that Java accepts", () => {
  const epoch = 1_577_836_800_000n;
  const path = 'etc/ssl/certs/java/cacerts';
  const expected = javaStore([epoch, epoch]).toString('latin1');
  assert.equal(change(path, javaStore([1n, 2n])), expected);
  assert.equal(change(path, javaStore([3n, 4n])), expected);
  const store = javaStore([1n, 2n]);
  const flipped = Buffer.from(store);
  flipped[20] = (flipped[20] ?? 0) ^ 1;
  const short = Buffer.from(store.subarray(0, -25));
  const cut = Buffer.concat([short, trustStoreDigest(short)]);
  const longer = Buffer.concat([store.subarray(0, -20), Buffer.from('more')]);
  const padded = Buffer.concat([longer, trustStoreDigest(longer)]);
  const others = [javaStore([1n], 1), flipped, cut, padded, Buffer.from('no store'), Buffer.alloc(0)];
  for (const [index, other] of others.entries()) assert.equal(change(path, other), null, `store ${index}`);
});

test('what is rewritten is rewritten in the layer, under every name of the file, and nothing else is', async (context) => {
  const directory = (name: string): Piece => ({ name, type: '5' });
  const shadow = (day: number) => `root:*:${day}:0:99999:7:::\n`;
  const tree = (day: number, id: string) =>
    tarOf(
      directory('etc/'),
      { name: 'etc/machine-id', body: id, mode: 0o444 },
      { name: 'etc/shadow', body: shadow(day), mode: 0o640, gid: 42 },
      { name: 'etc/shadow-', type: '1', link: 'etc/shadow', mode: 0o640, gid: 42 },
      { name: 'etc/shadow.mine', body: shadow(20_000) },
    );
  const first = await capture(tree(20_785, 'a'.repeat(32)), temporaryFolder(context));
  const second = await capture(tree(20_786, 'b'.repeat(32)), temporaryFolder(context));
  assert.deepEqual(first.staged, second.staged);
  assert.ok(first.tar.includes(shadow(18_262)));
  assert.ok(first.tar.includes(shadow(20_000)), 'a file of the client is his own');
  assert.ok(!first.tar.includes(shadow(20_785)));
});

test('keys that a machine would have made for itself are left out, and the log says so', async (context) => {
  const names = ['etc/ssh/ssh_host_ed25519_key', 'etc/ssh/ssh_host_ed25519_key.pub'];
  const config = 'etc/ssh/sshd_config';
  const raw = tarOf(
    { name: 'etc/', type: '5' },
    { name: 'etc/ssh/', type: '5' },
    ...[...names, config].map((name) => ({ name, body: 'x' })),
  );
  const { tar, notes } = await capture(raw, temporaryFolder(context));
  assert.deepEqual([...notes], [['fresh secret', names]]);
  assert.deepEqual([tar.includes(names[0] ?? ''), tar.includes(config)], [false, true]);
  for (const path of [
    'environment/.wget-hsts',
    'root/.gnupg/random_seed',
    'var/cache/man/index.db',
    'var/lib/systemd/random-seed',
  ]) {
    assert.ok(isDropped({ path, isDirectory: false, isEmptyFile: false }), path);
  }
});
