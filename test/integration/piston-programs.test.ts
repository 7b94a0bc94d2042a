/**
 * Owns Piston's protocol from end to end: a real coordinator, agent and launcher, and programs that end in every way that Piston has a word for, over
 * HTTP and over its WebSocket. Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setStage } from '../support/agent-stage.ts';
import { askPiston, PistonConnection } from '../support/piston-client.ts';
import { shellRecipes } from '../support/shell-recipes.ts';

const endings: (() => unknown)[] = [];
const sharing = { after: (ending: () => unknown) => endings.push(ending) };
let coordinator: Awaited<ReturnType<typeof setStage>>['coordinator'];

before(async () => {
  const changes = { pistonOutputBytes: 256, pistonRunWallTimeMs: 60_000 };
  const stage = await setStage(sharing, null, changes, null, { recipes: shellRecipes });
  coordinator = stage.coordinator;
  await stage.startAgent();
});
after(async () => {
  for (const end of endings) await end();
});

async function execute(content: string, more: object = {}) {
  const body = { language: 'bash', version: '*', files: [{ content }], ...more };
  const { status, said } = await askPiston(coordinator.url, 'POST', '/execute', body);
  assert.equal(status, 200, JSON.stringify(said));
  return said;
}

const connect = () => PistonConnection.open(sharing, coordinator.url);

test('programs end as Piston says that they do: status, signal, code, message, output in its order', async () => {
  const ran = async (content: string, more?: object) => (await execute(content, more)).run;
  const hello = await execute('echo out; echo err >&2; echo again; read -r line; echo "[$line]" "$@"', {
    args: ['a b', ''],
  });
  assert.deepEqual([hello.language, hello.version, 'compile' in hello], ['bash', '5.2.37', false]);
  const { cpu_time, wall_time, memory, output, ...told } = hello.run;
  // Which of two pipes is read first is not the program's choice.
  assert.deepEqual(output.split('\n').sort(), ['', '[] a b ', 'again', 'err', 'out']);
  assert.deepEqual(told, {
    ...{ stdout: 'out\nagain\n[] a b \n', stderr: 'err\n' },
    ...{ code: 0, signal: null, message: null, status: null },
  });
  for (const figure of [cpu_time, wall_time, memory]) assert.ok(Number.isInteger(figure) && figure >= 0, `${figure}`);
  const ended = async (content: string, more?: object) => {
    const { code, signal, status, message } = await ran(content, more);
    return [code, signal, status, message];
  };
  assert.deepEqual(await ended('exit 3'), [3, null, 'RE', 'Exited with error status 3']);
  assert.deepEqual(await ended('kill -SEGV $$'), [null, 'SIGSEGV', 'SG', 'Caught fatal signal 11']);
  const cut = await ran(`printf '%300s' x`);
  assert.deepEqual(
    [cut.stdout.length, cut.status, cut.signal, cut.message],
    [256, 'OL', 'SIGKILL', 'stdout length exceeded'],
  );
  assert.deepEqual(await ended(`printf '%300s' x >&2`), [null, 'SIGKILL', 'EL', 'stderr length exceeded']);
  const late = [null, 'SIGKILL', 'TO', 'Time limit exceeded (wall clock)'];
  assert.deepEqual(await ended('sleep 60', { run_timeout: 100 }), late);
  const busy = [null, 'SIGKILL', 'TO', 'Time limit exceeded'];
  assert.deepEqual(await ended('while :; do :; done', { run_cpu_time: 100 }), busy);
  const grown = await ran('x=x; while :; do x=$x$x; done', { run_memory_limit: 20_000_000 });
  assert.deepEqual([grown.signal, grown.status, grown.verdict], ['SIGKILL', 'SG', 'memory-exceeded']);
});

test('what is compiled has both stages; what does not compile has run as its compilation did', async () => {
  const good = await execute('echo ran', { language: 'c++', version: '10.2.0' });
  assert.deepEqual([good.version, good.compile.stdout, good.run.stdout], ['10.2.0', 'checking\n', 'ran\n']);
  const bad = await execute('if', { language: 'c++' });
  assert.equal(bad.compile.status, 'RE');
  assert.notEqual(bad.compile.stderr, '');
  assert.deepEqual(bad.run, bad.compile);
});

test('files are where Piston puts them, whatever their encoding; the main one is the first that is text', async () => {
  const files = [
    { name: 'data/bytes', content: Buffer.from([0xff, 0x0a]).toString('hex'), encoding: 'hex' },
    { name: 'data/empty', content: '' },
    { content: 'cat data/text data/bytes; ls; echo "$0"' },
    { name: 'data/text', content: Buffer.from('hello\n').toString('base64'), encoding: 'base64' },
  ];
  const { run } = await execute('', { files: files.with(1, files[2] as never).with(2, files[1] as never) });
  assert.equal(run.stdout, 'hello\n\ufffd\ndata\nfile1.code\nfile1.code\n');
});

test('over the WebSocket: both streams apart, input while it runs, its end, and a compilation that comes first', async () => {
  const plain = await connect();
  plain.say({
    type: 'init',
    language: 'bash',
    version: '*',
    files: [{ content: 'echo ready; cat; echo over >&2; exit 4' }],
  });
  await plain.heard('data', 'ready\n');
  plain.say({ type: 'data', stream: 'stdin', data: 'one\n' });
  await plain.heard('data', 'one\n');
  plain.say({ type: 'eof' });
  assert.deepEqual(await plain.closed, [4999, 'Job Completed']);
  assert.deepEqual(plain.messages, [
    { type: 'runtime', language: 'bash', version: '5.2.37' },
    { type: 'stage', stage: 'run' },
    { type: 'data', stream: 'stdout', data: 'ready\n' },
    { type: 'data', stream: 'stdout', data: 'one\n' },
    { type: 'data', stream: 'stderr', data: 'over\n' },
    { type: 'exit', stage: 'run', code: 4, signal: null },
  ]);
  const compiled = await connect();
  compiled.say({ type: 'init', language: 'c++', version: '*', files: [{ content: 'tty' }] });
  assert.deepEqual(await compiled.closed, [4999, 'Job Completed']);
  assert.deepEqual(compiled.messages.slice(1), [
    { type: 'stage', stage: 'compile' },
    { type: 'data', stream: 'stdout', data: 'checking\n' },
    { type: 'exit', stage: 'compile', code: 0, signal: null },
    { type: 'stage', stage: 'run' },
    { type: 'data', stream: 'stdout', data: 'not a tty\n' },
    { type: 'exit', stage: 'run', code: 1, signal: null },
  ]);
});

test('a signal over the WebSocket ends the program, and a client that goes away takes its program with it', async () => {
  const init = { type: 'init', language: 'bash', version: '*', files: [{ content: 'echo ready; exec sleep 50' }] };
  const first = await connect();
  first.say(init);
  await first.heard('data', 'ready\n');
  first.say({ type: 'signal', signal: 'SIGINT' });
  assert.deepEqual(await first.closed, [4999, 'Job Completed']);
  assert.deepEqual(first.messages.at(-1), { type: 'exit', stage: 'run', code: null, signal: 'SIGKILL' });
  const second = await connect();
  second.say(init);
  await second.heard('data', 'ready\n');
  const ended = coordinator.logged.filter(({ msg }) => msg === 'execution ended').map(({ executionId }) => executionId);
  second.leave();
  await coordinator.untilLogged(
    'execution ended',
    ({ executionId, stage }) => !ended.includes(executionId) && stage === 'cancelled',
  );
});
