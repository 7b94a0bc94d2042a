/**
 * Owns the proof of `make run` itself: it proves itself, it stops cleanly, nothing survives it however it ends, and a second start is quick.
 * Real processes on a private port and state directory; what is left is looked up where the kernel shows it.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, describe, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const PORT = 7391;
const state = mkdtempSync(join(tmpdir(), 'envicutor-make-run-'));
after(() => rmSync(state, { recursive: true, force: true }));

/** Whatever a failed test left running; the kernel ends an instance with its supervisor. */
const started: ChildProcess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
});

/** `make run` without make: what the Makefile executes. */
function start(flags: readonly string[], variables: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['ops/local/main.ts', ...flags], {
    cwd: root,
    env: { ...process.env, ENVICUTOR_PORT: String(PORT), ENVICUTOR_STATE_DIRECTORY: state, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const lines: string[] = [];
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  return { child, lines, exit, until: (pattern: RegExp) => until(child, lines, pattern) };
}

/** Resolves to the first line that matches, of what comes from now on; rejects at the end of the output. */
async function until(child: ChildProcess, lines: string[], pattern: RegExp): Promise<string> {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (pattern.test(line)) return line;
  }
  throw new Error(`ended before ${pattern}:\n${lines.slice(-40).join('\n')}`);
}

/** What of the instance the host still shows: processes, mounts, cgroups, folders. */
function leftovers(): string[] {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (name) =>
        readText(`/proc/${name}/cmdline`).includes(`envicutor-${PORT}`) ||
        readText(`/proc/${name}/environ`).includes(`${state}/`),
    )
    .map((name) => `process ${name} ${readText(`/proc/${name}/cmdline`).replaceAll('\0', ' ')}`);
  const mounts = readText('/proc/self/mounts')
    .split('\n')
    .filter((line) => line.includes(`envicutor-${PORT}`) || line.includes(state));
  const hierarchies = existsSync('/sys/fs/cgroup') ? ['', ...readdirSync('/sys/fs/cgroup')] : [];
  const folders = [...hierarchies.map((name) => join('/sys/fs/cgroup', name)), '/run', '/tmp'].flatMap((folder) =>
    listFolder(folder)
      .filter((name) => name.startsWith(`envicutor-${PORT}`))
      .map((name) => join(folder, name)),
  );
  return [...processes, ...mounts, ...folders];
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

describe('make run', () => {
  test('builds what a program needs, runs it, prints its result and a curl, and leaves nothing', {
    timeout: 580_000,
  }, async () => {
    const { lines, exit, until: seen } = start(['--once']);
    await seen(/^demonstration +curl -s 'http/).catch((error) => assert.fail(String(error)));
    assert.equal(await exit, 0);
    assert.ok(lines.some((line) => line.includes('30! = 265252859812191058636308480000000')));
    assert.ok(
      lines.some((line) => /^build +/.test(line)),
      'the log of the build is shown',
    );
    assert.deepEqual(leftovers(), []);
  });

  test('a second start needs no build, says how long it took, and Ctrl-C stops it and leaves nothing', async (context) => {
    const { lines, child, exit, until: seen } = start(['--no-demo']);
    await seen(/serving until Ctrl-C/);
    // How long is a figure of bench/scenarios/second-start, not of a test: what else runs on this machine is not the question.
    context.diagnostic(lines.find((line) => /ready in [\d.]+ s/.test(line)) ?? 'no ready line');
    assert.ok(lines.some((line) => /ready in [\d.]+ s/.test(line)));
    assert.ok(!lines.some((line) => /^build +/.test(line)));
    child.kill('SIGINT');
    assert.equal(await exit, 0);
    assert.deepEqual(leftovers(), []);
  });

  test('kill -9 of the supervisor kills every process of the instance; the next start finds a clean machine', async () => {
    const { child, exit, until: seen } = start(['--no-demo']);
    await seen(/serving until Ctrl-C/);
    child.kill('SIGKILL');
    await exit;
    while (leftovers().some((left) => left.startsWith('process')))
      await new Promise((resolve) => setImmediate(resolve));
    const again = start(['--no-demo']);
    await again.until(/serving until Ctrl-C/);
    again.child.kill('SIGTERM');
    assert.equal(await again.exit, 0);
    assert.deepEqual(leftovers(), []);
  });
});

describe('make run on a machine that lacks something', () => {
  /** Everything that it says on standard error, once it has ended with 78. */
  async function refusal(variables: Readonly<Record<string, string>>): Promise<string> {
    const { child, exit } = start(['--no-demo'], variables);
    let said = '';
    for await (const text of child.stderr ?? []) said += String(text);
    assert.equal(await exit, 78, said);
    return said;
  }

  test('names the port that is taken and the way out', async () => {
    const server = createServer().listen(PORT, '127.0.0.1');
    await once(server, 'listening');
    const said = await refusal({});
    server.close();
    assert.match(said, /^port 7391 can't be used \(EADDRINUSE\): .*ENVICUTOR_PORT.*\n$/);
  });

  test('names a state directory that cannot be written and the way out', async () => {
    const said = await refusal({ ENVICUTOR_STATE_DIRECTORY: '/proc/envicutor' });
    assert.match(
      said,
      /^the state directory \/proc\/envicutor can't be written \(ENOENT\): .*ENVICUTOR_STATE_DIRECTORY.*\n$/,
    );
  });

  test('names every setting that is not valid', async () => {
    assert.match(await refusal({ ENVICUTOR_PORT: 'many' }), /ENVICUTOR_PORT/);
  });
});
