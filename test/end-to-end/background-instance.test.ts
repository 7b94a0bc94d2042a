/**
 * Owns the proof of the instance that the command line starts when there is none: it is there for the next command, it ends when it is told to, and with a
 * command that is interrupted while it starts; nothing of it is left then. Needs root. Never builds anything.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../ops/local/private-instance.ts';
import { CommandLine, cliProgram, ended } from '../support/command-line.ts';
import { cgroupsNamed } from '../support/host-traces.ts';

/** Processes that were told of this state directory. */
const processesOf = (state: string): string[] =>
  readdirSync('/proc').filter((id) => {
    try {
      return (
        /^\d+$/.test(id) && Number(id) !== process.pid && readFileSync(`/proc/${id}/environ`, 'utf8').includes(state)
      );
    } catch {
      return false;
    }
  });

async function setUp(t: TestContext) {
  const port = await freePort();
  const state = mkdtempSync(join(tmpdir(), 'envicutor-background-'));
  // In this order it ends: the instance before the folder that commands are started in.
  let line: CommandLine | null = null;
  t.after(async () => {
    await line?.run(['stop']);
    rmSync(state, { recursive: true, force: true });
  });
  line = new CommandLine(t, { ENVICUTOR_PORT: String(port), ENVICUTOR_STATE_DIRECTORY: state });
  return { port, state, line };
}

test('a command without a coordinator starts one, the next finds it, and stop ends all of it', async (t) => {
  const { port, state, line } = await setUp(t);
  const first = await line.run(['recipe', 'list']);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /starting an instance on this machine/);
  const second = await line.run(['env', 'list', '--json']);
  assert.deepEqual([second.code, second.stdout, second.stderr], [0, '[]\n', '']);
  const stopped = await line.run(['stop']);
  assert.deepEqual([stopped.code, stopped.stderr], [0, 'envicutor: the instance has ended\n']);
  assert.deepEqual([processesOf(state), cgroupsNamed(`envicutor-${port}`)], [[], []]);
  assert.match((await line.run(['stop'])).stderr, /no instance is in the background/);
});

test('Ctrl-C while it starts ends it, too', async (t) => {
  const { port, state, line } = await setUp(t);
  const child = line.start(['env', 'list']);
  const log = join(line.folder, 'home/.local/state/envicutor/instance.log');
  const isStarting = () => {
    try {
      return readFileSync(log, 'utf8').includes('launcher');
    } catch {
      return false;
    }
  };
  while (!isStarting() && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
  child.kill('SIGINT');
  assert.equal((await ended(child)).code, 130);
  assert.deepEqual([processesOf(state), cgroupsNamed(`envicutor-${port}`)], [[], []]);
});

test('who is not root is told what would be needed, in one sentence', async (t) => {
  const { line } = await setUp(t);
  chmodSync(line.folder, 0o755);
  const words = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, cliProgram, 'env', 'list'];
  const child = spawn('setpriv', words, {
    env: { ...line.variables, NODE_COMPILE_CACHE: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = await ended(child);
  assert.equal(end.code, 69);
  assert.match(
    end.stderr,
    /none answers on .*; starting one makes sandboxes and needs root: run `sudo make run` in .*\n$/,
  );
  assert.equal(end.stderr.trim().split('\n').length, 1);
});
