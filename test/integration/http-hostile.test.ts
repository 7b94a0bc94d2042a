/**
 * Owns what the API does with what no client of good will sends: each is answered by problem+json or a close in bounded time, nothing of it starts
 * anything, and thousands leave the server as large as it was.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { residentBytes } from '../../bench/gauges/process-memory.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import { environment, run } from '../support/bad-requests.ts';
import { descriptionOf } from '../support/checked-fetch.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { CoordinatorProcess } from '../support/coordinator-process.ts';
import { startBuildServices } from '../support/fake-build-services.ts';
import { exchange, post, type RawAnswer } from '../support/raw-http.ts';

const EXECUTIONS = '/v1/executions';
const right = JSON.stringify({ environment, run });
const MEBIBYTE = 1024 * 1024;

/** The answer is a problem of this status, and one that the description allows. */
async function checkProblem(url: string, answer: RawAnswer | undefined, status: number, told: RegExp): Promise<void> {
  assert.ok(answer !== undefined, `no answer, and not ${status}`);
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const description = await descriptionOf(url);
  assert.deepEqual(description.findInValue('Problem', JSON.parse(answer.body)), []);
  assert.match(answer.body, told);
}

// biome-ignore format: a table is read by row
const bodies: readonly (readonly [what: string, body: string | Buffer, told: RegExp])[] = [
  ['a name twice',                 `{"environment":{},"run":{"script":"a","script":"b"}}`,            /"\/run\/script".*twice/],
  ['a byte order mark',            `\ufeff${right}`,                                                  /not JSON.*position 0/],
  ['invalid UTF-8',                Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),                 /not UTF-8/],
  ['UTF-16',                       Buffer.from(right, 'utf16le'),                                     /not JSON|not UTF-8/],
  ['a number beyond all bounds',   `{"environment":{},"run":{"script":""},"metadata":{"a":1e999}}`,   /"\/metadata\/a".*beyond/],
  ['a limit beyond integers',      `{"environment":{},"run":{"script":"","limits":{"cpuTimeMs":1e300}}}`, /\/run\/limits\/cpuTimeMs/],
  ['NaN',                          `{"environment":{},"run":{"script":""},"metadata":{"a":NaN}}`,     /unexpected \\"N\\"/],
  ['more behind the end',          `${right}{}`,                                                      /not JSON/],
  ['a comment',                    `/* */${right}`,                                                   /not JSON/],
  ['single quotes',                `{'environment':{}}`,                                              /not JSON/],
  ['depth',                        `{"metadata":${'{"a":'.repeat(200)}1${'}'.repeat(201)}`,           /nested deeper/],
  ['nothing but brackets',         '['.repeat(8 * MEBIBYTE),                                          /nested deeper/],
  ['objects without end',          `[${'{},'.repeat(2_000_000)}{}]`,                                  /more than 1000000 values/],
  ['a label of any type',          `{"environment":{},"run":{"script":""},"placement":{"labels":{"a\\nb":{}}}}`, /\/placement\/labels/],
];

// biome-ignore format: a table is read by row
const carriages: readonly (readonly [what: string, headers: readonly string[], status: number, told: RegExp])[] = [
  ['no content type',              ['content-type: '],                                               415, /application\/json/],
  ['text',                         ['content-type: text/plain'],                                     415, /application\/json/],
  ['a form',                       ['content-type: application/x-www-form-urlencoded'],              415, /application\/json/],
  ['another charset',              ['content-type: application/json; charset=utf-16'],               415, /charset is \\"utf-16\\"/],
  ['compression',                  ['content-encoding: gzip'],                                       415, /content-encoding is \\"gzip\\"/],
  ['an unknown expectation',       ['expect: magic'],                                                400, /expect: \\"magic\\"/],
  ['a foreign origin',             ['origin: https://evil.example'],                                 403, /another origin/],
];

// biome-ignore format: a table is read by row
const unreadable: readonly (readonly [what: string, request: (host: string) => string, status: number, told: RegExp])[] = [
  ['no HTTP',                      () => 'hello\r\n\r\n',                                                             400, /not a request of HTTP/],
  ['an unknown method',            (host) => `BREW / HTTP/1.1\r\nhost: ${host}\r\n\r\n`,                              400, /not a request of HTTP/],
  ['no host',                      () => 'GET /v1/bases HTTP/1.1\r\nconnection: close\r\n\r\n',                       400, /header host/],
  ['a URL of 64 KiB',              (host) => `GET /${'a'.repeat(65_536)} HTTP/1.1\r\nhost: ${host}\r\n\r\n`,          431, /larger than 16 KiB/],
  ['a header of 64 KiB',           (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\nx: ${'a'.repeat(65_536)}\r\n\r\n`,   431, /larger than 16 KiB/],
  ['five thousand headers',        (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\n${'a: b\r\n'.repeat(5000)}\r\n`,     431, /larger than 16 KiB/],
  ['two lengths',                  (host) => `POST ${EXECUTIONS} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello`, 400, /not a request/],
  ['a length and chunks',          (host) => `POST ${EXECUTIONS} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400, /not a request/],
  ['a negative length',            (host) => `POST ${EXECUTIONS} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: -5\r\n\r\n`, 400, /not a request/],
  ['a chunk that is none',         (host) => `POST ${EXECUTIONS} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`, 400, /not a request|aborted/],
  ['a header with a line feed',    (host) => `GET / HTTP/1.1\r\nhost: ${host}\r\nx: a\n b\u0000\r\n\r\n`,             400, /not a request/],
  ['another host in the target',   (host) => `GET http://evil.example/v1/bases HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`, 400, /evil\.example/],
  ['a path that is no text',       (host) => `GET /v1/executions/%ff%zz HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`, 400, /./],
  ['a method that nobody serves',  (host) => `PROPFIND /v1/bases HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`, 405, /takes GET, HEAD, OPTIONS/],
  ['another method of a path',     (host) => `PATCH ${EXECUTIONS} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`, 405, /takes GET, HEAD, OPTIONS, POST/],
];

/** All of the above, each on a connection of its own. */
async function sendAll(url: string): Promise<number> {
  const { host } = new URL(url);
  for (const [what, body, told] of bodies) {
    const { answers } = await exchange(url, post(url, EXECUTIONS, body), { answers: 1 });
    await checkProblem(url, answers[0], 400, told).catch((error: Error) => assert.fail(`${what}: ${error.message}`));
  }
  for (const [what, headers, status, told] of carriages) {
    const { answers } = await exchange(url, post(url, EXECUTIONS, right, headers), { answers: 1 });
    await checkProblem(url, answers[0], status, told).catch((error: Error) => assert.fail(`${what}: ${error.message}`));
  }
  for (const [what, request, status, told] of unreadable) {
    const { answers, isClosed } = await exchange(url, request(host));
    await checkProblem(url, answers[0], status, told).catch((error: Error) => assert.fail(`${what}: ${error.message}`));
    assert.ok(isClosed, `${what}: the connection is closed`);
  }
  return bodies.length + carriages.length + unreadable.length;
}

test('bodies, headers and requests that are none are each refused by problem+json, and start nothing', async (t) => {
  const coordinator = await startCoordinator(t);
  await sendAll(coordinator.url);
  const zipped = post(coordinator.url, EXECUTIONS, gzipSync(right), ['content-encoding: gzip']);
  const { answers } = await exchange(coordinator.url, zipped, { answers: 1 });
  assert.equal(answers[0]?.headers.get('accept-encoding'), 'identity');
  assert.deepEqual((await (await coordinator.ask('GET', EXECUTIONS)).json()).items, []);
  assert.equal(coordinator.services.orders.length, 0);
});

test('names that objects have by birth are unknown like any other, and where names are free they are names', async (t) => {
  const coordinator = await startCoordinator(t);
  const free = '{"__proto__":"1","constructor":"2","toString":"3"}';
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    for (const [place, body] of [
      ['', `{"environment":{},"run":{"script":""},"${name}":{}}`],
      ['/environment', `{"environment":{"${name}":{}},"run":{"script":""}}`],
      ['/run', `{"environment":{},"run":{"script":"","${name}":1}}`],
      ['/run/limits', `{"environment":{},"run":{"script":"","limits":{"${name}":1}}}`],
      ['/files/0', `{"environment":{},"run":{"script":""},"files":[{"path":"a","content":"","${name}":1}]}`],
      ['/placement', `{"environment":{},"run":{"script":""},"placement":{"${name}":1}}`],
    ] as const) {
      const answer = await coordinator.ask('POST', EXECUTIONS, body);
      assert.equal(answer.status, 400, `${place}/${name}`);
      assert.equal((await answer.json()).errors[0].pointer, `${place}/${name}`);
    }
    const asked = await coordinator.ask('GET', `${EXECUTIONS}/${name}`);
    assert.deepEqual([asked.status, (await asked.json()).code], [404, 'execution-not-found']);
  }
  const { promise, resolve } = Promise.withResolvers<unknown>();
  await coordinator.join({ offered: (offer) => resolve(offer) });
  const body = `{"environment":{},"run":{"script":"","variables":${free}},"metadata":${free}}`;
  const accepted = await coordinator.ask('POST', EXECUTIONS, body);
  const text = await accepted.text();
  assert.equal(accepted.status, 202);
  assert.ok(text.includes(`"metadata":${free}`), text);
  assert.ok(JSON.stringify(await promise).includes(`"variables":${free}`));
});

test('a body that comes too slowly ends in 408, headers that do as well', async (t) => {
  const { url } = await startCoordinator(t, { requestMsMax: 600 });
  const { host } = new URL(url);
  const whole = post(url, EXECUTIONS, right);
  for (const [what, begun, rest] of [
    ['the body', whole.subarray(0, whole.length - 50), whole.subarray(whole.length - 50)],
    ['the headers', Buffer.from('GET /v1/bases HTTP/1.1\r\n'), Buffer.from(`host: ${host}\r\nx: ${'a'.repeat(50)}`)],
  ] as const) {
    let sent = 0;
    const { answers, isClosed } = await exchange(url, begun, {
      feed: (socket) => {
        const timer = setInterval(() => {
          if (sent < rest.length && socket.writable) socket.write(rest.subarray(sent, ++sent));
          else clearInterval(timer);
        }, 100);
        socket.on('close', () => clearInterval(timer));
      },
    });
    assert.ok(isClosed, what);
    await checkProblem(url, answers[0], 408, /did not arrive/);
    assert.ok(sent < rest.length, what);
  }
});

test('who takes nothing of its answers is let go, and who has sent all gets them', async (t) => {
  const { url } = await startCoordinator(t, { answerStallMsMax: 500 });
  const { host, hostname, port } = new URL(url);
  const get = `GET /openapi.json HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  const one = (await exchange(url, get, { answers: 1 })).answers[0]?.body.length ?? 0;
  const socket = connect(Number(port), hostname);
  const closed = once(socket, 'close');
  socket.on('error', () => undefined).pause();
  socket.write(get.repeat(300));
  // A socket that nobody reads tells nothing: it is read once the server must have given up, and holds less than was asked for.
  await pause(2500);
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.resume();
  await closed;
  assert.ok(bytes > 0 && bytes < 300 * one, `${bytes} of ${300 * one} bytes`);
  const half = await exchange(url, `GET /v1/bases HTTP/1.1\r\nhost: ${host}\r\n\r\n`, { isHalfClosed: true });
  assert.deepEqual(
    half.answers.map(({ status }) => status),
    [200],
  );
});

test('requests one behind another are answered in their order; of HTTP/1.0, by absolute target and with a wish to be asked, too', async (t) => {
  const { url } = await startCoordinator(t);
  const { host } = new URL(url);
  const paths = Array.from({ length: 200 }, (_, index) => (index % 3 === 0 ? '/v1/none' : '/v1/bases'));
  const pipelined = paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`).join('');
  const { answers } = await exchange(url, pipelined, { answers: paths.length });
  assert.deepEqual(
    answers.map(({ status }) => status),
    paths.map((path) => (path === '/v1/none' ? 404 : 200)),
  );
  const old = await exchange(url, `GET /healthz HTTP/1.0\r\nhost: ${host}\r\n\r\n`);
  assert.deepEqual([old.answers[0]?.status, old.isClosed], [200, true]);
  const target = `GET http://${host}/v1/bases HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  assert.equal((await exchange(url, target, { answers: 1 })).answers[0]?.status, 200);
  const h2c = `GET /v1/bases HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n`;
  assert.equal((await exchange(url, h2c, { answers: 1 })).answers[0]?.status, 200);
  const asking = ['expect: 100-continue'];
  const bad = await exchange(url, post(url, EXECUTIONS, '', [...asking, 'origin: http://x.example']), { answers: 1 });
  assert.deepEqual(
    bad.answers.map(({ status }) => status),
    [403],
  );
  const good = await exchange(url, post(url, EXECUTIONS, right, asking), { answers: 2 });
  assert.deepEqual(
    good.answers.map(({ status }) => status),
    [100, 202],
  );
});

test('HEAD is GET without a body, also of a stream; OPTIONS says what a path takes', async (t) => {
  const coordinator = await startCoordinator(t);
  const { id } = await (await coordinator.ask('POST', EXECUTIONS, { environment, run })).json();
  for (const path of ['/v1/bases', `${EXECUTIONS}/${id}`, `${EXECUTIONS}/${id}/events`]) {
    const answer = await coordinator.ask('HEAD', path);
    assert.deepEqual([answer.status, await answer.text()], [200, ''], path);
  }
  const options = await fetch(`${coordinator.url}${EXECUTIONS}`, { method: 'OPTIONS' });
  assert.deepEqual([options.status, options.headers.get('allow')], [204, 'GET, HEAD, OPTIONS, POST']);
  assert.equal(options.headers.get('access-control-allow-origin'), null);
});

async function startProcess(t: TestContext): Promise<CoordinatorProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-hostile-'));
  const services = await startBuildServices(folder, new DirectoryObjectStore(join(folder, 'store')));
  const coordinator = new CoordinatorProcess({
    ...{ LISTEN_PORT: '0', STATE_DIRECTORY: join(folder, 'state'), STORE_DIRECTORY: join(folder, 'store') },
    ...{ BUILDER_SOCKET_PATH: `${folder}/builder.sock`, VERIFIER_SOCKET_PATH: `${folder}/verifier.sock` },
    ...{ DRAIN_MS_MAX: '0', REPRODUCE_BUILDS: 'off', ANSWER_STALL_MS_MAX: '500' },
  });
  t.after(async () => {
    await coordinator.end('SIGTERM');
    services.builder.closeAllConnections();
    services.verifier.closeAllConnections();
    await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
    await rm(folder, { recursive: true });
  });
  await coordinator.ready();
  return coordinator;
}

test('thousands of them leave the process as large as it was', { timeout: 120_000 }, async (t) => {
  const { url, pid } = await startProcess(t);
  const { host } = new URL(url);
  const short = [...unreadable.map(([, request]) => request(host)), post(url, EXECUTIONS, '{"a":1,"a":2}')];
  const several = async (times: number) => {
    for (let round = 0; round < times; round += 1)
      await Promise.all(short.map((bytes) => exchange(url, bytes, { answers: 1 })));
  };
  await sendAll(url);
  await several(60);
  // What is kept grows every time; what the collector has not looked at yet does not.
  const grown: number[] = [];
  for (let time = 0; time < 3 && !grown.some((mebibytes) => mebibytes < 64); time += 1) {
    const before = residentBytes(pid);
    await sendAll(url);
    await several(200);
    grown.push((residentBytes(pid) - before) / MEBIBYTE);
  }
  t.diagnostic(`${grown.map((mebibytes) => mebibytes.toFixed(1))} MiB more after ${200 * short.length} requests each`);
  assert.ok(Math.min(...grown) < 64, `it grew by ${grown.map((mebibytes) => mebibytes.toFixed(1))} MiB`);
  const { answers } = await exchange(url, `GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`, { answers: 1 });
  assert.equal(answers[0]?.status, 200);
});
