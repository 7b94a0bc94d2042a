/**
 * Owns how pages are served over HTTP: where, to whom, under which policy, in which form. Never opens a browser (the pages' own tests do).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { startCoordinator } from '../support/coordinator-fixture.ts';

type Changes = Parameters<typeof startCoordinator>[1];

/** A page's HTML with its headers, and its files by what the HTML names. */
async function load(t: TestContext, name: string, changes: Changes = {}) {
  const { url } = await startCoordinator(t, changes);
  const ask = (path: string) => fetch(`${url}${path}`);
  const answer = await ask(`/${name}/`);
  const html = await answer.text();
  const policy = answer.headers.get('content-security-policy') ?? '';
  const files = [...html.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map(([, path]) => path ?? '');
  return { url, ask, answer, html, policy, files };
}

test('the playground runs its own modules and its one map of imports, and styles that know the nonce of this answer', async (t) => {
  const { ask, html, policy } = await load(t, 'playground');
  const [, map = ''] = /<script type="importmap">(.*?)<\/script>/s.exec(html) ?? [];
  const digest = createHash('sha256').update(map).digest('base64');
  assert.ok(policy.includes(`script-src 'self' 'sha256-${digest}';`), policy);
  assert.ok(!policy.includes('unsafe'), policy);
  const [, nonce = ''] = /nonce="([^"]+)"/.exec(html) ?? [];
  assert.ok(nonce.length >= 22 && policy.includes(`style-src 'self' 'nonce-${nonce}'`), policy);
  const again = await (await ask('/playground/')).text();
  assert.notEqual(/nonce="([^"]+)"/.exec(again)?.[1], nonce);
  assert.equal(again.replace(/nonce="[^"]+"/, ''), html.replace(/nonce="[^"]+"/, ''));
  const { imports } = JSON.parse(map) as { imports: Record<string, string> };
  for (const address of Object.values(imports))
    assert.equal((await ask(`/playground/${address.slice(2)}`)).status, 200, address);
});

test('the console has no map, no nonce, and no way to make a style', async (t) => {
  const { policy, html } = await load(t, 'console');
  assert.match(policy, /script-src 'self'; style-src 'self';/);
  assert.ok(!/nonce|importmap|\{\{/.test(html));
});

test('files come for ever, in the smallest form that is read, and are the same in all', async (t) => {
  const { url, files } = await load(t, 'playground');
  const [style = ''] = files.filter((file) => file.endsWith('page.css'));
  const as = async (encoding: string) => {
    const answer = await fetch(`${url}/playground/${style}`, { headers: { 'accept-encoding': encoding } });
    assert.equal(answer.headers.get('vary'), 'accept-encoding');
    assert.match(answer.headers.get('cache-control') ?? '', /immutable/);
    return { encoding: answer.headers.get('content-encoding'), text: await answer.text() };
  };
  const plain = await as('identity');
  assert.equal(plain.encoding, null);
  for (const [asked, given] of [
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0, gzip;q=0.5', 'gzip'],
    ['br;q=0', null],
  ] as const)
    assert.deepEqual(await as(asked), { encoding: given, text: plain.text });
});

test('all that a first visit loads is named in the page, so that nothing waits for what imports it', async (t) => {
  const { ask, html, files } = await load(t, 'playground');
  const [, map = ''] = /<script type="importmap">(.*?)<\/script>/s.exec(html) ?? [];
  const { imports } = JSON.parse(map) as { imports: Record<string, string> };
  for (const file of files.filter((each) => /\.[jt]s$/.test(each))) {
    const text = await (await ask(`/playground/${file}`)).text();
    for (const [, specifier = ''] of text.matchAll(/^import\b[^'"();]*?from\s*['"]([^'"]+)['"]/gm)) {
      const address = imports[specifier]?.slice(2) ?? new URL(specifier, `http://page/${file}`).pathname.slice(1);
      assert.ok(files.includes(address), `${file} imports ${specifier}`);
    }
  }
  assert.ok(!files.some((file) => file.includes('lang-')), 'grammars come when they are needed');
});

test('each page is served where its setting says, and names the others that are', async (t) => {
  const off = await load(t, 'console', { playground: 'off' });
  assert.equal(off.answer.status, 200);
  assert.match(off.html, /data-pages="console"/);
  assert.equal((await off.ask('/playground/')).status, 404);
  const on = await load(t, 'playground', { playground: 'on', console: 'off' });
  assert.match(on.html, /data-pages="playground"/);
  assert.equal((await on.ask('/console/')).status, 404);
  const moved = await fetch(`${on.url}/playground`, { redirect: 'manual' });
  assert.deepEqual([moved.status, moved.headers.get('location')], [308, '/playground/']);
});

test('a file that a page does not have is not there, whatever its name', async (t) => {
  const { ask, files } = await load(t, 'playground');
  const [, digest] = /assets\/([0-9a-f]+)\//.exec(files[0] ?? '') ?? [];
  for (const path of [
    `${digest}/console/main.ts`,
    `${digest}/packages/ws.js`,
    `0000/playground/main.ts`,
    `${digest}/..%2F..%2F/main.ts`,
  ])
    assert.equal((await ask(`/playground/assets/${path}`)).status, 404, path);
});
