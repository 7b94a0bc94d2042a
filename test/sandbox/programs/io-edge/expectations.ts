/**
 * What each program of this folder must get; its own first comment says what it tries: programs at the edges of their streams, files and arguments.
 * Never a duration: see ../expectation.ts for what a row means.
 */
import { patience } from '../../../support/guest.ts';
import type { Expectation } from '../expectation.ts';

/** An input that goes on: its first bytes, then nothing. */
async function* endless(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('0123456789');
  await new Promise(() => {});
}

/** Who may make no device has a link to the terminal as /dev/tty, which can be opened without being its session's. */
const isOrdinaryUser = process.getuid?.() !== 0;
const lettingGo = (opened: string): RegExp =>
  new RegExp(`^let go: ok\r\nopen /dev/tty: ${opened}\r\n(taken\r\n)?(flood)*(f|fl|flo|floo)?$`);

/** The table; a key is a program's name. */
export const ioEdge: Readonly<Record<string, Expectation>> = {
  'flood-both': {
    says: /^[^a]{0,50000}$/,
    limits: { outputBytes: 50_000 },
    verdict: 'output-exceeded',
    signal: 'SIGKILL',
    exceeded: 'outputBytes',
    stderr: /^[^a]*$/,
  },
  'exact-output': { says: /^[0-9]{10000}$/, limits: { outputBytes: 10_000 }, stderr: /^[^a]*$/ },
  'one-byte-more': {
    says: /^[0-9]{10000}$/,
    limits: { outputBytes: 10_000 },
    verdict: 'output-exceeded',
    signal: 'SIGKILL',
    exceeded: 'outputBytes',
  },
  'closes-everything': { verdict: 'nonzero-exit', exitCode: 4 },
  'closes-input': { says: 'closed\n', stdin: Buffer.alloc(4 << 20) },
  'ignores-input': { stdin: Buffer.alloc(4 << 20) },
  'reads-input': { says: '4194304\n', stdin: Buffer.alloc(4 << 20) },
  'writes-own-input': { says: '1\n', stdin: endless() },
  'reads-own-output': { says: /end\n$/ },
  'streams-by-name': { says: '/dev/stdin: ok\n/dev/stdout: ok\n/dev/stderr: ok\n/dev/fd/0: ok\n' },
  'output-after-end': { says: /^(late\n)*(l|la|lat|late)?$/ },
  'not-text': { says: 'AP/+AMCACg==' },
  'nonblocking-output': { says: /^[^a]{300000}$/ },
  'socket-as-output': {},
  'hostile-names': { says: 'long: ok\nlines: ok\nbad text: ok\nformat: ok\ndots: ok\ntoo long: ENAMETOOLONG\n' },
  'hostile-kinds': { says: 'link: ok\nloop: ok\npipe: ok\ndevice: ok\ndirectory: ok\nhard: ok\n' },
  'bad-pointers': { says: 'open: EFAULT\nhigh: EFAULT\nwrite: EFAULT\nexec: EFAULT\n' },
  'many-variables': {
    says: '10000\n',
    environment: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`V${index}`, 'x'])),
  },
  'large-environment': {
    says: '2000060\n',
    limits: { stackBytes: 16_777_216 },
    environment: Object.fromEntries([...'ABCDEFGHIJKLMNOPQRST'].map((name) => [name, 'x'.repeat(100_000)])),
  },
  'many-words': { says: '10002\n', words: Array.from({ length: 10_001 }, () => 'x') },
  'too-long-word': { words: ['x'.repeat(200_000)], verdict: 'start-failed', exitCode: null },
  'executes-own-file': { says: 'made\n' },
  'own-terminal': {
    terminal: { rows: 24, columns: 80 },
    says: [
      ...['inject', 'inject, high bits', 'console selection', 'line discipline', 'line discipline, high bits'].map(
        (what) => `${what}: EPERM`,
      ),
      ...['console output: EPERM', 'hang up: EPERM', 'the other side: EIO', 'unlock: ENOTTY', 'packet mode: ENOTTY'],
      ...['change its node: EPERM', 'make a node: EACCES', 'another terminal: ok', 'its number: ok', '1', ''],
    ].join('\r\n'),
  },
  'many-terminals': { terminal: { rows: 24, columns: 80 }, says: '31 ENOSPC\r\n' },
  'stopped-terminal': {
    terminal: { rows: 24, columns: 80 },
    says: 'stopping\r\n',
    limits: { idleTimeMs: 300 * patience },
    verdict: 'idle-time-exceeded',
    signal: 'SIGKILL',
    exceeded: 'idleTimeMs',
  },
  'leaves-its-terminal': {
    terminal: { rows: 24, columns: 80 },
    says: isOrdinaryUser ? lettingGo('ok') : lettingGo('ENXIO'),
    limits: { outputBytes: 20_000 },
    verdict: 'output-exceeded',
    signal: 'SIGKILL',
    exceeded: 'outputBytes',
  },
  'outputs-of-other-kinds': {
    limits: { fileSizeBytes: 2 ** 41 },
    collected: {
      ...{ link: 'not-regular', endless: 'not-regular', memory: 'not-regular', root: 'not-regular' },
      ...{ 'real-link': 'not-regular', pipe: 'not-regular', socket: 'not-regular' },
      ...{ 'real/one': 'not-regular', 'real/other': 'not-regular' },
      ...{ 'real/unreadable': 'copied', 'real/sparse': 'too-large' },
    },
  },
  'deep-outputs': { collected: { ['\n'.repeat(255)]: 'copied', '': 'too-many' } },
};
