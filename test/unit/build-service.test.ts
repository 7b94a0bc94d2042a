/**
 * Owns the proof of which builds run, wait and end, over the builder's own socket.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { FinishedBuild } from '../../coordinator/builder/build-runner.ts';
import { BuildService } from '../../coordinator/builder/build-service.ts';
import { createHttpServer } from '../../coordinator/builder/http-server.ts';
import { listenOn } from '../../coordinator/builder/unix-socket.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { BuildEvent, BuildOrder } from '../../shared/model/build.ts';
import { judge } from '../../shared/sandbox/judge.ts';
import { buildOrder } from '../support/build-orders.ts';
import { temporaryFolder } from '../support/captured.ts';
import { launchReport } from '../support/fake-sandbox.ts';

const nothing = Buffer.alloc(0);
const evidence = { launch: launchReport(), limits: buildOrder().limits, stdout: nothing, stderr: nothing, slot: null };
const verdict = { endedIn: null, report: judge(evidence), verify: null, layer: null } as const;
const finished: FinishedBuild = {
  type: 'finished',
  ...verdict,
  materials: [],
  isNetworkUnreachable: false,
  isPrivate: false,
};

/** A builder whose builds end when the test says so. */
async function builder(context: TestContext, waitingMax = 10) {
  const running = new Map<string, PromiseWithResolvers<FinishedBuild>>();
  const started: string[] = [];
  const removed: string[] = [];
  let arrived = Promise.withResolvers<void>();
  const service = new BuildService({
    runner: {
      async run(order: BuildOrder, emit: (event: BuildEvent) => void, signal: AbortSignal) {
        emit({ type: 'phase', phase: 'running' });
        const ending = Promise.withResolvers<FinishedBuild>();
        signal.addEventListener('abort', () => ending.reject(signal.reason));
        running.set(order.buildId, ending);
        started.push(order.buildId);
        arrived.resolve();
        arrived = Promise.withResolvers();
        return await ending.promise;
      },
    },
    staging: { remove: async (buildId) => void removed.push(buildId) },
    concurrencyMax: 1,
    waitingMax,
    logger: silentLogger,
  });
  const socketPath = join(temporaryFolder(context), 'builder.sock');
  const server = createHttpServer(service);
  await listenOn(server, socketPath);
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const ask = (method: string, path: string, body: unknown = null) => {
    const asked = request({ socketPath, method, path });
    asked.on('error', () => undefined);
    asked.end(body === null ? '' : JSON.stringify(body));
    return { asked, answer: once(asked, 'response').then(([response]) => response as IncomingMessage) };
  };
  return { ask, running, started, removed, service, socketPath, arrival: () => arrived.promise };
}

type Asked = ReturnType<Awaited<ReturnType<typeof builder>>['ask']>;

const order = (number: number) => buildOrder({ buildId: `build_0000000${number}` });

test('one build runs, the next waits for it, and each tells its events as lines', async (context) => {
  const { ask, running, started, arrival } = await builder(context);
  const isFirstHere = arrival();
  const first = ask('POST', '/builds', order(1));
  await isFirstHere;
  const second = ask('POST', '/builds', order(2));
  await second.answer;
  assert.deepEqual(started, ['build_00000001']);
  const isSecondHere = arrival();
  running.get('build_00000001')?.resolve(finished);
  const lines = (await text(await first.answer))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as BuildEvent);
  assert.deepEqual(lines, [{ type: 'phase', phase: 'running' }, finished]);
  await isSecondHere;
  running.get('build_00000002')?.reject(new Error('the sandbox went away'));
  const broken = (await text(await second.answer)).trim().split('\n').at(-1) ?? '';
  assert.deepEqual(JSON.parse(broken), { type: 'broken', code: 'internal', detail: 'the sandbox went away' });
});

test('a client that closes its request cancels its build and lets the next one in', async (context) => {
  const { ask, started, arrival } = await builder(context);
  const isFirstHere = arrival();
  const first = ask('POST', '/builds', order(1));
  await isFirstHere;
  const waiting = ask('POST', '/builds', order(2));
  await waiting.answer;
  const third = ask('POST', '/builds', order(3));
  await third.answer;
  waiting.asked.destroy();
  (await first.answer).destroy();
  // The second one is not begun, or is cancelled at once: what the kernel tells first is not for us to say.
  while (!started.includes('build_00000003')) await arrival();
});

test('a build that is under way is neither begun twice nor removed', async (context) => {
  const { ask, arrival, removed } = await builder(context);
  const isHere = arrival();
  ask('POST', '/builds', order(1));
  await isHere;
  assert.equal((await ask('POST', '/builds', order(1)).answer).statusCode, 409);
  assert.equal((await ask('DELETE', '/builds/build_00000001').answer).statusCode, 409);
  assert.equal((await ask('DELETE', '/builds/build_00000009').answer).statusCode, 204);
  assert.deepEqual(removed, ['build_00000009']);
  const health = JSON.parse(await text(await ask('GET', '/health').answer));
  assert.deepEqual(health, { running: 1, waiting: 0 });
});

test('bad orders, unknown paths and too many builds are refused with a code and a sentence', async (context) => {
  const { ask, arrival } = await builder(context, 0);
  const bad = await ask('POST', '/builds', { ...order(1), extra: 1 }).answer;
  assert.equal(bad.statusCode, 400);
  assert.match(await text(bad), /request-invalid.*extra/);
  assert.equal((await ask('POST', '/builds').answer).statusCode, 400);
  assert.equal((await ask('GET', '/secrets').answer).statusCode, 404);
  assert.equal((await ask('DELETE', '/builds/build_..%2fx').answer).statusCode, 404);
  const isHere = arrival();
  ask('POST', '/builds', order(1));
  await isHere;
  assert.equal((await ask('POST', '/builds', order(2)).answer).statusCode, 429);
});

test("builds of many environments are nobody else's wait: tenants take turns", async (context) => {
  const { ask, running, started, arrival } = await builder(context);
  const ordered = (number: number, tenantId: string) => ask('POST', '/builds', { ...order(number), tenantId });
  let isHere = arrival();
  const answers = [ordered(1, 'many')];
  await isHere;
  for (const number of [2, 3, 4]) await (answers[answers.push(ordered(number, 'many')) - 1] as Asked).answer;
  await (answers[answers.push(ordered(5, 'one')) - 1] as Asked).answer;
  for (const number of [1, 5, 2, 3, 4]) {
    isHere = arrival();
    running.get(`build_0000000${number}`)?.resolve(finished);
    if (number !== 4) await isHere;
  }
  assert.deepEqual(
    started,
    [1, 5, 2, 3, 4].map((number) => `build_0000000${number}`),
  );
});
