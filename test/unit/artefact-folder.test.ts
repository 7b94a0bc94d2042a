/**
 * Owns the proof that the builder's folder of kept artefacts stays within its bytes, and loses what was used least recently.
 */
import { strict as assert } from 'node:assert';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ArtefactFolder } from '../../coordinator/builder/artefact-folder.ts';
import { systemRandom } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import { temporaryFolder } from '../support/captured.ts';

async function start(
  context: TestContext,
  artefactBytesMax: number,
  prepare: (folder: string) => void = () => undefined,
) {
  const stateDirectory = temporaryFolder(context);
  const settings = {
    stateDirectory,
    artefactDirectory: '',
    artefactBytesMax,
    artefactBodyBytesMax: 50,
    concurrencyMax: 2,
  };
  const directory = join(stateDirectory, 'artefacts');
  mkdirSync(join(directory, 'incoming'), { recursive: true });
  mkdirSync(join(directory, 'bodies'));
  prepare(directory);
  const folder = new ArtefactFolder({ settings, random: systemRandom, logger: silentLogger });
  await folder.start();
  return { folder, directory, stateDirectory, bodies: () => readdirSync(join(directory, 'bodies')).sort() };
}

/** Six bodies of 100 bytes; a higher number was used later. */
function fill(directory: string): void {
  for (const number of [3, 1, 5, 2, 6, 4]) {
    const path = join(directory, 'bodies', `b${number}`);
    writeFileSync(path, Buffer.alloc(100));
    utimesSync(path, number * 1000, number * 1000);
  }
}

const order = { tenantId: 'one', isStoreUsed: true };

test('what is too much goes, least recently used first; a quarter is left to running builds', async (context) => {
  const { folder, directory, bodies } = await start(context, 400, fill);
  assert.deepEqual(bodies(), ['b4', 'b5', 'b6']);
  const access = await folder.access(order);
  assert.deepEqual([access?.roomBytes, access?.bodyBytesMax, access?.directory], [50, 50, directory]);
  fill(directory);
  folder.settle();
  await folder.access(order);
  assert.deepEqual(bodies(), ['b4', 'b5', 'b6'], 'the next build waits until there is room');
});

test('what an earlier process left aside is removed; the key stays, and only its owner can read it', async (context) => {
  const aside = (directory: string) => writeFileSync(join(directory, 'incoming', 'half'), 'x');
  const { folder, directory, stateDirectory } = await start(context, 4000, aside);
  assert.deepEqual(readdirSync(join(directory, 'incoming')), []);
  const key = (await folder.access(order))?.key;
  assert.match(key ?? '', /^[0-9a-f]{64}$/);
  assert.equal(statSync(join(stateDirectory, 'artefacts.key')).mode & 0o777, 0o600);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  await folder.start();
  assert.equal((await folder.access(order))?.key, key);
});

test('a build that is to prove what the network gives has no access, and a size of 0 keeps nothing', async (context) => {
  const { folder } = await start(context, 4000);
  assert.equal(await folder.access({ ...order, isStoreUsed: false }), null);
  const none = await start(context, 0);
  assert.equal(await none.folder.access(order), null);
  none.folder.settle();
});
