/**
 * Owns what Judge0's clients may rely on, over real HTTP, written from the published contract: submitting in every way, looking, what is refused in which
 * words, keys. Agents are scripted: what programs do is judge0-programs.test.ts's.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CoordinatorConfig } from '../../coordinator/config.ts';
import { createKeyRing, type KeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { shellRecipes } from '../support/acted-languages.ts';
import { startCoordinator } from '../support/coordinator-fixture.ts';
import { foreignClient } from '../support/foreign-client.ts';
import { makeReport, makeResult } from '../support/lease-results.ts';
import type { AgentScript } from '../support/scripted-agent.ts';
import { localReceivers, WebhookReceiver } from '../support/webhook-receiver.ts';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const hello = { source_code: 'print("hello")', language_id: 71 };
const willing: AgentScript = {
  slots: 8,
  offered: ({ lease, fence }, agent) => agent.say({ type: 'lease.completed', lease, fence, result: makeResult() }),
};

async function start(t: TestContext, changes: Partial<CoordinatorConfig> = {}, keys: KeyRing | null = null) {
  const coordinator = await startCoordinator(t, changes, keys, { recipes: shellRecipes });
  const ask = foreignClient(() => coordinator.url);
  const post = (body: object, query = '') => ask('POST', `/submissions${query}`, body);
  return Object.assign(coordinator, { judge0: ask, post });
}

type Started = Awaited<ReturnType<typeof start>>;

/** Asks until a submission is over. */
async function untilOver({ judge0 }: Started, token: string, query = '?fields=*') {
  for (;;) {
    const answer = await judge0('GET', `/submissions/${token}${query}`);
    assert.equal(answer.status, 200, answer.text);
    const { body } = answer;
    if ((body.status?.id ?? body.status_id) > 2) return body;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('what is waited for is answered at once, with the default attributes and no others', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  const { status, body } = await coordinator.post(hello, '?wait=true');
  assert.equal(status, 201);
  const { token, ...rest } = body;
  assert.match(token, UUID4);
  assert.deepEqual(rest, {
    ...{ stdout: 'hello\n', time: '0.002', memory: 4, stderr: null, compile_output: null, message: null },
    status: { id: 3, description: 'Accepted' },
  });
  // Its token is good as long as the coordinator remembers.
  assert.equal((await coordinator.judge0('GET', `/submissions/${token}`)).body.stdout, 'hello\n');
});

test('what is not waited for has a token at once, in the queue until somebody takes it, and is there after a restart', async (t) => {
  const coordinator = await start(t);
  const { status, body } = await coordinator.post({ ...hello, stdin: 'in', expected_output: 'hello' });
  assert.deepEqual([status, Object.keys(body)], [201, ['token']]);
  const path = `/submissions/${body.token}`;
  const queued = (await coordinator.judge0('GET', path)).body;
  assert.deepEqual([queued.status, queued.time], [{ id: 1, description: 'In Queue' }, null]);
  await coordinator.restart();
  await coordinator.join(willing);
  const over = await untilOver(coordinator, body.token);
  assert.deepEqual(Object.keys(over).sort(), [...allAttributes].sort());
  assert.deepEqual(
    [over.source_code, over.stdin, over.expected_output, over.status_id, over.language, over.exit_code],
    ['print("hello")', 'in', 'hello', 3, { id: 71, name: 'Python (1.2.3)' }, 0],
  );
  assert.deepEqual([over.cpu_time_limit, over.memory_limit, over.number_of_runs], ['5.0', 128_000, 1]);
  for (const time of [over.created_at, over.finished_at])
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  await coordinator.restart();
  assert.deepEqual((await coordinator.judge0('GET', `${path}?fields=*`)).body, over, 'with no agent, by its record');
  // The same is an execution like any other.
  const native = (await (await coordinator.ask('GET', '/v1/executions')).json()).items;
  assert.deepEqual([native.length, native[0].verdict], [1, 'ok']);
});

const allAttributes = [
  ...['source_code', 'language_id', 'stdin', 'expected_output', 'stdout', 'status_id', 'created_at', 'finished_at'],
  ...['time', 'memory', 'stderr', 'token', 'number_of_runs', 'cpu_time_limit', 'cpu_extra_time', 'wall_time_limit'],
  ...['memory_limit', 'stack_limit', 'max_processes_and_or_threads', 'enable_per_process_and_thread_time_limit'],
  ...['enable_per_process_and_thread_memory_limit', 'max_file_size', 'compile_output', 'exit_code', 'exit_signal'],
  ...['message', 'wall_time', 'compiler_options', 'command_line_arguments', 'redirect_stderr_to_stdout'],
  ...['callback_url', 'additional_files', 'enable_network', 'status', 'language'],
];

test('base64 goes in and out, in lines of sixty; bytes that are no text need it', async (t) => {
  const coordinator = await start(t);
  const output = { stdout: Buffer.from([0xff, 0xfe]).toString('base64'), stdoutEncoding: 'base64' } as const;
  await coordinator.join({
    ...willing,
    offered: ({ lease, fence }, agent) => {
      const result = makeResult({ run: makeReport(output) });
      agent.say({ type: 'lease.completed', lease, fence, result });
    },
  });
  const long = 'x'.repeat(100);
  const encoded = { language_id: 71, source_code: Buffer.from(long).toString('base64') };
  const { body } = await coordinator.post(encoded, '?base64_encoded=true&wait=true&fields=source_code,stdout,token');
  assert.deepEqual([body.stdout, body.source_code.split('\n')[0].length], ['//4=\n', 60]);
  assert.equal(Buffer.from(body.source_code, 'base64').toString(), long);
  const text = await coordinator.judge0('GET', `/submissions/${body.token}`);
  const sentence =
    'some attributes for this submission cannot be converted to UTF-8, use base64_encoded=true query parameter';
  assert.deepEqual([text.status, text.body], [400, { error: sentence }]);
  assert.equal((await coordinator.judge0('GET', `/submissions/${body.token}?fields=status`)).status, 200);
  const waited = await coordinator.post(hello, '?wait=true');
  assert.deepEqual([waited.status, waited.body.error], [201, sentence]);
  assert.match(waited.body.token, UUID4);
});

test('whatever is wrong with a submission is told by attribute, in the words of the wire', async (t) => {
  const coordinator = await start(t);
  const wrong = async (body: object) => {
    const answer = await coordinator.post(body);
    assert.equal(answer.status, 422, answer.text);
    return answer.body;
  };
  assert.deepEqual(await wrong({}), {
    source_code: ["can't be blank"],
    language_id: ["can't be blank", "language with id  doesn't exist"],
  });
  assert.deepEqual(await wrong({ ...hello, language_id: 9999 }), {
    language_id: ["language with id 9999 doesn't exist"],
  });
  assert.deepEqual(await wrong({ ...hello, language_id: 83 }), { language_id: ["language with id 83 doesn't exist"] });
  assert.deepEqual(await wrong({ ...hello, source_code: ' \n' }), { source_code: ["can't be blank"] });
  assert.deepEqual(await wrong({ ...hello, enable_network: true }), {
    enable_network: ['enabling network is not allowed'],
  });
  assert.deepEqual(await wrong({ ...hello, enable_per_process_and_thread_memory_limit: true }), {
    enable_per_process_and_thread_memory_limit: ['this option cannot be enabled'],
  });
  assert.deepEqual(await wrong({ ...hello, compiler_options: '-O2' }), {
    compiler_options: ['setting compiler options is only allowed for compiled languages'],
  });
  assert.deepEqual(await wrong({ ...hello, command_line_arguments: 'a'.repeat(513) }), {
    command_line_arguments: ['is too long (maximum is 512 characters)'],
  });
  const numbers = { cpu_time_limit: 301, wall_time_limit: 0.5, memory_limit: 'much', number_of_runs: 0 };
  assert.deepEqual(await wrong({ ...hello, ...numbers, max_file_size: 99_999_999, memory: 1 }), {
    cpu_time_limit: ['must be less than or equal to 300.0'],
    wall_time_limit: ['must be greater than or equal to 1.0'],
    memory_limit: ['is not a number'],
    number_of_runs: ['must be greater than 0'],
    max_file_size: ['must be less than or equal to 16384'],
  });
  assert.deepEqual(await wrong({ language_id: 89, source_code: 'x' }), {
    source_code: ['must be blank'],
    additional_files: ["can't be blank"],
  });
  const zip = await wrong({ language_id: 89, additional_files: Buffer.from('no zip').toString('base64') });
  assert.match(zip.additional_files[0], /^is no zip that can be unpacked/);
  assert.match((await wrong({ ...hello, callback_url: 'http://10.0.0.1/' })).callback_url[0], /must begin with https:/);
  assert.equal((await (await coordinator.ask('GET', '/v1/executions')).json()).items.length, 0);
});

test('fields that are none, bodies that are none and tokens that are none have the answers of the peer', async (t) => {
  const coordinator = await start(t);
  const fields = await coordinator.post(hello, '?fields=stdout,shape,size');
  assert.deepEqual([fields.status, fields.body], [400, { error: 'invalid fields: [shape, size]' }]);
  const broken = await coordinator.judge0('POST', '/submissions', '{"source_code":', {
    'content-type': 'application/json',
  });
  assert.deepEqual([broken.status, broken.body], [400, { status: 400, error: 'Bad Request' }]);
  const none = `/submissions/${crypto.randomUUID()}`;
  const quiet = await coordinator.judge0('GET', none);
  assert.deepEqual([quiet.status, quiet.text], [404, '']);
  const said = await coordinator.judge0('GET', none, null, { accept: 'application/json' });
  assert.deepEqual([said.status, said.body], [404, { status: 404, error: 'Not Found' }]);
  // An execution that was asked for natively is no submission.
  const native = { environment: { base: 'debian-13' }, run: { script: 'true' }, metadata: { judge0: { odd: 1 } } };
  await coordinator.ask('POST', '/v1/executions', native);
  const all = await coordinator.judge0('GET', '/submissions');
  assert.deepEqual([all.body.submissions, all.body.meta.total_count], [[], 0]);
});

test('odd values are refused or converted, never a fault of ours', async (t) => {
  const coordinator = await start(t, { queueDepthMax: 100_000 });
  const odd = [
    null,
    true,
    0,
    -1,
    Number.MAX_VALUE,
    'x\u0000y',
    '\ud800',
    [],
    {},
    [[]],
    '9'.repeat(400),
    'NaN',
    '0x10',
    ' ',
  ];
  const names = [...allAttributes, 'submissions', 'tokens', '__proto__'];
  for (const name of names) {
    for (const value of odd) {
      const text = JSON.stringify({ ...hello, language_id: 54, x: value }).replace('"x":', `${JSON.stringify(name)}:`);
      // A name that is said twice is refused by the reading of JSON.
      const { status } = await coordinator.judge0('POST', '/submissions', text);
      assert.ok([201, 400, 422].includes(status), `${status} for ${name} ${text.slice(0, 200)}`);
    }
  }
  const refused = async (body: object) => (await coordinator.post({ ...hello, language_id: 54, ...body })).body;
  assert.deepEqual(Object.keys(await refused({ command_line_arguments: 'a\u0000b' })), ['command_line_arguments']);
  assert.deepEqual(Object.keys(await refused({ compiler_options: 'a\u0000b' })), ['compiler_options']);
  for (const body of ['[]', '"x"', 'null', '{"submissions":{"a":1}}', '{"submissions":[null,1,[],"x"]}']) {
    for (const path of ['/submissions', '/submissions/batch'])
      assert.ok([400, 422].includes((await coordinator.judge0('POST', path, body)).status), `${path} ${body}`);
  }
  for (const path of ['/submissions/%00', '/languages/1e3', '/submissions/batch?tokens=,,', '/submissions?page=x'])
    assert.ok([400, 404].includes((await coordinator.judge0('GET', path)).status), path);
});

test('a form is a submission as well, under either spelling of the path', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const body = new URLSearchParams({ source_code: 'x', language_id: '71', cpu_time_limit: '2.5' }).toString();
  const answer = await coordinator.judge0(
    'POST',
    '/submissions/?wait=true&fields=cpu_time_limit,status_id',
    body,
    form,
  );
  assert.deepEqual([answer.status, answer.body], [201, { cpu_time_limit: '2.5', status_id: 3 }]);
});

test('of a batch what is valid is accepted, and what is not is told in its place', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  const batch = (submissions: unknown) => coordinator.judge0('POST', '/submissions/batch', { submissions });
  const { status, body } = await batch([hello, { ...hello, language_id: 1 }, hello]);
  assert.equal(status, 201);
  assert.deepEqual(body[1], { language_id: ["language with id 1 doesn't exist"] });
  const tokens = [body[0].token, crypto.randomUUID(), body[2].token];
  for (const token of [tokens[0], tokens[2]]) await untilOver(coordinator, token);
  const seen = await coordinator.judge0('GET', `/submissions/batch?tokens=${tokens.join(',')}&fields=token,stdout`);
  assert.deepEqual(seen.body, {
    submissions: [{ token: tokens[0], stdout: 'hello\n' }, null, { token: tokens[2], stdout: 'hello\n' }],
  });
  const bad = await batch([{ ...hello, language_id: 1 }]);
  assert.deepEqual([bad.status, bad.body.length], [422, 1]);
  const empty = await batch([]);
  assert.deepEqual([empty.status, empty.body.error], [400, 'there should be at least one submission in a batch']);
  const large = await batch(Array.from({ length: 21 }, () => hello));
  const sentence = 'number of submissions in a batch should be less than or equal to 20';
  assert.deepEqual([large.status, large.body.error], [400, sentence]);
});

test('a full queue is said as the peer says it', async (t) => {
  const coordinator = await start(t, { queueDepthMax: 1 });
  assert.equal((await coordinator.post(hello)).status, 201);
  const full = await coordinator.post(hello);
  assert.deepEqual([full.status, full.body], [503, { error: 'queue is full' }]);
  assert.ok(Number(full.headers.get('retry-after')) >= 1);
});

test('what an instance is: languages, settings, machines and counts, with every name that clients look for', async (t) => {
  const coordinator = await start(t);
  await coordinator.join(willing);
  await coordinator.post(hello, '?wait=true');
  await untilOver(coordinator, (await coordinator.post(hello)).body.token);
  const get = async (path: string) => (await coordinator.judge0('GET', path)).body;
  const languages = await get('/languages');
  assert.deepEqual(
    languages.map(({ id }: { id: number }) => id).sort((a: number, b: number) => a - b),
    [43, 44, 46, 52, 53, 54, 71, 89, 92, 100, 105, 109, 113],
  );
  assert.deepEqual(languages[0], { id: 46, name: 'Bash (1.2.3)' });
  const one = await get('/languages/54');
  assert.deepEqual([one.name, one.is_archived, one.source_file], ['C++ (GCC 1.2.3)', false, 'main.cpp']);
  assert.equal((await coordinator.judge0('GET', '/languages/83')).status, 404);
  assert.equal((await get('/languages/all'))[0].is_archived, false);
  assert.deepEqual(
    [(await get('/statuses')).length, (await get('/statuses'))[13].description],
    [14, 'Exec Format Error'],
  );
  assert.deepEqual(Object.keys(await get('/config_info')).sort(), [...configKeys].sort());
  assert.equal((await get('/about')).version, '1.13.1');
  assert.equal((await coordinator.judge0('GET', '/version')).text, '1.13.1');
  assert.deepEqual((await get('/workers'))[0], {
    ...{ queue: '1.13.1', size: 0, available: 8, idle: 8, working: 0, paused: 0, failed: 0 },
  });
  assert.equal((await get('/system_info'))['CPU(s)'], '2');
  const statistics = await get('/statistics');
  assert.deepEqual([statistics.submissions.total, statistics.submissions.today], [1, 1]);
  assert.deepEqual(statistics.languages, [{ language: { id: 71, name: 'Python (1.2.3)' }, count: 1 }]);
});

const configKeys = [
  ...['maintenance_mode', 'enable_wait_result', 'enable_compiler_options', 'allowed_languages_for_compile_options'],
  ...['enable_command_line_arguments', 'enable_submission_delete', 'enable_callbacks', 'callbacks_max_tries'],
  ...['callbacks_timeout', 'enable_additional_files', 'max_queue_size', 'cpu_time_limit', 'max_cpu_time_limit'],
  ...['cpu_extra_time', 'max_cpu_extra_time', 'wall_time_limit', 'max_wall_time_limit', 'memory_limit'],
  ...['max_memory_limit', 'stack_limit', 'max_stack_limit', 'max_processes_and_or_threads'],
  ...['max_max_processes_and_or_threads', 'enable_per_process_and_thread_time_limit'],
  ...['allow_enable_per_process_and_thread_time_limit', 'enable_per_process_and_thread_memory_limit'],
  ...['allow_enable_per_process_and_thread_memory_limit', 'max_file_size', 'max_max_file_size', 'number_of_runs'],
  ...['max_number_of_runs', 'redirect_stderr_to_stdout', 'max_extract_size', 'enable_batched_submissions'],
  ...['max_submission_batch_size', 'submission_cache_duration', 'use_docs_as_homepage', 'allow_enable_network'],
  'enable_network',
];

test("a tenant's key is a token; another tenant's submissions are not there, and operators prove themselves", async (t) => {
  const tenant = (id: string, isOperator: boolean) => ({
    ...{ id, isOperator, keys: [{ name: 'k', sha256: digestHex(digestOf(`key-${id}`)) }] },
  });
  const ring = createKeyRing({ tenants: [tenant('one', false), tenant('two', false), tenant('boss', true)] });
  const coordinator = await start(t, {}, ring);
  const as = (name: string) => foreignClient(() => coordinator.url, { 'x-auth-token': `key-${name}` });
  for (const path of ['/languages', '/submissions', '/about']) {
    const refused = await coordinator.judge0('GET', path);
    assert.deepEqual([refused.status, refused.text], [401, ''], path);
  }
  assert.equal((await coordinator.judge0('GET', '/languages?X-Auth-Token=key-one')).status, 200);
  assert.equal((await coordinator.judge0('GET', '/languages', null, { authorization: 'Bearer key-one' })).status, 200);
  assert.equal((await as('nobody')('POST', '/authenticate')).status, 401);
  assert.equal((await as('one')('POST', '/authenticate')).status, 200);
  const { token } = (await as('one')('POST', '/submissions', hello)).body;
  assert.equal((await as('one')('GET', `/submissions/${token}`)).status, 200);
  assert.equal((await as('two')('GET', `/submissions/${token}`)).status, 404);
  const listed = (user: string | null) =>
    as('one')('GET', '/submissions', null, user === null ? {} : { 'x-auth-user': user });
  assert.deepEqual([(await listed(null)).status, (await listed('key-two')).status], [403, 403]);
  const { body } = await listed('key-boss');
  assert.deepEqual([body.submissions[0].token, body.meta.total_count], [token, 1]);
  assert.equal((await as('one')('POST', '/authorize', null, { 'x-auth-user': 'key-boss' })).status, 200);
  assert.equal((await as('one')('POST', '/authorize')).status, 403);
  const deleted = await as('one')('DELETE', `/submissions/${token}`, null, { 'x-auth-user': 'key-boss' });
  assert.deepEqual([deleted.status, deleted.body], [400, { error: 'delete not allowed' }]);
  const odd = await as('one')('GET', '/submissions?page=-4', null, { 'x-auth-user': 'key-boss' });
  assert.deepEqual([odd.status, odd.body], [400, { error: 'invalid page: -4' }]);
});

test('without keys a foreign page or a name of another host gets nothing here either', async (t) => {
  const coordinator = await start(t);
  const page = { origin: 'https://elsewhere.example' };
  assert.equal((await coordinator.judge0('POST', '/submissions', hello, page)).status, 403);
  assert.equal((await coordinator.judge0('GET', '/languages', null, page)).status, 403);
  assert.equal((await coordinator.judge0('GET', '/jobe/index.php/restapi/languages', null, page)).status, 403);
});

test('a callback is a PUT of the default attributes in base64, signed, to a receiver that is allowed', async (t) => {
  const receiver = await new WebhookReceiver().start();
  t.after(() => receiver.stop());
  const settings = { webhookPorts: ['*'], webhookPrivateRanges: ['127.0.0.1'] };
  const coordinator = await start(t, { ...localReceivers, ...settings });
  await coordinator.join(willing);
  const { token } = (await coordinator.post({ ...hello, callback_url: receiver.url('/done') })).body;
  const [received] = await receiver.received(1);
  const body = JSON.parse(received?.body ?? '');
  assert.deepEqual([received?.method, received?.path], ['PUT', '/done']);
  assert.deepEqual(
    [body.token, body.stdout, body.status, body.time],
    [token, 'aGVsbG8K\n', { id: 3, description: 'Accepted' }, '0.002'],
  );
  assert.equal(received?.headers['content-type'], 'application/json');
  assert.match(String(received?.headers['webhook-signature']), /^v1,/);
  const private_ = await start(t);
  const refused = await private_.post({ ...hello, callback_url: 'https://127.0.0.1/' });
  assert.match(refused.body.callback_url[0], /127\.0\.0\.1/);
});

test('a room that is not served is not there', async (t) => {
  const coordinator = await start(t, { compatibility: ['piston'] });
  for (const path of ['/languages', '/jobe/index.php/restapi/languages'])
    assert.equal((await coordinator.judge0('GET', path)).status, 404);
});
