/**
 * Owns the proof of `envicutor/sandbox`: one program from TypeScript with the service's limits and report, on the host's own programs
 * or on a directory, and nothing left of it however the embedding process ends. Runs the real launcher; needs root.
 */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { SystemError } from '../../shared/errors.ts';
import { Report } from '../../shared/model/verdict.ts';
import {
  type Command,
  createSandbox,
  type EmbeddedSandbox,
  type RunOptions,
} from '../../shared/sandbox/embedded-sandbox.ts';
import { cgroupsNamed, childrenOf, untilGone } from '../support/host-traces.ts';
import { compileC } from '../support/real-launcher.ts';

let sandbox: EmbeddedSandbox;
const folder = mkdtempSync(join(tmpdir(), 'envicutor-embedded-'));
before(async () => {
  sandbox = await createSandbox();
});
after(async () => {
  await sandbox.close();
  rmSync(folder, { recursive: true });
});

const shell = (script: string, more: Partial<Command & RunOptions> = {}) =>
  sandbox.run({ command: ['sh', '-c', script], ...more });

test('a program gets its input, files and variables, and gives output and a report as the HTTP API has it', async () => {
  const result = await shell('cat; cat in/data; echo "$NAME" >&2; exit 3', {
    stdin: 'given ',
    files: [{ path: 'in/data', content: 'file' }],
    environment: { NAME: 'value' },
  });
  assert.deepEqual([result.verdict, result.exitCode], ['nonzero-exit', 3]);
  assert.deepEqual([result.stdout, result.stderr], ['given file', 'value\n']);
  assert.deepEqual(Buffer.from(result.output.stdout).toString(), 'given file');
  const report = Object.fromEntries(Object.entries(result).filter(([name]) => name in Report.properties));
  assert.deepEqual([...Value.Errors(Report, report)], []);
  assert.ok(result.usage.wallTimeMs > 0 && result.timing.mountMs > 0);
});

test('nothing of this process is inherited and nothing of the host but its programs is shown', async () => {
  const { stdout } = await shell('env | cut -d= -f1 | sort; cat /proc/self/status | grep CapEff; id -u; ls / /etc');
  const [variables, rest = ''] = stdout.split('CapEff:');
  assert.deepEqual(variables?.trim().split('\n'), ['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR', 'USER']);
  assert.match(rest, /^\t0000000000000000\n1000\n/);
  assert.doesNotMatch(rest, /^(root|home|work|srv|sys|boot|shadow|ssh|hostname|machine-id)$/m);
});

test("the host's programs can't be changed, and of the host's people nobody is there", async () => {
  const places = '/x /usr/x /etc/x /etc/passwd /environment/x /run/x /var/x /dev/x /usr/bin/env';
  const { stdout } = await shell(
    `for place in ${places}; do { echo > $place; } 2>/dev/null && echo $place; done; true`,
  );
  assert.equal(stdout, '');
  const owned = await shell('find /usr /etc /bin /lib -maxdepth 2 -user 1000 2>/dev/null | head -n 3');
  assert.equal(owned.stdout, '');
});

test('a program is found in the PATH inside; what is not there or can not be executed is start-failed, never exit 127', async () => {
  const own = { files: [{ path: 'tool', content: '#!/bin/sh\necho own', executable: true }] };
  const environment = { PATH: '/environment/workspace:/usr/bin' };
  assert.equal((await sandbox.run({ command: ['tool'], environment, ...own })).stdout, 'own\n');
  const missing = await sandbox.run({ command: ['tool'] });
  assert.deepEqual([missing.verdict, missing.start?.step, missing.start?.errno], ['start-failed', 'exec', 'ENOENT']);
  const files = [{ path: 'tool', content: 'no program' }];
  const denied = await sandbox.run({ command: ['tool'], environment, files });
  assert.deepEqual([denied.verdict, denied.start?.errno], ['start-failed', 'EACCES']);
  assert.deepEqual((await shell('exit 127')).exitCode, 127);
});

test('a limit ends the program with its name and figures; the defaults hold for the others', async () => {
  const { verdict, exceeded } = await shell('while :; do :; done', { limits: { cpuTimeMs: 200 } });
  assert.deepEqual([verdict, exceeded?.limit, exceeded?.allowed], ['cpu-time-exceeded', 'cpuTimeMs', 200]);
  const full = await shell('head -c 2000000 /dev/zero > f', { limits: { diskBytes: 1_000_000 } });
  assert.equal(full.verdict, 'disk-exceeded');
  const exact = await shell('head -c 1048576 /dev/zero > f', { limits: { diskBytes: 1_048_576 } });
  assert.equal(exact.verdict, 'ok', exact.stderr);
});

test('a command that makes no sense is refused with a sentence for everything that is wrong with it', async () => {
  const refused = async (command: object, code: string, ...patterns: RegExp[]): Promise<void> => {
    await assert.rejects(sandbox.run(command as Command), (error: SystemError) => {
      for (const pattern of patterns) assert.match(error.message, pattern);
      return error.code === code;
    });
  };
  await refused({ command: [] }, 'request-invalid', /give a program/);
  const files = [{ path: '../x', content: '' }];
  await refused(
    { command: ['x'], limits: { cpuTime: 1 }, files },
    'request-invalid',
    /cpuTime/,
    /'\.\.\/x' has no path inside/,
  );
  await refused({ command: ['x'], limits: { openFiles: 0 } }, 'request-invalid', /openFiles/);
  await refused(
    { command: ['x'], limits: { openFiles: 1e9 } },
    'limit-above-maximum',
    /openFiles is 1000000000, above 1048576/,
  );
});

test('what one command compiled is a layer of later ones, of which each has its own copy', async () => {
  const source = '#include <stdio.h>\nint main(void) { int n; return scanf("%d", &n) == 1 ? n : 99; }\n';
  const compiled = await sandbox.run({
    command: ['gcc', '-o', 'main', 'main.c'],
    ...{ files: [{ path: 'main.c', content: source }], keep: true },
  });
  assert.equal(compiled.verdict, 'ok', compiled.stderr);
  assert.ok(compiled.kept !== null);
  const layers = [compiled.kept];
  const runs = [1, 2, 3].map((n) =>
    shell('echo mine > own; ./main; code=$?; ls; rm main main.c; exit $code', { layers, stdin: `${n}` }),
  );
  for (const [index, run] of (await Promise.all(runs)).entries()) {
    assert.deepEqual([run.exitCode, run.stdout], [index + 1, 'main\nmain.c\nown\n']);
  }
  const changed = await shell('rm main.c; mkdir d; echo x > d/y', { layers, keep: true });
  assert.ok(changed.kept !== null);
  assert.equal((await shell('ls . d', { layers: [...layers, changed.kept] })).stdout, '.:\nd\nmain\n\nd:\ny\n');
  changed.kept.release();
  compiled.kept.release();
  await assert.rejects(shell('true', { layers }), (error: SystemError) => error.code === 'sandbox-failed');
});

test('a kept workspace that holds links shows them as they are, and follows none of them on the way', async () => {
  const { kept } = await shell('ln -s /etc etc; ln -s / .environment; mkdir -p environment/workspace', { keep: true });
  assert.ok(kept !== null);
  assert.equal(
    (await shell('readlink etc .environment; ls environment', { layers: [kept] })).stdout,
    '/etc\n/\nworkspace\n',
  );
  kept.release();
});

test('output is streamed while the program runs, and a listener that fails ends it', async () => {
  const said: string[] = [];
  let wasRunning = false;
  const running = shell('echo one; read line; echo "$line"', {
    stdin: (async function* () {
      while (said.length === 0) await new Promise((resolve) => setImmediate(resolve));
      wasRunning = true;
      yield Buffer.from('two\n');
    })(),
    onStdout: (chunk) => void said.push(`${Buffer.from(chunk)}`),
  });
  assert.equal((await running).stdout, 'one\ntwo\n');
  assert.deepEqual([said, wasRunning], [['one\n', 'two\n'], true]);
  const broken = shell('echo one; sleep 60', {
    onStdout: () => {
      throw new Error('the listener broke');
    },
  });
  await assert.rejects(broken, /the listener broke/);
});

test('files that were asked for come out with their bytes; what is no regular file is named and not read', async () => {
  const script =
    'mkdir out; printf "\\377\\0" > out/a.bin; echo x > out/b; chmod +x out/b; ln -s /etc/passwd out/link; echo no > other';
  const { files } = await shell(script, { collect: { patterns: ['out/*'] } });
  const found = files
    .toSorted((a, b) => a.path.localeCompare(b.path))
    .map(({ path, state, isExecutable }) => [path, state, isExecutable]);
  assert.deepEqual(found, [
    ['out/a.bin', 'copied', false],
    ['out/b', 'copied', true],
    ['out/link', 'not-regular', false],
  ]);
  const bytes = files.find(({ path }) => path === 'out/a.bin')?.content;
  assert.deepEqual(bytes === undefined || bytes === null ? null : [...bytes], [255, 0]);
});

test('a program can have a terminal of its own, and hears of its size', async () => {
  const running = sandbox.start({
    command: [
      'sh',
      '-c',
      'trap "stty size; exit 0" WINCH; test -t 0 && test -t 1 && test -t 2 && stty size; while :; do sleep 0.05; done',
    ],
    terminal: { rows: 33, columns: 99 },
    onStdout: () => running.resize({ rows: 44, columns: 111 }),
  });
  assert.equal((await running.result).stdout, '33 99\r\n44 111\r\n');
});

test("an abort signal ends the program, and the run rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const onStarted = () => controller.abort(new Error('enough'));
  await assert.rejects(shell('sleep 60', { signal: controller.signal, onStarted }), /enough/);
  await assert.rejects(shell('true', { signal: controller.signal }), /enough/);
});

test('a directory can be the root: nothing of it is copied, and nothing in it is changed', async () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  const program =
    '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv("HOME")); return fopen("/bin/x", "w") != NULL; }';
  writeFileSync(join(root, 'bin/main'), compileC(program), { mode: 0o755 });
  await using rooted = await createSandbox({ root });
  const { exitCode, stdout } = await rooted.run({ command: ['main'] });
  assert.deepEqual([exitCode, stdout], [0, '/environment/workspace\n']);
  assert.equal((await rooted.run({ command: ['sh'] })).verdict, 'start-failed');
  assert.equal(spawnSync('find', [root], { encoding: 'utf8' }).stdout.split('\n').length, 4);
  await assert.rejects(createSandbox({ root: join(folder, 'none') }), /the root '.*none' can't be used: .*ENOENT/);
});

test('a launcher that refuses is an error with its sentence and remedy', async () => {
  const launcherPath = join(folder, 'refusing');
  writeFileSync(launcherPath, "#!/bin/sh\necho 'envicutor-launcher: no can do. Remedy: do.' >&2\nexit 78\n", {
    mode: 0o755,
  });
  await assert.rejects(createSandbox({ launcherPath }), (error: SystemError) => {
    return error.code === 'launcher-unavailable' && /no can do\. Remedy: do\.$/.test(error.message);
  });
  await assert.rejects(createSandbox({ launcherPath: join(folder, 'none') }), /can't be started: .*ENOENT/);
});

test("an ordinary user's launcher gives the same sandbox, or a sentence that says what is missing, with its remedy", async () => {
  const launcherPath = join(folder, 'as-nobody');
  const binary = join(folder, 'launcher');
  copyFileSync(join(import.meta.dirname, '../../shared/sandbox/launcher/build/envicutor-launcher'), binary);
  chmodSync(folder, 0o755);
  const asNobody = process.getuid?.() === 0 ? 'setpriv --reuid 65534 --regid 65534 --clear-groups' : '';
  writeFileSync(launcherPath, `#!/bin/sh\nexec ${asNobody} ${binary} "$@"\n`, { mode: 0o755 });
  const made = await createSandbox({ launcherPath }).catch((error: SystemError) => error);
  if (made instanceof SystemError) {
    assert.match(
      `${made.code}: ${made.message}`,
      /^launcher-unavailable: no sandbox can be made here: .*\. Remedy: .+\.$/s,
    );
    return;
  }
  assert.equal((await made.run({ command: ['id', '-u'] })).stdout, '1000\n');
  await made.close();
});

test('a launcher that dies is told to who waits, and the next command has a new one', async () => {
  await using other = await createSandbox();
  const [launcher] = childrenOf(process.pid).filter((id) => !known.includes(id));
  const lost = other.run({
    command: ['sleep', '60'],
    onStarted: () => void process.kill(Number(launcher), 'SIGKILL'),
  });
  await assert.rejects(lost, (error: SystemError) => {
    return error.code === 'launcher-unavailable' && /was lost .*SIGKILL/.test(error.message);
  });
  assert.equal((await other.run({ command: ['true'] })).verdict, 'ok');
});

test('a sandbox that is closed ends what runs, and its launcher', async () => {
  const other = await createSandbox();
  const [launcher] = childrenOf(process.pid).filter((id) => !known.includes(id));
  const running = assert.rejects(other.run({ command: ['sleep', '60'] }), /was closed while the command ran/);
  await other.close();
  await running;
  assert.ok(!childrenOf(process.pid).includes(String(launcher)));
  await assert.rejects(other.run({ command: ['true'] }), /is closed/);
  assert.deepEqual(cgroupsNamed(`envicutor-embedded-${process.pid}-`).length, 1, 'that of this file alone');
});

let known: readonly string[] = [];
before(() => {
  known = childrenOf(process.pid);
});

type Embedding = ChildProcessByStdio<null, Readable, null>;

function embed(behaviour: string): Embedding {
  const program = join(import.meta.dirname, '../support/embedding-program.ts');
  return spawn(process.execPath, [program, behaviour], { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('a program that embeds us lives while it awaits a report, and ends by itself when nothing runs', async () => {
  for (const [behaviour, expected] of [
    ['awaiting', 'over\n'],
    ['idle', ''],
  ] as const) {
    const child = embed(behaviour);
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const [code] = await once(child, 'close', { signal: AbortSignal.timeout(20_000) });
    assert.deepEqual([code, said], [0, expected]);
    await untilGone(() => cgroupsNamed(`envicutor-embedded-${child.pid}-`));
  }
});

test('when the embedding process is killed, no process, cgroup, mount or file of its sandbox stays', async () => {
  const child = embed('busy');
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
  const name = `envicutor-embedded-${child.pid}-`;
  assert.ok(cgroupsNamed(name).length > 0);
  const [launcher = ''] = childrenOf(Number(child.pid));
  const all = [launcher, ...childrenOf(Number(launcher)).flatMap((id) => [id, ...childrenOf(Number(id))])];
  assert.ok(all.length >= 3);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await untilGone(() => [
    ...cgroupsNamed(name),
    ...all.filter((id) => spawnSync('test', ['-d', `/proc/${id}`]).status === 0),
  ]);
  assert.equal(spawnSync('pgrep', ['--full', '^sleep 4712$']).stdout.toString(), '');
  assert.doesNotMatch(spawnSync('cat', ['/proc/self/mountinfo']).stdout.toString(), /envicutor-stage/);
});

test('what a process left that was killed together with its launcher is removed when the next one embeds us', async () => {
  const child = embed('busy');
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
  const name = `envicutor-embedded-${child.pid}-`;
  const [launcher = ''] = childrenOf(Number(child.pid));
  child.kill('SIGKILL');
  process.kill(Number(launcher), 'SIGKILL');
  await once(child, 'exit');
  assert.ok(cgroupsNamed(name).length > 0);
  await untilGone(() => childrenOf(Number(launcher)));
  await (await createSandbox()).close();
  assert.deepEqual(cgroupsNamed(name), []);
});
