/**
 * Owns the proof that what a site has accepted or ended is there for the next process, and goes only when it may. Never runs or tells anything.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LocalExecution } from '../../agent/site/local-execution.ts';
import { SiteRecords } from '../../agent/site/site-records.ts';
import { systemClock } from '../../shared/clock.ts';
import { silentLogger } from '../../shared/logger.ts';
import { RecordFolder } from '../../shared/storage/record-folder.ts';
import { makeReport } from '../support/lease-results.ts';

const request = { environment: { base: 'debian-13' as const }, run: { script: 'true' } };
const environment = { id: 'env_00000000', variables: {}, scope: 'shared' as const, layers: [] };

function toAnswer(id: string, stdout = '') {
  const createdAt = '2026-01-01T00:00:00.000Z';
  const terms = { id, tenantId: 'one', request, characters: 1, createdAt, isDurable: true, agent: null };
  const execution = new LocalExecution(systemClock, terms, environment);
  return { ...execution.toAnswer(), run: makeReport({ stdout }) };
}

async function setStage(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-site-'));
  context.after(() => rm(folder, { recursive: true }));
  const open = (bounds = {}) => SiteRecords.open(folder, { entriesMax: 3, bytesMax: 100_000, ...bounds }, silentLogger);
  return { folder: join(folder, 'executions'), open };
}

const accept = (records: SiteRecords, id: string, key: string | null = null) =>
  records.accept(
    { tenantId: 'one', request, answer: toAnswer(id) },
    key === null ? null : { key, bodyDigest: `digest of ${key}` },
  );

test('what was accepted is taken up, what has ended is told, what was told is not, each in its order and after a crash', async (context) => {
  const { folder, open } = await setStage(context);
  const records = await open();
  await accept(records, 'exec_c', 'key');
  await accept(records, 'exec_a');
  await records.end('one', toAnswer('exec_b'));
  await records.end('one', toAnswer('exec_c', 'result'));
  await records.told('exec_b');
  await writeFile(join(folder, `${'0'.repeat(64)}.json`), '{');
  const next = await open();
  assert.deepEqual(
    next.before.map(({ answer }) => answer.id),
    ['exec_a'],
  );
  assert.deepEqual(next.untold(20), ['exec_c']);
  assert.deepEqual(next.findKey('one', 'key'), { id: 'exec_c', bodyDigest: 'digest of key' });
  assert.equal(next.findKey('two', 'key'), null);
  assert.equal((await next.get('one', 'exec_c'))?.run?.stdout, 'result');
  assert.equal(await next.get('two', 'exec_c'), null);
  const { items, next: cursor } = await next.list('one', null, 2);
  assert.deepEqual(
    items.map(({ id }) => id),
    ['exec_b', 'exec_a'],
  );
  assert.deepEqual((await next.list('one', cursor, 2)).items.length, 1);
});

test('room is made by what was told or refused, never by what was not, nor by what has not ended', async (context) => {
  const { folder, open } = await setStage(context);
  const records = await open();
  for (const id of ['exec_a', 'exec_b', 'exec_c']) await records.end('one', toAnswer(id));
  assert.equal(records.isFull, true);
  records.refused('exec_b');
  assert.deepEqual(records.untold(20), ['exec_a', 'exec_c']);
  records.retell();
  assert.equal(records.isFull, true);
  assert.deepEqual(records.untold(2), ['exec_a', 'exec_b']);
  await records.told('exec_a');
  assert.equal(records.isFull, false);
  await records.settled();
  assert.equal(await records.get('one', 'exec_a'), null);
  assert.equal((await readdir(folder)).length, 2);
  await accept(records, 'exec_d');
  records.refused('exec_d');
  records.refused('exec_c');
  assert.equal(records.isFull, false);
  assert.deepEqual([await records.get('one', 'exec_c'), (await records.get('one', 'exec_d'))?.id], [null, 'exec_d']);
  const bySize = await open({ bytesMax: 2000 });
  assert.equal(bySize.isFull, true);
});

test('a page of large answers is shorter than what was asked for, and goes on where it ended', async (context) => {
  const { open } = await setStage(context);
  const records = await open({ bytesMax: 1e9 });
  for (const id of ['exec_a', 'exec_b', 'exec_c']) await records.end('one', toAnswer(id, 'x'.repeat(30_000_000)));
  const pages: string[][] = [];
  let cursor: number | null = null;
  do {
    const { items, next }: Awaited<ReturnType<typeof records.list>> = await records.list('one', cursor, 100);
    pages.push(items.map(({ id }) => id));
    cursor = next;
  } while (cursor !== null);
  assert.deepEqual(pages, [['exec_c', 'exec_b'], ['exec_a']]);
});

test('what a disk could not take keeps no room from what comes when it can again', async (context) => {
  const { folder, open } = await setStage(context);
  const records = await open();
  await accept(records, 'exec_a');
  await rename(folder, `${folder}-gone`);
  for (const id of ['exec_b', 'exec_c', 'exec_a']) await assert.rejects(records.end('one', toAnswer(id)));
  await assert.rejects(accept(records, 'exec_d'));
  await records.settled();
  await rename(`${folder}-gone`, folder);
  assert.equal(records.isFull, false);
  assert.deepEqual(records.untold(20), []);
  assert.deepEqual(
    (await open()).before.map(({ answer }) => answer.id),
    ['exec_a'],
  );
});

test('a wish that comes while an earlier one fails is tried, and is neither lost nor taken for done', async (context) => {
  const { folder: path, open } = await setStage(context);
  await open();
  const folder = new RecordFolder(path);
  await folder.put('a', 'first');
  const [file = ''] = await readdir(path);
  // Nothing can be written under this name; removing goes on to work.
  await mkdir(join(path, `${file}.new`));
  await assert.rejects(folder.put('a', 'second'));
  assert.equal(await folder.get('a'), 'first');
  const failing = folder.put('a', 'third');
  for (const _ of [1, 2]) await Promise.resolve();
  await Promise.all([failing, folder.remove('a')]);
  assert.equal((await readdir(path)).includes(file), false);
  assert.equal(await folder.get('a'), null);
  await rename(join(path, `${file}.new`), join(path, file));
  await assert.rejects(folder.put('a', 'fourth'));
  assert.deepEqual(await readdir(path), [file], 'a write that failed leaves nothing half written');
});
