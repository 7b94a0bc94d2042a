/**
 * Owns the proof that make run keeps a process running, gives up on one that can't start, and ends it for good when asked.
 * Real processes; every wait is for an event of theirs.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { PrefixedLog } from '../../ops/local/prefixed-log.ts';
import { SupervisedProcess } from '../../ops/local/supervised-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'envicutor-supervised-'));
after(() => rmSync(folder, { recursive: true }));

/** A shell script under supervision that never becomes ready. */
function superviseUnready(name: string, script: string): SupervisedProcess {
  const command = ['/bin/sh', '-c', script];
  const isReady = async () => false;
  const description = { name, command, environment: { PATH: '/usr/bin:/bin' }, userId: null, groupId: null, isReady };
  return new SupervisedProcess(description, new PrefixedLog(new PassThrough()));
}

/** A shell script under supervision that is ready when it has written its pid into a file named after it. */
function supervise(name: string, script: string, log = new PrefixedLog(new PassThrough())) {
  const pidFile = join(folder, name);
  const command = ['/bin/sh', '-c', `echo $$ >${pidFile}.new; mv ${pidFile}.new ${pidFile}; ${script}`];
  const isReady = async () => existsSync(pidFile);
  const supervised = new SupervisedProcess(
    { name, command, environment: { PATH: '/usr/bin:/bin' }, userId: null, groupId: null, isReady },
    log,
  );
  return { supervised, pid: () => Number(readFileSync(pidFile, 'utf8')) };
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

test('a process that is killed is started again, and stop ends it for good', async () => {
  const out = new PassThrough();
  const { supervised, pid } = supervise('restarted', 'exec sleep 1000', new PrefixedLog(out));
  await supervised.start();
  const first = pid();
  process.kill(first, 'SIGKILL');
  for await (const text of out.iterator({ destroyOnReturn: false })) if (/starting it again/.test(String(text))) break;
  while (pid() === first) await new Promise((resolve) => setImmediate(resolve));
  const second = pid();
  await supervised.stop();
  assert.equal(isAlive(second), false);
  assert.equal(isAlive(pid()), false);
});

test('a process that refuses its configuration is not tried again', async () => {
  const started = join(folder, 'started');
  const supervised = superviseUnready('refused', `echo once >>${started}; exit 78`);
  await assert.rejects(supervised.start(), /refused refused to start/);
  assert.equal(supervised.isRefused, true);
  assert.equal(readFileSync(started, 'utf8'), 'once\n');
});

test('a process that always dies before it is ready is given up after three times', async () => {
  const supervised = superviseUnready('dying', 'exit 1');
  await assert.rejects(supervised.start(), /dying died 3 times before it was ready/);
});

test('a process runs as its own user, without capabilities or a way to get new privileges', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  const out = new PassThrough();
  const command = ['/bin/sh', '-c', 'grep -E "^(Uid|Gid|Groups|CapBnd|NoNewPrivs)" /proc/self/status; exec sleep 1000'];
  const supervised = new SupervisedProcess(
    {
      name: 'x',
      command,
      environment: { PATH: '/usr/bin:/bin' },
      userId: 0x7fff0001,
      groupId: 0x7fff0002,
      isReady: async () => true,
    },
    new PrefixedLog(out),
  );
  await supervised.start();
  let seen = '';
  for await (const text of out.iterator({ destroyOnReturn: false })) {
    seen += String(text);
    if (seen.includes('NoNewPrivs')) break;
  }
  await supervised.stop();
  const fields = Object.fromEntries(
    [...seen.matchAll(/(\w+):[ \t]*(.*)/g)].map(([, name, value]) => [name, value?.trim()]),
  );
  assert.equal(fields['Uid'], Array(4).fill(0x7fff0001).join('\t'));
  assert.equal(fields['Gid'], Array(4).fill(0x7fff0002).join('\t'));
  assert.deepEqual([fields['Groups'], fields['CapBnd'], fields['NoNewPrivs']], ['', '0000000000000000', '1']);
});
