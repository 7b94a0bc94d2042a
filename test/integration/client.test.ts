/**
 * Owns the proof of the client against a running server with a real agent: results, events and cancelling, while connections are cut in the middle and the
 * coordinator restarts. Needs root, for the sandboxes.
 * Invariant of all: one call is one execution at the server.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  EnvicutorClient,
  type ExecutionEvent,
  isEnvicutorError,
  toOutputBytes,
} from '../../client/typescript/client.ts';
import { setStage } from '../support/agent-stage.ts';
import { CuttableRelay } from '../support/cuttable-relay.ts';

const endings: (() => unknown)[] = [];
const place = { after: (ending: () => unknown) => endings.unshift(ending) };
let stage: Awaited<ReturnType<typeof setStage>>;

before(async () => {
  stage = await setStage(place as never);
  await stage.startAgent();
});
after(async () => {
  for (const end of endings) await end();
});

const retries = { delayMsMin: 50, delayMsMax: 500 };
const client = () => new EnvicutorClient({ url: stage.coordinator.url, retries });

/** A client behind a cable that can be cut. */
async function behindRelay(t: { after(ending: () => unknown): void }) {
  const relay = await CuttableRelay.open(Number(new URL(stage.coordinator.url).port));
  t.after(() => relay.close());
  return { relay, client: new EnvicutorClient({ url: `http://127.0.0.1:${relay.port}`, retries }) };
}

/** How many executions there are that say this of themselves. */
async function countOf(label: string): Promise<number> {
  let count = 0;
  for await (const { metadata } of client().list()) if (metadata['label'] === label) count += 1;
  return count;
}

const decoder = new TextDecoder();
const outputOf = (events: readonly ExecutionEvent[]) =>
  events.map((event) => (event.type === 'stdout' ? decoder.decode(toOutputBytes(event.data)) : '')).join('');

test('a program runs: its verdict is an answer, whatever it is; a request that is wrong is an error that says where', async () => {
  const hello = await client().run({ run: { script: 'echo "hello $BASE"' } });
  assert.deepEqual([hello.stage, hello.verdict, hello.run?.stdout], ['finished', 'ok', 'hello ours\n']);
  const failed = await client().run({ run: { script: 'exit 3' } });
  assert.deepEqual([failed.verdict, failed.run?.exitCode], ['nonzero-exit', 3]);
  const wrong = client().run({ run: { script: 'true', limits: { wallTimeMs: -1 } } });
  await assert.rejects(wrong, (error) => {
    assert.ok(isEnvicutorError(error, 'request-invalid'));
    assert.deepEqual([error.status, error.errors[0]?.pointer], [400, '/run/limits/wallTimeMs']);
    return error.requestId !== null;
  });
});

test('events come as they happen and end with the answer; a listing, a placement and bases are there', async () => {
  const events: ExecutionEvent[] = [];
  const script = 'for i in 1 2 3; do echo $i; done';
  const answer = await client().run({ run: { script } }, { onEvent: (event) => events.push(event) });
  assert.deepEqual([answer.verdict, events.at(-1)?.type, outputOf(events)], ['ok', 'finished', '1\n2\n3\n']);
  const stages = events.flatMap((event) => (event.type === 'stage' ? [event.data.stage] : []));
  assert.deepEqual([stages.includes('running'), stages.at(-1)], [true, 'finished']);
  const handle = client().execution(answer.id);
  assert.deepEqual((await handle.result()).run, answer.run);
  assert.equal((await handle.placement()).attempts.length, 1);
  assert.ok((await client().environments.bases()).some(({ isDefault }) => isDefault));
  const built = await client().environments.build({ base: 'debian-13' });
  assert.deepEqual([built.state, built.id], ['ready', answer.environment?.id]);
});

test('a cable that is cut while a result is waited for: the same execution is waited for again', async (t) => {
  const { relay, client: far } = await behindRelay(t);
  const result = far.run({ run: { script: 'sleep 1.5; echo whole' }, metadata: { label: 'cut-wait' } });
  while ((await countOf('cut-wait')) === 0) await new Promise((resolve) => setImmediate(resolve));
  relay.cut();
  relay.mend();
  assert.equal((await result).run?.stdout, 'whole\n');
  assert.equal(await countOf('cut-wait'), 1);
});

test('a stream that is cut again and again is gone on with: no event is missing and none comes twice', async (t) => {
  const { relay, client: far } = await behindRelay(t);
  const script = 'i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.05; done';
  const handle = await far.submit({ run: { script } });
  const events: ExecutionEvent[] = [];
  for await (const event of handle.events()) {
    events.push(event);
    if (event.type === 'stdout' && events.length % 8 === 0) {
      relay.cut();
      relay.mend();
    }
  }
  assert.equal(outputOf(events), Array.from({ length: 40 }, (_, index) => `line ${index}\n`).join(''));
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
  assert.equal(events.at(-1)?.type, 'finished');
});

test('a signal that is aborted cancels the execution at the server, waited for or followed', async () => {
  for (const label of ['abort-wait', 'abort-follow']) {
    const controller = new AbortController();
    const gone = new Error('gone');
    const isFollowed = label === 'abort-follow';
    const onEvent = () => undefined;
    const options = { signal: controller.signal, ...(isFollowed ? { onEvent } : {}) };
    const failed = assert.rejects(client().run({ run: { script: 'sleep 60' }, metadata: { label } }, options), gone);
    while ((await countOf(label)) === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(gone);
    await failed;
    for await (const { metadata, stage: at } of client().list())
      if (metadata['label'] === label) assert.equal(at, 'cancelled');
    assert.equal(await countOf(label), 1);
  }
});

test('a coordinator that restarts in between: what was waited for, followed and submitted goes on, once each', async () => {
  const { coordinator } = stage;
  const port = Number(new URL(coordinator.url).port);
  const request = (label: string) => ({ run: { script: 'sleep 1; echo there' }, metadata: { label } });
  const events: ExecutionEvent[] = [];
  const far = new EnvicutorClient({ url: coordinator.url, retries });
  const results = [
    far.run(request('restart')),
    far.run(request('restart'), { onEvent: (event) => events.push(event) }),
    far.submit(request('restart')).then((handle) => handle.result()),
  ];
  while ((await countOf('restart')) < 3) await new Promise((resolve) => setImmediate(resolve));
  await coordinator.restart(port);
  const late = far.run(request('restart'));
  for (const answer of await Promise.all([...results, late]))
    assert.deepEqual([answer.stage, answer.run?.stdout], ['finished', 'there\n'], JSON.stringify(answer.failure));
  assert.equal(events.at(-1)?.type, 'finished');
  assert.equal(await countOf('restart'), 4);
});

test('a batch is accepted by one request, and again is the same; its executions are followed like any other', async () => {
  const requests = ['one', 'two', 'three'].map((word) => ({ run: { script: `echo ${word}` } }));
  const handles = await client().batch(requests, { idempotencyKey: 'a batch' });
  const results = await Promise.all(handles.map((handle) => handle.result()));
  assert.deepEqual(
    results.map(({ run }) => run?.stdout),
    ['one\n', 'two\n', 'three\n'],
  );
  const again = await client().batch(requests, { idempotencyKey: 'a batch' });
  assert.deepEqual(
    again.map(({ id }) => id),
    handles.map(({ id }) => id),
  );
  const wrong = client().batch([...requests, { run: { script: 'true', stdin: 3 as never } }]);
  await assert.rejects(
    wrong,
    (error) => isEnvicutorError(error) && error.errors[0]?.pointer === '/executions/3/run/stdin',
  );
});

test('a terminal whose cable is cut shows all that was written, once, and takes what is typed', async (t) => {
  const { relay, client: far } = await behindRelay(t);
  const script = 'read name; echo "hello $name"; read name; echo "bye $name"; exit 3';
  const handle = await far.submit({ interactive: true, run: { script } });
  const terminal = await handle.terminal();
  terminal.write('one\n');
  let screen = '';
  for await (const bytes of terminal) {
    screen += decoder.decode(bytes, { stream: true });
    if (screen.endsWith('hello one\r\n')) {
      relay.cut();
      relay.mend();
      // Until the platform tells that the connection is broken, what is typed goes nowhere.
      setTimeout(() => terminal.write('two\n'), 500);
    }
  }
  assert.equal(screen, 'one\r\nhello one\r\ntwo\r\nbye two\r\n');
  assert.deepEqual(await terminal.exit, {
    ...{ stage: 'finished', verdict: 'nonzero-exit', endedIn: 'run', failure: null },
    ...{ exitCode: 3, signal: null },
  });
  assert.equal((await handle.result()).run?.exitCode, 3);
});

test('a terminal whose program ended while the cable was cut shows its end all the same', async (t) => {
  const { relay, client: far } = await behindRelay(t);
  const script = 'echo begun; sleep 1; echo the end';
  const handle = await far.submit({ interactive: true, run: { script } });
  let screen = '';
  const terminal = await handle.terminal();
  for await (const bytes of terminal) {
    screen += decoder.decode(bytes, { stream: true });
    if (screen !== 'begun\r\n') continue;
    relay.cut();
    await client().execution(handle.id).result();
    relay.mend();
  }
  assert.equal(screen, 'begun\r\nthe end\r\n');
  assert.equal((await terminal.exit).verdict, 'ok');
});

test('what a tenant uses, its secret of webhooks and its deliveries are there', async () => {
  const usage = await client().usage({ days: 1 });
  assert.deepEqual([usage.tenant, usage.days.length], ['local', 1]);
  const { secret, generation } = await client().webhooks.secret();
  assert.match(secret, /^whsec_/);
  assert.equal((await client().webhooks.rotateSecret()).generation, generation + 1);
  for await (const delivery of client().webhooks.deliveries()) assert.fail(delivery.id);
  await assert.rejects(
    client().webhooks.replay('delivery_none'),
    (error) => isEnvicutorError(error) && error.status === 404,
  );
});

test('a file is sent once and named by an execution; what that leaves comes whole over a connection that is cut', async (t) => {
  const { relay, client: far } = await behindRelay(t);
  const bytes = new Uint8Array(12_000_000).map((_, index) => index * 7);
  const { id } = await far.files.upload(bytes);
  assert.equal((await far.files.upload(new Blob([bytes]).stream())).id, id, 'the same bytes are the same file');
  const { run, files, failure, verdict, stage } = await far.run({
    files: [{ path: 'in.bin', file: id }],
    run: { script: 'wc -c < in.bin; cat > out.bin', stdin: id, stdinEncoding: 'file', collect: ['*.bin'] },
  });
  assert.equal(run?.stdout, '12000000\n', JSON.stringify([failure, verdict, stage]));
  const pieces: Uint8Array[] = [];
  let cuts = 0;
  for await (const piece of far.files.stream(files.find(({ path }) => path === 'out.bin')?.file ?? '')) {
    pieces.push(piece);
    if (Buffer.concat(pieces).length < (cuts + 1) * 3_000_000) continue;
    cuts += 1;
    relay.cut();
    relay.mend();
  }
  assert.ok(cuts >= 3 && Buffer.concat(pieces).equals(bytes), `${cuts} cuts, ${Buffer.concat(pieces).length} bytes`);
  await far.files.delete(id);
  await assert.rejects(far.files.download(id), (error) => isEnvicutorError(error, 'file-not-found'));
  await assert.rejects(far.files.delete(id), (error) => isEnvicutorError(error, 'file-not-found'));
});

test('what is purged is found by nobody', async () => {
  const handle = await client().submit({ run: { script: 'true' } });
  await handle.result();
  await handle.purge();
  await assert.rejects(handle.get(), (error) => isEnvicutorError(error, 'execution-not-found'));
});
