/**
 * Owns the proof that a launch with a terminal has a real one, of its own: controlling, sized, with signals and exact bytes.
 * Runs real programs in the real launcher; needs root and gcc.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Launch, LaunchReport, LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { notInGuest, patience } from '../support/guest.ts';
import { launchSpec, runLimits } from '../support/launch-spec.ts';
import { compileC, RealLauncher } from '../support/real-launcher.ts';

const rawEcho = compileC(`
#include <stdio.h>
#include <termios.h>
#include <unistd.h>
int main(int count, char **words) {
  struct termios settings;
  char bytes[65536];
  tcgetattr(0, &settings);
  cfmakeraw(&settings);
  tcsetattr(0, TCSANOW, &settings);
  write(1, "ready\\n", 6);
  long left = 0;
  sscanf(words[1], "%ld", &left);
  while (left > 0) {
    ssize_t got = read(0, bytes, sizeof bytes < (size_t)left ? sizeof bytes : (size_t)left);
    if (got <= 0) return 1;
    for (ssize_t done = 0; done < got;) done += write(1, bytes + done, got - done);
    left -= got;
  }
  return 0;
}`);

const onResize = compileC(`
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
static void hear(int number) { (void)number; }
static void say_size(const char *when) {
  struct winsize size;
  ioctl(0, TIOCGWINSZ, &size);
  printf("%s %d %d\\n", when, size.ws_row, size.ws_col);
  fflush(stdout);
}
int main(void) {
  sigset_t change, before;
  sigemptyset(&change);
  sigaddset(&change, SIGWINCH);
  sigprocmask(SIG_BLOCK, &change, &before);
  signal(SIGWINCH, hear);
  say_size("began");
  sigsuspend(&before);
  say_size("changed");
  return 0;
}`);

const terminal = { rows: 24, columns: 80 };
const limits = { ...runLimits, wallTimeMs: 20_000 * patience, idleTimeMs: 20_000 * patience };

let launcher: RealLauncher;
before(async () => {
  launcher = await RealLauncher.start('envicutor-terminal');
});
after(() => launcher.stop());

/** Input that a test types whenever it likes. */
class Keyboard {
  readonly #waiting: Uint8Array[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;

  type(text: string): void {
    this.#waiting.push(Buffer.from(text, 'latin1'));
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#isClosed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** A run in a terminal whose screen can be waited on. */
class Session {
  readonly keyboard = new Keyboard();
  readonly report: Promise<LaunchReport>;
  readonly resize: (rows: number, columns: number) => void;
  readonly signal: Launch['signal'];
  readonly #chunks: Buffer[] = [];
  #seen: () => void = () => undefined;

  constructor(argv: readonly string[], changes: Partial<LaunchSpec> = {}) {
    const spec = launchSpec(argv, { layers: ['base'], terminal, stdin: this.keyboard, limits, ...changes });
    const launch = launcher.sandbox.launch(spec, {
      stdout: (chunk) => {
        this.#chunks.push(Buffer.from(chunk));
        this.#seen();
      },
      stderr: () => assert.fail('a terminal has no stderr'),
    });
    this.report = launch.report;
    this.resize = (rows, columns) => launch.resize({ rows, columns });
    this.signal = (name) => launch.signal(name);
  }

  get screen(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async until(text: string): Promise<void> {
    while (!this.screen.includes(text)) {
      const seen = new Promise<void>((resolve) => (this.#seen = resolve));
      const ended = await Promise.race([seen, this.report]);
      if (ended !== undefined && !this.screen.includes(text))
        assert.fail(`'${text}' never came: ${this.screen} ${JSON.stringify(ended)}`);
    }
  }

  /** Everything that came, once it ended well. */
  async end(): Promise<string> {
    const report = await this.report;
    assert.deepEqual([report.end, report.exitCode, report.failure], ['exited', 0, null], this.screen.toString());
    return this.screen.toString('latin1');
  }
}

const shell = (script: string, changes: Partial<LaunchSpec> = {}): Session =>
  new Session(['/bin/sh', '-c', script], changes);
const program = (content: Buffer, words: readonly string[] = [], changes: Partial<LaunchSpec> = {}): Session =>
  new Session(['/environment/workspace/program', ...words], {
    files: [{ path: 'program', isExecutable: true, content }],
    ...changes,
  });

test('standard input, output and error are one terminal of the asked size, the first of its own devpts', async () => {
  const script = 'test -t 0 && test -t 1 && test -t 2; echo $?; tty; stty size; ls /dev/pts; ls -l /dev/pts/0';
  const said = await shell(script, { terminal: { rows: 50, columns: 132 } }).end();
  const [isTerminal, name, size, listed, node, ...rest] = said.split('\r\n');
  assert.deepEqual([isTerminal, name, size, listed, rest], ['0', '/dev/pts/0', '50 132', '0  ptmx', ['']]);
  assert.match(node ?? '', /^crw--w---- 1 user (user|1000) 136, 0 /);
});

test('/dev/tty is the program, even after it closed its three descriptors', async () => {
  const said = await shell('exec <&- >&- 2>&-; sleep 0.05; echo still here > /dev/tty').end();
  assert.equal(said, 'still here\r\n');
});

test('without a terminal there is neither /dev/tty nor /dev/pts nor /dev/ptmx', async () => {
  const said: Buffer[] = [];
  const script = 'ls -d /dev/tty /dev/pts /dev/ptmx 2>/dev/null; test -t 0; echo $?';
  const spec = launchSpec(['/bin/sh', '-c', script], { layers: ['base'] });
  await launcher.sandbox.launch(spec, { stdout: (chunk) => void said.push(Buffer.from(chunk)) }).report;
  assert.equal(Buffer.concat(said).toString(), '1\n');
});

test('a new size reaches the program as SIGWINCH, and the sizes that none can be are ignored', async () => {
  const session = program(onResize);
  await session.until('began 24 80');
  session.resize(0, 80);
  session.resize(24, 65536);
  session.resize(31, 99);
  assert.equal(await session.end(), 'began 24 80\r\nchanged 31 99\r\n');
});

test('a size that comes before the terminal is its first one', async () => {
  const session = shell('stty size');
  session.resize(7, 9);
  assert.equal(await session.end(), '7 9\r\n');
});

test('Ctrl-C interrupts the foreground process, and the shell goes on', async () => {
  const session = shell("trap : INT; sh -c 'echo go; exec sleep 20'; echo ended $?");
  await session.until('go');
  session.keyboard.type('\x03');
  assert.equal(await session.end(), 'go\r\n^Cended 130\r\n');
});

test('Ctrl-C ends a program by its signal, which is no limit', async () => {
  const session = new Session(['/bin/sleep', '20']);
  session.keyboard.type('\x03');
  const { end, signal, exceeded } = await session.report;
  assert.deepEqual([end, signal, exceeded], ['signaled', 2, null]);
});

test('a signal reaches every foreground process, in raw mode too', async () => {
  const session = shell("stty raw; trap : TERM; sh -c 'echo go; exec sleep 20'; echo ended $?; cat");
  await session.until('go');
  session.signal('TERM');
  await session.until('ended 143');
  session.signal('HUP');
  const { end, signal } = await session.report;
  assert.deepEqual([end, signal], ['signaled', 1]);
});

test('the foreground is who has the terminal now: its background goes on', async () => {
  const script = 'set -m; sleep 20 & sh -c "echo go; exec cat"; echo after $?; kill -0 $! && echo still; kill $!';
  const session = shell(script);
  await session.until('go');
  session.signal('KILL');
  assert.match(await session.end(), /after 137\r\n(.*\r\n)?still/);
});

test('what TSTP has stopped goes on by CONT, and a signal before the start is lost', async () => {
  const session = shell('set -m; sh -c "echo go; exec cat"; echo stopped; fg; echo over');
  session.signal('KILL');
  await session.until('go');
  session.signal('TSTP');
  await session.until('stopped');
  session.keyboard.type('\x04');
  assert.match(await session.end(), /over/);
});

test('Ctrl-D at the start of a line is the end of input, once', async () => {
  const session = shell('cat; echo; cat');
  session.keyboard.type('one\n\x04');
  await session.until('one\r\none\r\n\r\n');
  session.keyboard.type('two\n\x04');
  assert.equal(await session.end(), 'one\r\none\r\n\r\ntwo\r\ntwo\r\n');
});

for (const [title, typed, lines] of [
  ['nothing', '', 0],
  ['a line', 'one\n', 1],
  ['half a line', 'one\ntwo', 1],
  ['a carriage return', 'one\r', 1],
] as const)
  test(`the end of the input is the end of file for a program that got ${title}`, async () => {
    const stdin = Buffer.from(typed);
    const session = shell('cat > read; wc -l < read', { stdin });
    assert.ok((await session.end()).endsWith(`${lines}\r\n`));
    assert.equal((await session.report).stdinBytes, stdin.length);
  });

test('a terminal without standard input is at its end from the start', async () => {
  assert.equal(await shell('cat; echo over', { stdin: null }).end(), 'over\r\n');
});

test('in raw mode a megabyte goes in and out unchanged, all 256 bytes', async () => {
  const bytes = Buffer.alloc(1 << 20, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  const session = program(rawEcho, [String(bytes.length)], { limits: { ...limits, outputBytes: 2 << 20 } });
  await session.until('ready\n');
  session.keyboard.type(bytes.toString('latin1'));
  await session.report;
  const said = session.screen.subarray('ready\n'.length);
  assert.equal(said.length, bytes.length);
  const digest = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
  assert.equal(digest(said), digest(bytes));
});

test('a program that never reads makes nobody wait', notInGuest('slowStart'), async () => {
  const session = shell('stty raw -echo; echo ready; sleep 0.2; echo over', { stdin: Buffer.alloc(1 << 20, 'x') });
  assert.match(await session.end(), /ready\s+over/);
});

test('exactly outputBytes come out, the next byte ends the run', async () => {
  const outputBytes = 100_001;
  const session = shell('stty -opost; yes', { limits: { ...limits, outputBytes } });
  const { exceeded, stdoutTruncated, stdoutBytes } = await session.report;
  assert.deepEqual([exceeded?.limit, exceeded?.allowed], ['outputBytes', outputBytes]);
  assert.deepEqual([session.screen.length, stdoutBytes, stdoutTruncated], [outputBytes, outputBytes, true]);
  assert.equal(session.screen.toString(), 'y\n'.repeat(outputBytes).slice(0, outputBytes));
});

test('output of exactly outputBytes is no excess', async () => {
  const session = shell('stty -opost; head -c 65536 /dev/zero', { limits: { ...limits, outputBytes: 65_536 } });
  await session.end();
  assert.deepEqual([session.screen.length, (await session.report).stdoutTruncated], [65_536, false]);
});

test('what was written last before the end is never lost, thirty times at once', async () => {
  const runs = Array.from({ length: 30 }, () => shell('head -c 3000 /dev/zero; echo end').end());
  for (const said of await Promise.all(runs)) assert.equal(said, `${'\0'.repeat(3000)}end\r\n`);
});

test('two terminals at a time are each the first, and neither sees the other', async () => {
  const script = 'tty; ls /dev/pts; read line; echo "<$line>"; ls /dev/pts';
  const [one, two] = [shell(script), shell(script)];
  await Promise.all([one.until('ptmx'), two.until('ptmx')]);
  one.keyboard.type('for one\n');
  two.keyboard.type('for two\n');
  const said = (line: string): string => `/dev/pts/0\r\n0  ptmx\r\n${line}\r\n<${line}>\r\n0  ptmx\r\n`;
  assert.deepEqual(await Promise.all([one.end(), two.end()]), [said('for one'), said('for two')]);
});

test('a size that no terminal can have is refused with the launch', async () => {
  for (const size of [
    { rows: 0, columns: 80 },
    { rows: 24, columns: 65_536 },
  ]) {
    // biome-ignore format: a pair
    const { end, failure } = await shell('true', { terminal: size }).report;
    assert.deepEqual([end, failure], ['setup-failed', { step: 'decode', errno: 'EINVAL' }]);
  }
});

test('a program in a terminal is killed like any other', async () => {
  const session = shell('sleep 20 & wait', { limits: { ...limits, wallTimeMs: 200 } });
  assert.equal((await session.report).exceeded?.limit, 'wallTimeMs');
});
