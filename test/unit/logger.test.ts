/**
 * When lines of a log are out: warnings at once with all before them, others soon, all of them at the end, in their order.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const logger = new URL('../../shared/logger.ts', import.meta.url).href;

/** Runs a program that has a logger `log`; its lines' messages, and how it ended. */
async function messagesOf(program: string, ending = 'SIGKILL'): Promise<{ messages: string[]; code: number | null }> {
  const text = `import { createLogger } from ${JSON.stringify(logger)};\nconst log = createLogger('test', { level: 'debug' });\n${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seen: string[] = [];
  child.stdout.on('data', (data) => {
    seen.push(String(data));
    if (seen.join('').includes('"last"')) child.kill(ending as NodeJS.Signals);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const lines = seen
    .join('')
    .trim()
    .split('\n')
    .filter((line) => line !== '');
  return { messages: lines.map((line) => (JSON.parse(line) as { msg: string }).msg), code };
}

test('a warning is out when its call returns, with every line before it', async () => {
  const { messages } = await messagesOf(
    "log.info({}, 'one');\nlog.debug({}, 'two');\nlog.warn({}, 'last');\nfor (;;);",
  );
  assert.deepEqual(messages, ['one', 'two', 'last']);
});

test('an ordinary line is out without another one', async () => {
  const { messages } = await messagesOf("log.info({}, 'last');\nsetInterval(() => undefined, 1000);");
  assert.deepEqual(messages, ['last']);
});

test('many lines do not wait, and keep their order', async () => {
  const program = "for (let n = 0; n < 1000; n += 1) log.info({ n }, 'some');\nlog.error({}, 'last');\nfor (;;);";
  const { messages } = await messagesOf(program);
  assert.deepEqual([messages.length, messages.at(-1)], [1001, 'last']);
});

test('all lines are out when the process ends, by itself, by exit and by an error that nobody catches', async () => {
  assert.deepEqual(await messagesOf("log.info({}, 'one');"), { messages: ['one'], code: 0 });
  assert.deepEqual(await messagesOf("log.info({}, 'one');\nprocess.exit(3);"), { messages: ['one'], code: 3 });
  assert.deepEqual(await messagesOf("log.info({}, 'one');\nthrow new Error('on purpose');"), {
    messages: ['one'],
    code: 1,
  });
});
