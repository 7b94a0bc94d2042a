/**
 * Makes the first inputs of the launcher's fuzz targets from the contract as it is now: every message empty and filled, a line of options,
 * the kernel's files. Deterministic. Never holds what fuzzing found: that lies in shared/sandbox/launcher/fuzz/corpus.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { numbers } from '../../shared/sandbox/contract.ts';
import { encodeFrame, LENGTH_BYTES, type MessageName, tables, type WireType } from '../../shared/sandbox/frames.ts';
import { SeededNumbers } from './seeded-numbers.ts';

const file = (path: string) => ({ path, isExecutable: true, content: Buffer.from('content') });

const empty: Readonly<Record<WireType, unknown>> = {
  U8: 0,
  U32: 0,
  U64: 0,
  I32: 0,
  STR: '',
  BYTES: Buffer.alloc(0),
  STRS: [],
  U64S: [],
  FILES: [],
};
const filled: Readonly<Record<WireType, unknown>> = {
  U8: 1,
  U32: 24,
  U64: 4096,
  I32: -1,
  STR: '/environment/workspace',
  BYTES: Buffer.from('bytes\0\n'),
  STRS: ['base', '/bin/sh', 'NAME=value'],
  U64S: [1, 2],
  FILES: [file('main.c'), file('folder/input.txt')],
};

function frame(name: MessageName, values: Readonly<Record<WireType, unknown>>): Buffer {
  const fields = Object.fromEntries(tables[name].map(([field, type]) => [field, values[type]]));
  return encodeFrame(name, fields as never);
}

const names = Object.keys(tables) as MessageName[];
/** What the sender of a frame can get wrong: too short, too long, a list that says more than it has. */
function broken(content: Buffer): Buffer[] {
  const counts = Buffer.from(content);
  for (let at = 9; at + 4 <= counts.length; at += 16) counts.writeUInt32LE(0xffff_ffff, at);
  return [content.subarray(0, -1), Buffer.concat([content, Buffer.from([0])]), counts];
}

const frames = names.flatMap((name) => [frame(name, empty), frame(name, filled)]);
const random = new SeededNumbers('fuzz seeds');
const noise = (bytes: number) => Buffer.from(Array.from({ length: bytes }, () => random.below(256)));

const kernelTexts = [
  'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
  'nr_periods 1\nnr_throttled 2\nthrottled_time 3000\n',
  'usage_usec 18446744073709551615\nuser_usec 1\nsystem_usec 1\nthrottled_usec 18446744073709552\n',
  'low 0\nhigh 0\nmax 2\noom 1\noom_kill 1\n',
  '9223372036854771712\n',
  'max\n',
  'pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t1\nPid:\t4711\nNSpid:\t4711\t1\n',
  `12\n${Array.from({ length: 2000 }, (_, index) => `${100_000 + index}\n`).join('')}`,
];
const commandLines = [
  ['--socket', '/run/launcher.sock', '--store', '/var/lib/layers', '--client-uid', '1000', '--stock', '4'],
  ['--fd', '3', '--store', 'layers', '--cgroup', 'name-1', '--cgroup-path', '/sys/fs/cgroup/a'],
  ['--fd=4294967294', '--socket=x', '--store=y', '--egress-command=node main.ts'],
  ['--fd=+3', '--store=y'],
  ['--fd=3', '--store=y', '--stock=-18446744073709551615'],
  ['--version'],
  ['--help'],
  ['--client-uid', '4294967295', '--unknown', 'word'],
];
/** What fuzz/patterns.c reads: patterns, then the parts of one path, in its alphabet. */
function toPatternInput(patterns: readonly string[], path: string): Buffer {
  const letters = 'abab.*?**[]!^-\\/a//';
  const names = path.split('/');
  const texts = [...patterns, ...names].map((text) => [
    text.length,
    ...[...text].map((letter) => letters.indexOf(letter)),
  ]);
  return Buffer.from([patterns.length, names.length - 1, ...texts.flat()]);
}
const patternInputs = [
  toPatternInput(['a*b*a'], 'abbaba'),
  toPatternInput(['*ab'], 'aab'),
  toPatternInput(['*b*bb'], 'abababb'),
  toPatternInput(['**/a'], '.b/a'),
  toPatternInput(['**/a', 'b'], 'a/b/a'),
  toPatternInput(['*', '?a'], '.a'),
  toPatternInput(['a/**/b'], 'a/b'),
  toPatternInput(['a/\\*', 'b/[a-b]', '[!a]'], 'a/*'),
];
const launchFields = tables.LAUNCH.length;

/** First inputs by the name of their target. */
export function fuzzSeeds(): Readonly<Record<string, readonly Buffer[]>> {
  const whole = Buffer.concat(frames.filter(({ length }) => length <= 4096));
  const sizes = [Buffer.alloc(8), Buffer.alloc(8, 1), Buffer.from([3, 4, 5, 200, 17, 255, 2, 1])];
  const impossible = Buffer.alloc(LENGTH_BYTES);
  impossible.writeUInt32LE(numbers.FRAME_BYTES_MAX + 1);
  return {
    decode: frames.flatMap((whole) => [whole.subarray(LENGTH_BYTES), ...broken(whole.subarray(LENGTH_BYTES))]),
    client: sizes.flatMap((size) => [
      Buffer.concat([size, whole]),
      Buffer.concat([size, whole, impossible]),
      Buffer.concat([size, Buffer.alloc(LENGTH_BYTES), whole]),
      Buffer.concat([size, whole, Buffer.from([2, 0, 0, 0, 255, 0]), whole]),
    ]),
    message: Array.from({ length: names.length * 2 }, (_, index) => Buffer.concat([Buffer.from([index]), noise(120)])),
    validate: [
      Buffer.alloc(0),
      ...Array.from({ length: launchFields }, (_, index) => Buffer.from([index, 3, 47, 46, 46])),
    ],
    report: Array.from({ length: 32 }, () => noise(160)),
    kernel_text: kernelTexts.map((text) => Buffer.from(text)),
    patterns: [
      ...patternInputs,
      ...Array.from({ length: 24 }, (_, index) => Buffer.concat([Buffer.from([1 + (index % 7), index]), noise(150)])),
    ],
    options: commandLines.map((words) => Buffer.from(words.join('\0'))),
  };
}

/** Writes them into `<folder>/<target>/seed-<number>`; the targets' names. */
export function writeSeeds(folder: string): string[] {
  const seeds = fuzzSeeds();
  for (const [target, inputs] of Object.entries(seeds)) {
    mkdirSync(join(folder, target), { recursive: true });
    for (const [index, input] of inputs.entries()) writeFileSync(join(folder, target, `seed-${index}`), input);
  }
  return Object.keys(seeds);
}
