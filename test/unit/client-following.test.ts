/**
 * Owns the proof of how the client follows executions over connections that end: from the last event that it had, with every event once, to the end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExecutionEvent, isEnvicutorError } from '../../client/typescript/client.ts';
import { ScriptedServer } from '../support/scripted-server.ts';

const over = { id: 'exec_1', stage: 'finished', finishedAt: '2026-01-01T00:00:00.000Z', failure: null };
const sent = (id: number | null, name: string, data: unknown) =>
  `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const output = (text: string) => ({ script: 'run', data: btoa(text), encoding: 'base64' });
const lastIds = (server: ScriptedServer) => server.heard.map(({ headers }) => headers.get('last-event-id'));
const paths = (server: ScriptedServer) => server.heard.map(({ url }) => new URL(url).pathname);

async function follow(server: ScriptedServer): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, id } of server.client().execution('exec_1').events()) seen.push(`${type} ${id}`);
  return seen;
}

test('a stream that ends, breaks or falls silent in the middle of an event is gone on with from the last whole one', async () => {
  const server = new ScriptedServer();
  server.answers.push(
    server.stream([sent(1, 'stage', { stage: 'running', cause: 'started' }), 'id: 2\nevent: stdout\ndata: {"scr']),
    server.broken(),
    server.stream([': ping\n\n', sent(2, 'stdout', output('a')), 'id: 3\nevent: std'], false),
    server.problem(503, 'shard-moved', { 'retry-after': '1' }),
    server.stream([sent(3, 'stderr', output('b')), sent(9_007_199_254_740_991, 'finished', over)], false),
  );
  const seen = follow(server);
  await server.passUntilHeard(5);
  assert.deepEqual(await seen, ['stage 1', 'stdout 2', 'stderr 3', 'finished 9007199254740991']);
  assert.deepEqual(lastIds(server), [null, '1', '1', '2', '2']);
  assert.ok(server.heard[4]?.signal.aborted, 'the last connection is given up with the last event');
  assert.equal(server.clock.pending, 0);
});

test('a server that has forgotten all events still tells the end, once', async () => {
  const server = new ScriptedServer();
  const nothing = async () => new Response(null, { status: 204 });
  server.answers.push(server.stream([sent(57, 'stdout', output('a'))]), nothing);
  server.answers.push(server.json(200, { ...over, finishedAt: null }), nothing, server.json(200, over));
  const seen = follow(server);
  await server.passUntilHeard(5);
  assert.deepEqual(await seen, ['stdout 57', 'finished 57']);
  assert.deepEqual(lastIds(server), [null, '57', null, '57', null]);
});

test('what has no id changes nothing about where it goes on, and what is not known is passed on', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.stream([sent(4, 'novelty', {}), sent(null, 'forgotten', { events: 3 })]));
  server.answers.push(server.stream([sent(9, 'finished', over)]));
  const seen = follow(server);
  await server.passUntilHeard(2);
  assert.deepEqual(await seen, ['novelty 4', 'forgotten 4', 'finished 9']);
  assert.deepEqual(lastIds(server), [null, '4']);
});

test('an end that tells of something that is not over is none: whoever said so has not taken it up yet', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.stream([sent(1, 'finished', { ...over, stage: 'queued', finishedAt: null })]));
  server.answers.push(server.stream([sent(1, 'stage', { stage: 'running', cause: null }), sent(2, 'finished', over)]));
  const seen = follow(server);
  await server.passUntilHeard(2);
  assert.deepEqual(await seen, ['stage 1', 'finished 2']);
  assert.deepEqual(lastIds(server), [null, null]);
});

test('who waits for the end alone asks for it before coming back, so that a proxy that keeps streams back does no harm', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.stream([], false), server.json(200, over));
  const result = server.client().execution('exec_1').result();
  await server.passUntilHeard(2);
  assert.deepEqual(await result, over);
  assert.deepEqual(paths(server), ['/v1/executions/exec_1/events', '/v1/executions/exec_1']);
});

test('the next event is not read before the one before it was taken, and leaving the loop ends the connection', async () => {
  const server = new ScriptedServer();
  let pulled = 0;
  server.answers.push(async () => {
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(new TextEncoder().encode(sent(pulled, 'stdout', output('x'))));
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  });
  for await (const event of server.client().execution('exec_1').events()) {
    await server.pass(100_000);
    assert.ok(pulled <= Number(event.id) + 1, `${pulled} pieces for event ${event.id}`);
    if (event.id === '3') break;
  }
  assert.deepEqual([server.heard.length, server.clock.pending], [1, 0]);
  assert.ok(server.heard[0]?.signal.aborted);
});

test('what is no stream of events, an event that is no JSON and one that is too long are errors, each told once', async () => {
  for (const [answer, code] of [
    [new ScriptedServer().json(200, over), 'answer-unexpected'],
    [new ScriptedServer().stream(['event: stage\ndata: {\n\n']), 'answer-malformed'],
    [new ScriptedServer().problem(404, 'execution-not-found'), 'execution-not-found'],
  ] as const) {
    const server = new ScriptedServer();
    server.otherwise = answer;
    await assert.rejects(follow(server), (error) => isEnvicutorError(error, code));
    assert.deepEqual([server.heard.length, server.clock.pending], [1, 0]);
  }
});

test('run with a listener submits once and hears everything; its failure to begin is told as an error, its abort cancels', async () => {
  const server = new ScriptedServer();
  const accepted = server.json(202, { ...over, finishedAt: null });
  server.answers.push(
    accepted,
    server.stream([sent(1, 'stage', { stage: 'queued', cause: null }), sent(2, 'finished', over)]),
  );
  const heard: ExecutionEvent[] = [];
  const options = { onEvent: (event: ExecutionEvent) => heard.push(event) };
  assert.deepEqual(await server.client().run({ run: { script: 'true' } }, options), over);
  assert.deepEqual(
    heard.map(({ type }) => type),
    ['stage', 'finished'],
  );
  assert.equal(server.heard[0]?.url, 'http://server.test/v1/executions', 'it is not waited for twice');

  const failed = { ...over, stage: 'failed', failure: { code: 'no-agent', detail: 'nobody' } };
  server.answers.push(accepted, server.stream([sent(1, 'finished', failed)]));
  await assert.rejects(server.client().run({ run: { script: 'true' } }, options), (error) =>
    isEnvicutorError(error, 'no-agent'),
  );

  const controller = new AbortController();
  const left = new Error('left');
  server.answers.push(accepted, server.stream([sent(1, 'stage', { stage: 'running', cause: null })], false));
  server.answers.push(server.json(200, over));
  const onEvent = () => controller.abort(left);
  await assert.rejects(server.client().run({ run: { script: 'true' } }, { onEvent, signal: controller.signal }), left);
  assert.deepEqual([server.heard.at(-1)?.method, paths(server).at(-1)], ['DELETE', '/v1/executions/exec_1']);
  assert.equal(server.clock.pending, 0);
});

test('what a listener throws ends the run with it, and the connection', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.json(202, { ...over, finishedAt: null }));
  server.answers.push(server.stream([sent(1, 'stage', { stage: 'running', cause: null })], false));
  const mistake = new Error('a mistake of the listener');
  const onEvent = () => Promise.reject(mistake);
  await assert.rejects(server.client().run({ run: { script: 'true' } }, { onEvent }), mistake);
  assert.deepEqual([server.heard.length, server.clock.pending], [2, 0]);
});

test('a file that comes in two connections is whole, also from who does not know ranges', async () => {
  const bytes = new Uint8Array(1000).map((_, index) => index % 251);
  const part = (from: number, to: number, status: number) => async () => {
    let isGiven = false;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (isGiven && to < bytes.length) controller.error(new TypeError('terminated'));
          else if (isGiven) controller.close();
          else controller.enqueue(bytes.slice(from, to));
          isGiven = true;
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { status });
  };
  const server = new ScriptedServer();
  server.answers.push(part(0, 400, 200), part(400, 700, 206), part(0, 1000, 200));
  const got = new Response(server.client().files.stream('file_1')).arrayBuffer();
  await server.passUntilHeard(3);
  assert.deepEqual(new Uint8Array(await got), bytes);
  assert.deepEqual(
    server.heard.map(({ headers }) => headers.get('range')),
    [null, 'bytes=400-', 'bytes=700-'],
  );
});

test('bytes are sent again after a broken connection, a stream is not, and says so', async () => {
  const file = { id: 'file_1', sha256: '00', bytes: 3, expiresAt: '' };
  const server = new ScriptedServer();
  server.answers.push(server.broken(), server.json(200, file));
  const sending = server.client().files.upload(new Uint8Array([1, 2, 3]));
  await server.passUntilHeard(2);
  assert.deepEqual(await sending, file);
  assert.deepEqual(
    server.heard.map(({ headers }) => headers.get('content-type')),
    ['application/octet-stream', 'application/octet-stream'],
  );
  server.answers.push(server.broken());
  const stream = new Blob(['abc']).stream();
  await assert.rejects(server.client().files.upload(stream), (error) => isEnvicutorError(error, 'stream-consumed'));
  assert.equal(server.heard.length, 3);
});

test('what is not there any more at the second attempt was removed by the first', async () => {
  const server = new ScriptedServer();
  server.answers.push(server.broken(), server.problem(404, 'file-not-found'));
  const removed = server.client().files.delete('file_1');
  await server.passUntilHeard(2);
  await removed;
  server.answers.push(server.problem(404, 'file-not-found'));
  await assert.rejects(server.client().files.delete('file_1'), (error) => isEnvicutorError(error, 'file-not-found'));
});
