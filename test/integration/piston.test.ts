/**
 * Owns Piston's protocol as its documented contract has it: requests and answers, in its words, over a coordinator whose agent is a script. What
 * programs do is told in piston-programs.test.ts.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createKeyRing, type KeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { LeaseOrderMessage } from '../../shared/protocol/coordinator-messages.ts';
import { additions } from '../../shared/protocol/version.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { builds } from '../support/fake-build-services.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import { askPiston, PistonConnection } from '../support/piston-client.ts';
import { compiledRecipe, shellRecipe, shellRecipes } from '../support/shell-recipes.ts';

const keys = createKeyRing({
  tenants: [{ id: 'one', isOperator: false, keys: [{ name: 'first', sha256: digestHex(digestOf('key-one')) }] }],
});
const files = [{ content: 'echo hello' }];
const hello = { language: 'bash', version: '*', files };

/** An agent that says first `err`, then `out`, and ends well; with the argument `lost` nothing of that arrives but an end. Orders are kept. */
async function stage(t: TestContext, changes: Partial<CoordinatorConfig> = {}, ring: KeyRing | null = null) {
  const coordinator = await startCoordinator(t, changes, ring, { recipes: shellRecipes });
  const orders: LeaseOrderMessage[] = [];
  const [heard, lost] = [
    [
      ['stderr', 'err\n'],
      ['stdout', 'out\n'],
    ],
    [['stdout', 't\n']],
  ] as const;
  await coordinator.join({
    understands: [...additions],
    offered: ({ lease, fence, order }, agent) => {
      orders.push(order);
      for (const [stream, text] of order.run.arguments.includes('lost') ? lost : heard)
        agent.say({ type: 'lease.output', lease, script: 'run', stream, data: Buffer.from(text).toString('base64') });
      const run = makeReport({ stdout: 'out\n', stderr: 'err\n' });
      agent.say({ type: 'lease.completed', lease, fence, result: makeResult({ run }) });
    },
  });
  const ask = (
    method: string,
    path: string,
    ...more: [body?: unknown, headers?: Record<string, string>, signal?: AbortSignal]
  ) => askPiston(coordinator.url, method, path, ...more);
  const connect = (options?: Parameters<typeof PistonConnection.open>[2]) =>
    PistonConnection.open(t, coordinator.url, options);
  return { coordinator, orders, ask, connect };
}

test('a request becomes a native one, with Piston’s limits; its answer is in Piston’s fields, the output in its order', async (t) => {
  const { ask, orders } = await stage(t, { pistonRunMemoryBytes: 0, memoryBytesMax: 600_000_000 });
  const asked = { ...hello, args: ['1', '2'], run_timeout: 1500, run_cpu_time: 0, run_memory_limit: 900_000_000 };
  const { status, said } = await ask('POST', '/execute', asked);
  assert.equal(status, 200);
  const figures = { cpu_time: 2, wall_time: 3, memory: 4096 };
  assert.deepEqual(said, {
    run: {
      ...{ stdout: 'out\n', stderr: 'err\n', output: 'err\nout\n' },
      ...{ code: 0, signal: null, message: null, status: null, ...figures },
    },
    ...{ language: 'bash', version: '5.2.37' },
  });
  const [order] = orders;
  assert.ok(order !== undefined);
  const { wallTimeMs, cpuTimeMs, memoryBytes, outputBytes } = order.run.limits;
  // 0 is the highest that is allowed, and what is above the operator's maximum is lowered to it.
  assert.deepEqual([wallTimeMs, cpuTimeMs, memoryBytes, outputBytes], [1500, 3000, 600_000_000, 65_536]);
  assert.deepEqual(
    [order.run.arguments, order.run.stdin, order.run.variables['MAIN']],
    [['1', '2'], '\n', 'file0.code'],
  );
  assert.equal(order.isOutputStreamed, true);
});

test('what is wrong is refused in Piston’s order and words', async (t) => {
  const { ask, orders } = await stage(t, { pistonRunMemoryBytes: 1000 });
  const cases: readonly (readonly [body: unknown, message: string])[] = [
    [undefined, 'language is required as a string'],
    [[], 'language is required as a string'],
    [{ language: '', version: 1, files: 1 }, 'language is required as a string'],
    [{ language: 'bash', version: 5, files: 1 }, 'version is required as a string'],
    [{ language: 'bash', version: '*', files: {} }, 'files is required as an array'],
    [{ ...hello, language: 'nothing', files: [{ content: 'x' }, null] }, 'files[1].content is required as a string'],
    [{ ...hello, files: [{ content: 1 }] }, 'files[0].content is required as a string'],
    [{ ...hello, language: 'nothing', run_timeout: 'x' }, 'nothing-* runtime is unknown'],
    [{ ...hello, version: '4.x' }, 'bash-4.x runtime is unknown'],
    [{ ...hello, version: 'no range' }, 'bash-no range runtime is unknown'],
    [{ ...hello, files: [] }, 'files must include at least one utf8 encoded file'],
    [{ ...hello, files: [{ content: '00', encoding: 'hex' }] }, 'files must include at least one utf8 encoded file'],
    [{ ...hello, files: [{ content: '', encoding: 'no' }] }, 'files must include at least one utf8 encoded file'],
    [{ ...hello, run_memory_limit: -1 }, 'run_memory_limit must be non-negative'],
    [{ ...hello, run_memory_limit: 1001 }, 'run_memory_limit cannot exceed the configured limit of 1000'],
    [{ ...hello, run_timeout: '5', compile_cpu_time: 1e9 }, 'If specified, run_timeout must be a number'],
    [{ ...hello, run_timeout: 3001 }, 'run_timeout cannot exceed the configured limit of 3000'],
    [{ ...hello, compile_timeout: -1, run_timeout: 9e9 }, 'compile_timeout must be non-negative'],
    [{ ...hello, compile_cpu_time: 10_001 }, 'compile_cpu_time cannot exceed the configured limit of 10000'],
    [{ ...hello, args: [1] }, 'args must be an array of strings'],
    [{ ...hello, stdin: 1 }, 'stdin must be a string'],
  ];
  for (const [body, message] of cases) {
    const { status, said } = await ask('POST', '/execute', body);
    assert.deepEqual([status, said], [400, { message }], JSON.stringify(body));
  }
  for (const name of ['../x', '..', 'a/', 'x'.repeat(256), '\0']) {
    const { status, text } = await ask('POST', '/execute', { ...hello, files: [{ name, content: '' }] });
    assert.deepEqual([status, text], [500, ''], name);
  }
  const overlapping = await ask('POST', '/execute', {
    ...hello,
    files: [
      { name: 'a', content: '' },
      { name: 'a/b', content: '' },
    ],
  });
  assert.equal(overlapping.status, 400);
  assert.match(overlapping.said.message, /needs a directory 'a'/);
  const unreadable = await ask('POST', '/execute', '{"language":');
  assert.equal(unreadable.status, 400);
  assert.match(unreadable.said.message, /the body is not JSON/);
  assert.deepEqual(orders, []);
});

test('both sets of paths, a slash behind them, any content type or none; what is not there is not found', async (t) => {
  const { ask } = await stage(t);
  for (const path of ['/execute', '/execute/', '/piston/execute', '/piston/execute/']) {
    assert.equal((await ask('POST', path, hello)).status, 200, path);
  }
  for (const type of ['text/plain;charset=UTF-8', 'application/x-www-form-urlencoded', 'application/octet-stream']) {
    assert.equal((await ask('POST', '/execute', hello, { 'content-type': type })).status, 200, type);
  }
  const body = Buffer.from(JSON.stringify(hello));
  const bare = await ask('POST', '/execute', body, {});
  assert.equal(bare.headers.get('content-type'), 'application/json; charset=utf-8');
  assert.equal(bare.status, 200);
  for (const [method, path] of [
    ['GET', '/execute'],
    ['GET', '/nothing'],
    ['POST', '/piston/nothing'],
    ['GET', '/connect'],
  ] as const) {
    const { status, said } = await ask(method, path);
    assert.deepEqual([status, said], [404, { message: 'Not Found' }], path);
  }
  assert.equal((await ask('GET', '/runtimes/')).status, 200);
});

test('a key comes as it is or is borne; without one nobody is let in, and without keys no foreign page and no foreign name', async (t) => {
  const keyed = await stage(t, {}, keys);
  const json = { 'content-type': 'application/json' };
  for (const authorization of ['key-one', 'Bearer key-one', 'bearer key-one']) {
    assert.equal((await keyed.ask('POST', '/execute', hello, { ...json, authorization })).status, 200, authorization);
  }
  for (const authorization of [undefined, 'other', 'Bearer other', 'Basic key-one']) {
    const headers: Record<string, string> = authorization === undefined ? json : { ...json, authorization };
    const { status, said } = await keyed.ask('POST', '/execute', hello, headers);
    assert.deepEqual([status, Object.keys(said)], [401, ['message']], authorization);
  }
  const { ask, connect } = await stage(t);
  for (const foreign of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
    for (const type of ['text/plain', 'application/json']) {
      const { status } = await ask('POST', '/execute', hello, { 'content-type': type, ...foreign });
      assert.equal(status, 403, JSON.stringify(foreign));
    }
  }
  await assert.rejects(connect({ headers: { origin: 'https://evil.example' } }), /403/);
  await assert.rejects(connect({ headers: { host: 'evil.example' } }), /403/);
  await assert.rejects(keyed.connect(), /401/);
  const connected = await keyed.connect({ path: '/api/v2/piston/connect', headers: { authorization: 'key-one' } });
  connected.say({ type: 'init', ...hello });
  assert.deepEqual(await connected.closed, [4999, 'Job Completed']);
});

test('what others than Piston would say is said natively: without the room its paths are not there', async (t) => {
  const { ask } = await stage(t, { compatibility: [] });
  const answer = await ask('GET', '/runtimes');
  assert.deepEqual(
    [answer.status, answer.headers.get('content-type')],
    [404, 'application/problem+json; charset=utf-8'],
  );
});

test('packages are recipes: listed, made ready by a build that is waited for, and not to be removed', async (t) => {
  const { ask } = await stage(t);
  const cpp = { language: 'cpp', version: '14.x' };
  const listed = async () => (await ask('GET', '/packages')).said;
  assert.deepEqual(await listed(), [
    { language: 'bash', language_version: '5.2.37', installed: false },
    { language: 'cpp', language_version: '14.2.0', installed: false },
    { language: 'cpp-gcc-12', language_version: '12.2.0', installed: false },
  ]);
  const told = async (method: string, body: object) => {
    const { status, said } = await ask(method, '/packages', body);
    return [status, said];
  };
  assert.deepEqual(await told('DELETE', cpp), [500, { message: 'cpp-14.2.0 is not installed' }]);
  assert.deepEqual(await told('POST', cpp), [200, { language: 'cpp', version: '14.2.0' }]);
  assert.equal((await listed())[1].installed, true);
  assert.deepEqual(await told('POST', cpp), [500, { message: 'Already installed' }]);
  const [status, said] = await told('DELETE', cpp);
  assert.equal(status, 403);
  assert.match((said as { message: string }).message, /^cpp-14\.2\.0 stays/);
  const none = { language: 'cpp', version: '99' };
  for (const method of ['POST', 'DELETE'])
    assert.deepEqual(await told(method, none), [404, { message: 'Requested package cpp-99 does not exist' }]);
});

test('an environment is built whether the client that needs it stays or not', async (t) => {
  const { coordinator, ask, connect } = await stage(t);
  const { promise: allowed, resolve: allow } = Promise.withResolvers<void>();
  coordinator.services.script = async (order) => {
    await allowed;
    return builds(order);
  };
  const logged = (msg: string, { environmentId: id }: Recipe, state?: string) =>
    coordinator.untilLogged(msg, (line) => line.environmentId === id && line.state === state);
  const leaver = new AbortController();
  const left = ask('POST', '/execute', hello, {}, leaver.signal);
  await logged('environment wanted', shellRecipe);
  leaver.abort();
  await assert.rejects(left, /abort/);
  const connection = await connect();
  connection.say({ type: 'init', ...hello, language: 'c++' });
  await logged('environment wanted', compiledRecipe);
  connection.leave();
  const cancelled = () =>
    coordinator.logged.filter(({ msg, stage }) => msg === 'execution ended' && stage === 'cancelled');
  await coordinator.untilLogged('execution ended', () => cancelled().length === 2);
  allow();
  for (const recipe of [shellRecipe, compiledRecipe]) await logged('environment build ended', recipe, 'ready');
});

test('the WebSocket is closed by Piston’s codes', async (t) => {
  const { connect } = await stage(t);
  const closes = async (...messages: readonly (object | string)[]) => {
    const connection = await connect();
    for (const message of messages) connection.say(message as never);
    return { closed: await connection.closed, messages: connection.messages };
  };
  const init = { type: 'init', ...hello };
  const closed = async (...messages: readonly object[]) => (await closes(...messages)).closed;
  assert.deepEqual(await closed(init, init), [4000, 'Already Initialized']);
  assert.deepEqual(await closed(), [4001, 'Initialization Timeout']);
  assert.deepEqual(await closed({ type: 'data', stream: 'stdin', data: '' }), [4003, 'Not yet initialized']);
  assert.deepEqual(await closed({ type: 'signal', signal: 'SIGINT' }), [4003, 'Not yet initialized']);
  assert.deepEqual(await closed(init, { type: 'data', stream: 'stdout', data: '' }), [4004, 'Can only write to stdin']);
  assert.deepEqual(await closed(init, { type: 'signal', signal: 'SIGNOT' }), [4005, 'Invalid signal']);
  const notified = [4002, 'Notified Error'];
  const unknown = await closes({ ...init, language: 'nothing' });
  assert.deepEqual(unknown.closed, notified);
  assert.deepEqual(unknown.messages, [{ type: 'error', message: 'nothing-* runtime is unknown' }]);
  assert.deepEqual((await closes('{')).closed, notified);
  const done = await closes({ type: 'nothing' }, init);
  assert.deepEqual(done.closed, [4999, 'Job Completed']);
  assert.deepEqual(done.messages, [
    { type: 'runtime', language: 'bash', version: '5.2.37' },
    { type: 'stage', stage: 'run' },
    { type: 'data', stream: 'stderr', data: 'err\n' },
    { type: 'data', stream: 'stdout', data: 'out\n' },
    { type: 'exit', stage: 'run', code: 0, signal: null },
  ]);
  const completed = await closes({ ...init, args: ['lost'] });
  assert.deepEqual(
    completed.messages.slice(2).map(({ data }) => data),
    ['t\n', 'out\n', 'err\n', undefined],
  );
});
