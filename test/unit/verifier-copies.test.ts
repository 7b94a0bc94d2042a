/**
 * Owns what a backup has of the verifier's folder: one moment's keys, however often they are turned over meanwhile, and nothing else of the folder.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { aheadOfEverySignature, readVerifier } from '../../coordinator/backup/verifier-copies.ts';
import { SigningKeys } from '../../coordinator/environments/verifier/signing-key.ts';

/** Enough that a copy which is not compared with a second one is found wrong after a few of them. */
const TURNS = 400;

test('keys that are turned over meanwhile are copied as they were at one moment', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'verifier-copies-'));
  t.after(() => rm(folder, { recursive: true }));
  const keys = await SigningKeys.open(folder);
  await writeFile(join(folder, 'compiled'), 'made again');
  let isOver = false;
  let turns = 0;
  const turning = (async () => {
    for (; !isOver; turns += 1) {
      await keys.announce();
      await keys.switch();
      await keys.retire();
    }
  })();
  while (turns < TURNS) {
    const files = await readVerifier(folder);
    const pems = [...files.values()].map(String);
    assert.ok(files.has('signing-key.pem'));
    assert.equal(new Set(pems).size, pems.length, `no key has two roles: ${[...files.keys()].join(', ')}`);
    // While one is announced it is not lost: a previous one is there after the switch only, and then no next one.
    assert.ok(!(files.has('next-key.pem') && files.has('previous-key.pem')));
    assert.ok([...files.keys()].every((name) => name.endsWith('.pem')));
  }
  isOver = true;
  await turning;
});

test('a folder without a signing key is no verifier', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'verifier-copies-'));
  t.after(() => rm(folder, { recursive: true }));
  await assert.rejects(readVerifier(folder), /has no signing-key\.pem.*set ENVICUTOR_VERIFIER_STATE_DIRECTORY/);
});

test('ledgers count on from beyond everything that was signed, and keep what they say; keys stay as they are', () => {
  const ledger = Buffer.from(JSON.stringify({ version: 7, revocations: [{ kind: 'layer' }] }));
  const ahead = JSON.parse(aheadOfEverySignature('trust-ledger.json', ledger).toString());
  assert.deepEqual(ahead.revocations, [{ kind: 'layer' }]);
  assert.ok(ahead.version > 500_000_000 && Number.isSafeInteger(ahead.version * 1000));
  const key = Buffer.from('a key');
  assert.equal(aheadOfEverySignature('signing-key.pem', key), key);
});
