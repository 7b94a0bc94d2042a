/**
 * Owns the proof of what the proxy keeps of answers, when it gives them out again, and that a changed one is never given out.
 * Real TLS on both sides, a real origin, real files.
 */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { storeFolders } from '../../coordinator/egress/artefact-store.ts';
import type { ArtefactStoreAccess } from '../../shared/model/egress.ts';
import { temporaryFolder } from '../support/captured.ts';
import { type LocalProxyOptions, startLocalProxy, startOrigin } from '../support/local-origin.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const IMMUTABLE = '/pool/main/t/tool/tool_1.0_all.deb';

function accessTo(folder: string): ArtefactStoreAccess {
  for (const name of Object.values(storeFolders)) mkdirSync(join(folder, name));
  return { directory: folder, key: 'ab'.repeat(32), tenantId: 'one', bodyBytesMax: 1 << 20, roomBytes: 1 << 22 };
}

/** An origin that counts, a store, and builds (one proxy each) between them. */
async function start(t: TestContext, listener: RequestListener) {
  const asked: IncomingMessage[] = [];
  const origin = await startOrigin((request, response) => {
    asked.push(request);
    listener(request, response);
  });
  t.after(() => origin.stop());
  const store = accessTo(temporaryFolder(t));
  const build = async (options: Partial<LocalProxyOptions> = {}) => {
    const proxy = await startLocalProxy({ port: origin.port, roots: origin.roots, store, ...options });
    t.after(() => proxy.stop());
    return proxy;
  };
  const sources = (proxy: Awaited<ReturnType<typeof build>>) => proxy.artefacts().map(({ source }) => source);
  return { origin, asked, store, build, sources, kept: () => readdirSync(join(store.directory, 'bodies')) };
}

test('what never changes is served again to the next build without asking, byte for byte and with its digest', async (t) => {
  const body = gzipSync(Buffer.alloc(300_000, 'x'), { level: 0 });
  const { build, asked, sources } = await start(t, (_request, response) => {
    response.writeHead(200, ['Content-Type', 'a/b', 'X-Odd', '1', 'X-Odd', '2', 'Content-Encoding', 'gzip']).end(body);
  });
  const [first, second] = [await build(), await build()];
  const fetched = await first.fetch(IMMUTABLE);
  const again = await second.fetch(IMMUTABLE);
  assert.equal(again.body, fetched.body);
  const { age, ...headers } = again.headers;
  assert.deepEqual([headers, age], [fetched.headers, '0']);
  assert.equal(asked.length, 1);
  const [record] = second.artefacts();
  assert.deepEqual(sources(first).concat(sources(second)), ['upstream', 'stored']);
  assert.equal(record?.sha256, createHash('sha256').update(body).digest('hex'));
  assert.deepEqual([record?.bytes, record?.contentEncoding, record?.isComplete], [body.length, 'gzip', true]);
});

test('anything else is served again only after the origin has said that it is as it was', async (t) => {
  let version = 1;
  const { build, asked, sources } = await start(t, (request, response) => {
    const tag = `"${version}"`;
    response.setHeader('etag', tag);
    response.setHeader('cache-control', 'max-age=600');
    if (request.headers['if-none-match'] === tag) return void response.writeHead(304).end();
    response.end(`index ${version}`);
  });
  const proxy = await build();
  assert.equal((await proxy.fetch('/simple/')).body, 'index 1');
  assert.equal((await proxy.fetch('/simple/')).body, 'index 1');
  version = 2;
  assert.equal((await proxy.fetch('/simple/')).body, 'index 2');
  assert.deepEqual(sources(proxy), ['upstream', 'revalidated', 'upstream']);
  assert.deepEqual(
    asked.map(({ headers }) => headers['if-none-match']),
    [undefined, '"1"', '"1"'],
  );
});

test('an origin that can not be reached lets nothing mutable out of the store', async (t) => {
  const { build, origin } = await start(t, (_request, response) => response.setHeader('etag', '"1"').end('x'));
  await (await build()).fetch('/simple/');
  origin.stop();
  const proxy = await build();
  assert.equal((await proxy.fetch('/simple/')).httpCode, 502);
});

test('Cache-Control: immutable is believed for as long as it says', async (t) => {
  const clock = new VirtualClock();
  const { build, sources } = await start(t, (request, response) => {
    if (request.headers['if-none-match'] !== undefined) return void response.writeHead(304).end();
    response.writeHead(200, { 'cache-control': 'max-age=60, immutable', etag: '"1"' }).end('x');
  });
  const proxy = await build({ clock });
  for (const waitMs of [0, 59_000, 2000]) {
    clock.pass(waitMs);
    assert.equal((await proxy.fetch('/file')).body, 'x');
  }
  assert.deepEqual(sources(proxy), ['upstream', 'stored', 'revalidated']);
});

const refusedToKeep: readonly [string, Record<string, string>, string, Record<string, string>][] = [
  ['no-store', { 'cache-control': 'no-store' }, IMMUTABLE, {}],
  ['private', { 'cache-control': 'private, max-age=60' }, IMMUTABLE, {}],
  ['an answer that varies by everything', { vary: '*' }, IMMUTABLE, {}],
  ['an answer with a cookie', { 'set-cookie': 'a=1' }, IMMUTABLE, {}],
  ['an answer to credentials', {}, IMMUTABLE, { authorization: 'Basic x' }],
  ['an answer to a signed query', { etag: '"1"' }, '/x?Signature=s', {}],
  ['an answer that nothing can be asked by', {}, '/x', {}],
  ['an answer to a client that wants nothing stored', {}, IMMUTABLE, { 'cache-control': 'no-store' }],
  ['a body that is too large', {}, IMMUTABLE, {}],
];
for (const [title, headers, path, asking] of refusedToKeep)
  test(`${title} is not kept`, async (t) => {
    const body = 'x'.repeat(title.includes('large') ? (1 << 20) + 1 : 1);
    const { build, asked, kept } = await start(t, (_request, response) => response.writeHead(200, headers).end(body));
    const proxy = await build();
    for (let at = 0; at < 2; at += 1)
      assert.equal((await proxy.fetch(path, { headers: asking })).body.length, body.length);
    assert.deepEqual([asked.length, kept()], [2, []]);
  });

test('an answer that breaks off is not kept, and nothing of it is left', async (t) => {
  const { build, store, kept } = await start(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('part');
    setImmediate(() => response.destroy());
  });
  const proxy = await build();
  await assert.rejects(proxy.fetch(IMMUTABLE));
  assert.deepEqual([kept(), readdirSync(join(store.directory, 'incoming'))], [[], []]);
});

test('a body or an entry that somebody changed is dropped with a note, fetched again and never given out', async (t) => {
  const { build, asked, store, sources, kept } = await start(t, (_request, response) => response.end('genuine'));
  await (await build()).fetch(IMMUTABLE);
  const [body = ''] = kept();
  const [entry = ''] = readdirSync(join(store.directory, 'entries'));
  const bodyPath = join(store.directory, 'bodies', body);
  const entryPath = join(store.directory, 'entries', entry);
  const sealed = readFileSync(entryPath, 'utf8');
  const evil = createHash('sha256').update('poison!').digest('hex');
  const changes: readonly (() => void)[] = [
    () => writeFileSync(bodyPath, 'poison!'),
    () => writeFileSync(bodyPath, 'genuine and more'),
    () => writeFileSync(bodyPath, ''),
    () => {
      writeFileSync(join(store.directory, 'bodies', evil), 'poison!');
      writeFileSync(entryPath, sealed.replace(body, evil));
    },
    () => writeFileSync(entryPath, sealed.slice(0, 40)),
  ];
  for (const change of changes) {
    change();
    const proxy = await build();
    assert.equal((await proxy.fetch(IMMUTABLE)).body, 'genuine');
    assert.deepEqual(sources(proxy), ['upstream']);
    assert.deepEqual(
      proxy.records.flatMap((record) => (record.kind === 'note' ? [record.code] : [])),
      ['artefact-dropped'],
    );
  }
  assert.equal(asked.length, 1 + changes.length);
  const proxy = await build();
  assert.equal((await proxy.fetch(IMMUTABLE)).body, 'genuine');
  assert.deepEqual(sources(proxy), ['stored'], 'what was fetched again is kept again');
});

test('an entry that lies under the name of another one is not believed', async (t) => {
  const { build, store } = await start(t, (request, response) => response.end(request.url));
  const proxy = await build();
  const folder = join(store.directory, 'entries');
  await proxy.fetch('/pool/a.deb');
  const [first = ''] = readdirSync(folder);
  await proxy.fetch('/pool/b.deb');
  const second = readdirSync(folder).find((name) => name !== first) ?? '';
  writeFileSync(join(folder, second), readFileSync(join(folder, first)));
  assert.equal((await proxy.fetch('/pool/b.deb')).body, '/pool/b.deb');
});

test('nobody can have an odd answer kept for others: what a request says beyond its name and client is part of the index', async (t) => {
  const { build, sources } = await start(t, (request, response) => {
    response.setHeader('vary', 'x-variant');
    response.end(`${request.headers['x-forwarded-host'] ?? 'genuine'} ${request.headers.accept ?? ''}`);
  });
  const hostile = await build();
  await hostile.fetch(IMMUTABLE, { headers: { 'x-forwarded-host': 'evil.example' } });
  const proxy = await build();
  assert.equal((await proxy.fetch(IMMUTABLE)).body, 'genuine ');
  assert.equal((await proxy.fetch(IMMUTABLE, { headers: { accept: 'a/b' } })).body, 'genuine a/b');
  assert.equal(
    (await proxy.fetch(IMMUTABLE, { headers: { 'user-agent': 'other', 'npm-session': '1' } })).body,
    'genuine ',
  );
  assert.deepEqual(sources(proxy), ['upstream', 'upstream', 'stored']);
});

test('an answer that varies by a field is served again only to who says the same in it', async (t) => {
  const { build, sources } = await start(t, (request, response) => {
    response.writeHead(200, { vary: 'User-Agent' }).end(request.headers['user-agent']);
  });
  const proxy = await build();
  for (const agent of ['one', 'one', 'two'])
    assert.equal((await proxy.fetch(IMMUTABLE, { headers: { 'user-agent': agent } })).body, agent);
  assert.deepEqual(sources(proxy), ['upstream', 'stored', 'upstream']);
});

test('a client that asks not to be served from what is kept gets an answer that the origin has confirmed', async (t) => {
  const { build, sources } = await start(t, (request, response) => {
    if (request.headers['if-none-match'] !== undefined) return void response.writeHead(304).end();
    response.writeHead(200, { etag: '"1"' }).end('x');
  });
  const proxy = await build();
  for (const asking of ['max-age=60', 'max-age=0', 'no-cache'])
    await proxy.fetch(IMMUTABLE, { headers: { 'cache-control': asking } });
  assert.deepEqual(sources(proxy), ['upstream', 'stored', 'revalidated']);
});

test('what came without TLS is kept for the same tenant only', async (t) => {
  let asked = 0;
  const plain = createServer((_request, response) => {
    asked += 1;
    response.end('deb');
  });
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  t.after(() => plain.close());
  const { port } = plain.address() as AddressInfo;
  const store = accessTo(temporaryFolder(t));
  const fetchAs = async (tenantId: string): Promise<string> => {
    const proxy = await startLocalProxy({ port, roots: '', store: { ...store, tenantId } });
    t.after(() => proxy.stop());
    const headers = { host: `good.example:${port}` };
    const request = httpRequest({ host: '127.0.0.1', port: proxy.port, path: IMMUTABLE, headers, agent: false }).end();
    const [response] = await once(request, 'response');
    await text(response);
    return proxy.artefacts()[0]?.source ?? '';
  };
  assert.deepEqual(
    [await fetchAs('one'), await fetchAs('two'), await fetchAs('one')],
    ['upstream', 'upstream', 'stored'],
  );
  assert.equal(asked, 2);
});

test('a store that can not be used is told once, and the build goes on without it', async (t) => {
  const { build, asked } = await start(t, (_request, response) => response.end('x'));
  const store = { ...accessTo(temporaryFolder(t)), directory: '/proc/self/nothing' };
  const proxy = await build({ store });
  for (let at = 0; at < 3; at += 1) assert.equal((await proxy.fetch(`${IMMUTABLE}`)).body, 'x');
  assert.equal(asked.length, 3);
  assert.deepEqual(
    proxy.records.flatMap((record) => (record.kind === 'note' ? [record.code] : [])),
    ['store-unusable'],
  );
});

test('a build may add no more than its room', async (t) => {
  const { build, store, kept } = await start(t, (request, response) => response.end(`${request.url}`.padEnd(1000)));
  const proxy = await build({ store: { ...store, roomBytes: 2500 } });
  for (const name of ['a', 'b', 'c', 'd']) await proxy.fetch(`/pool/${name}.deb`);
  assert.equal(kept().length, 2);
});

test("a mirror is asked in the host's place; the record has the true URL and says which mirror served it", async (t) => {
  const { build, asked, origin, sources } = await start(t, (_request, response) => response.end('x'));
  const url = `https://mirror.example:${origin.port}/remote/npm`;
  const proxy = await build({ policy: { mirrors: [{ host: 'good.example', url }] } });
  await proxy.fetch('/tool/-/tool-1.0.0.tgz');
  await proxy.fetch('/tool/-/tool-1.0.0.tgz');
  assert.deepEqual(
    asked.map((request) => [request.headers.host, request.url]),
    [[`mirror.example:${origin.port}`, '/remote/npm/tool/-/tool-1.0.0.tgz']],
  );
  const records = proxy.artefacts();
  assert.deepEqual(
    records.map((record) => [record.url, record.mirror]),
    [1, 2].map(() => [`https://good.example:${origin.port}/tool/-/tool-1.0.0.tgz`, url]),
  );
  assert.deepEqual(sources(proxy), ['upstream', 'stored']);
});

test('a mirror that can not be used, or not be dialled, is not gone around: the host itself is never asked', async (t) => {
  const { build, asked, origin } = await start(t, (_request, response) => response.end('x'));
  const resolve = async (name: string) => [
    { address: name === 'private.example' ? '10.0.0.1' : '127.0.0.1', family: 4 },
  ];
  // biome-ignore format: the mirror, what the client is told
  const mirrors: readonly (readonly [string, number, string])[] = [
    ['https://gone.example:1/',                     502, 'upstream-unreachable'],
    [`https://private.example:${origin.port}/`,     403, 'address-denied'],
  ];
  for (const [url, httpCode, code] of mirrors) {
    const proxy = await build({ resolve, policy: { mirrors: [{ host: 'good.example', url }] } });
    assert.equal((await proxy.fetch('/tool/-/tool-1.0.0.tgz')).httpCode, httpCode);
    assert.deepEqual(
      proxy.refusals().map((refusal) => refusal.code),
      [code],
    );
  }
  assert.deepEqual(asked, []);
});

test('a release younger than the cool-down is refused inside TLS, kept or not; an older one and an exempt host are not', async (t) => {
  const now = Date.now();
  const ages: Record<string, number> = { '/pool/young.deb': 2, '/pool/old.deb': 8, '/index': 0 };
  const { build } = await start(t, (request, response) => {
    const days = ages[request.url ?? ''];
    if (days !== undefined) response.setHeader('last-modified', new Date(now - days * 86_400_000).toUTCString());
    response.end('x');
  });
  const coolDown = { days: 7, exemptHosts: ['exempt.example'], whenUnknown: 'refuse' as const };
  await (await build()).fetch('/pool/young.deb');
  const proxy = await build({ policy: { coolDown, name: 'careful' } });
  const young = await proxy.fetch('/pool/young.deb');
  assert.equal(young.httpCode, 403);
  assert.match(
    young.body,
    /young\.deb is 2 days old, and the operator's policy careful asks for 7 days: pin an older version/,
  );
  assert.match((await proxy.fetch('/pool/silent.deb')).body, /silent\.deb does not tell its age/);
  assert.equal((await proxy.fetch('/pool/young.deb', { method: 'HEAD' })).httpCode, 403);
  assert.equal((await proxy.fetch('/pool/old.deb')).httpCode, 200);
  assert.equal((await proxy.fetch('/index')).httpCode, 200);
  assert.equal((await proxy.fetch('/pool/young.deb', { host: 'exempt.example' })).httpCode, 200);
  assert.deepEqual(
    proxy.refusals().map(({ code }) => code),
    ['too-young', 'too-young', 'too-young'],
  );
});
