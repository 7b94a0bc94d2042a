/**
 * Owns the proof that the client works in a real browser: the package's own modules in Debian's Chromium, on a page of a site that passes the API on below its
 * own origin, with a key. Needs root, for the sandboxes.
 * Invariant of all: what a page does over connections that are cut is done once.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { setStage } from '../support/agent-stage.ts';
import { type ChromiumPage, openPage } from '../support/chromium.ts';
import type { PageGiven } from '../support/client-page.ts';
import { PageServer } from '../support/page-server.ts';

const root = join(import.meta.dirname, '../..');
const key = 'a-key-of-the-site';
const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
let page: ChromiumPage;
let site: PageServer;
let given: PageGiven;
/** Of another origin, which the API allows; and where that is. */
let otherPage: ChromiumPage;
let apiUrl: string;

before(async () => {
  const built = spawnSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '--build',
    join(root, 'client'),
  ]);
  assert.equal(built.status, 0, String(built.stdout));
  const sha256 = createHash('sha256').update(key).digest('hex');
  const keys = createKeyRing({ tenants: [{ id: 'site', isOperator: true, keys: [{ name: 'page', sha256 }] }] });
  // Its pages ask the API where it is; those of the site pass it on below their own origin.
  const other = await PageServer.open(place, 'http://127.0.0.1:9');
  const { coordinator, startAgent } = await setStage(place, null, { corsOrigins: [other.url] }, keys);
  await startAgent();
  site = await PageServer.open(place, coordinator.url);
  const authorization = `Bearer ${key}`;
  const signing = await coordinator.ask('GET', '/v1/cache/keys', undefined, { authorization });
  const signingKeyIds = (await signing.json()).keys.map(({ keyid }: { keyid: string }) => keyid);
  given = { url: '/', key, signingKeyIds };
  page = await openPage(place, site.url);
  otherPage = await openPage(place, other.url);
  apiUrl = coordinator.url;
});
after(async () => {
  for (const end of endings) await end();
});

/** Has the page do something; what it saw. */
async function inPage(name: string, from = page, what = given): Promise<unknown> {
  const module = `import(${JSON.stringify('/test/support/client-page.js')})`;
  return await from.evaluate(`${module}.then((its) => its[${JSON.stringify(name)}](${JSON.stringify(what)}))`);
}

test('a page runs a program by a path of its own origin', async () => {
  assert.deepEqual(await inPage('runHello'), ['ok', 'hello ours\n']);
});

test('a page follows a program over a connection that is cut again and again, and sees every event once', async () => {
  const before = site.cuts;
  const seen = await inPage('followOverCuts');
  assert.deepEqual(seen, { output: '1\n2\n3\n4\n5\n6\n', verdict: 'ok', isOnceEach: true });
  assert.ok(site.cuts > before);
});

test('a page waits for a result over a connection that is cut, and it was run once', async () => {
  assert.deepEqual(await inPage('waitOverCut'), ['whole\n', 1]);
});

test("a page checks a receipt by the browser's own Ed25519, and finds out a lie", async () => {
  assert.deepEqual(await inPage('checkReceipt'), { stated: 'nonzero-exit', lie: 'verdict-differs' });
});

test('a page that gives up cancels; what is wrong with a request or a key it is told', async () => {
  assert.deepEqual(await inPage('giveUp'), {
    left: 'Error: left',
    stage: 'cancelled',
    wrong: ['request-invalid', 400, '/run/limits/wallTimeMs'],
    stranger: ['unauthenticated', 401, null],
  });
});

test("a page types into a terminal whose connection is cut, by the browser's own WebSocket", async () => {
  assert.deepEqual(await inPage('typeOverCut'), ['one\r\nhello one\r\ntwo\r\nbye two\r\n', 3]);
});

test('a page sends a stream as a file, has a program read it, and reads what that leaves', async () => {
  assert.deepEqual(await inPage('sendFile'), ['21\n', 'a stream of this page']);
});

test('a page of another origin, which the operator allows, does the same by the address of the API', async () => {
  const there = { ...given, url: apiUrl };
  assert.deepEqual(await inPage('runHello', otherPage, there), ['ok', 'hello ours\n']);
  assert.deepEqual(await inPage('checkReceipt', otherPage, there), { stated: 'nonzero-exit', lie: 'verdict-differs' });
  assert.deepEqual(await inPage('sendFile', otherPage, there), ['21\n', 'a stream of this page']);
  // An origin that is not allowed hears nothing, not even why.
  await assert.rejects(inPage('runHello', page, { ...there, budgetMs: 0 }), /connection-failed/);
});
