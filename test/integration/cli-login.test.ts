/**
 * Owns the proof of keys at the command line: where they come from, which is sent where, what becomes of one that is refused. Nothing is executed here.
 */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { CommandLine } from '../support/command-line.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';

async function setUp(t: TestContext, variables = {}) {
  const keys = [{ name: 'k', sha256: digestHex(digestOf('key-of-one')) }];
  const coordinator = await startCoordinator(t, {}, createKeyRing({ tenants: [{ id: 'one', keys }] }));
  return { url: coordinator.url, line: new CommandLine(t, variables) };
}

const config = ({ folder }: CommandLine) => join(folder, 'home/.config/envicutor/cli.json');

test('login tries a key, keeps it for its coordinator alone in a file that only its owner reads, and forgets it', async (t) => {
  const { url, line } = await setUp(t);
  const refused = await line.run(['login', url], 'another-key\n');
  assert.equal(refused.code, 77);
  assert.match(refused.stderr, /wants a key: the one of login is not known there/);
  assert.throws(() => statSync(config(line)));
  const end = await line.run(['login', `${url}/`], 'key-of-one\n');
  assert.deepEqual([end.code, end.stdout], [0, '']);
  assert.match(end.stderr, /you are tenant one there/);
  assert.equal(statSync(config(line)).mode & 0o777, 0o600);
  assert.deepEqual((await line.run(['env', 'list', '--json'])).stdout, '[]\n');
  // By another name it is another coordinator, which the key was not given for.
  const other = await line.run(['env', 'list', '--url', url.replace('127.0.0.1', 'localhost')]);
  assert.deepEqual([other.code, /envicutor login http:\/\/localhost/.test(other.stderr)], [77, true]);
  assert.equal((await line.run(['login', url, '--forget'])).code, 0);
  assert.ok(!readFileSync(config(line), 'utf8').includes('key-of-one'));
  for (const { stdout, stderr } of [refused, end, other]) assert.ok(!`${stdout}${stderr}`.includes('key-of-one'));
});

test('a key comes from a file or a variable, and what is none is refused before it is sent', async (t) => {
  const { url, line } = await setUp(t);
  writeFileSync(join(line.folder, 'key'), 'key-of-one\n');
  assert.equal((await line.run(['env', 'list', '--url', url, '--key-file', 'key'])).code, 0);
  writeFileSync(join(line.folder, 'key'), 'two words\n');
  const wrong = await line.run(['env', 'list', '--url', url, '--key-file', 'key']);
  assert.deepEqual([wrong.code, wrong.stderr.includes('two words')], [64, false]);
  const settings = new CommandLine(t, { ENVICUTOR_URL: url, ENVICUTOR_KEY: 'key-of-one' });
  assert.equal((await settings.run(['env', 'list'])).code, 0);
  const doctor = await settings.run(['doctor', '--json']);
  assert.match(doctor.stdout, /tenant one, for execute and environments/);
  const without = new CommandLine(t, { ENVICUTOR_URL: url, ENVICUTOR_KEY: 'nobodys' });
  const told = await without.run(['doctor']);
  assert.deepEqual([told.code, /✗ key: .*the one of ENVICUTOR_KEY is not known there/.test(told.stdout)], [1, true]);
});

test('a file of ours that makes no sense is told, and not written over', async (t) => {
  const { url, line } = await setUp(t);
  await line.run(['login', url], 'key-of-one\n');
  writeFileSync(config(line), '{');
  const end = await line.run(['env', 'list']);
  assert.equal(end.code, 78);
  assert.match(end.stderr, /cli\.json is not what login writes: remove it/);
  assert.equal(readFileSync(config(line), 'utf8'), '{');
});
