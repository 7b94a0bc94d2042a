/**
 * Owns law 6: time, randomness and the process's environment are reached through their ports.
 * Never looks at test/ and bench/: they measure real time and prepare real processes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blankOut, readSources } from './sources.ts';

/** Something global, and the files that may touch it, with the reason. */
interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly allowed: readonly (readonly [file: RegExp, reason: string])[];
}

const clockItself = [/^(shared|client\/typescript)\/clock\.ts$/, 'is the port'] as const;
const page = [
  /^coordinator\/pages\/foundation\/page-clock\.ts$/,
  'is the port of a page, which runs in a browser',
] as const;
const supervisor = [/^ops\//, 'supervises real processes; nothing here is replayed from a seed'] as const;

const writesLog = [
  /^shared\/logger\.ts$/,
  'has lines linger until the process ends; made by composition roots alone',
] as const;

const rules: readonly Rule[] = [
  {
    name: 'wall-clock time',
    pattern: /\bDate\.now\b|\bnew Date\(\)/,
    allowed: [
      clockItself,
      page,
      supervisor,
      [
        /^client\/typescript\/webhook\.ts$/,
        'runs in programs of others, which have no port of ours; they may say the time',
      ],
    ],
  },
  {
    name: 'monotonic time',
    pattern: /\bperformance\.now\b|\bprocess\.hrtime\b/,
    allowed: [clockItself, supervisor],
  },
  {
    name: 'timers',
    pattern: /(?<![.\w])(setTimeout|setInterval)\(/,
    allowed: [clockItself, page, supervisor, writesLog],
  },
  {
    name: 'randomness',
    pattern: /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\brandomInt\b/,
    allowed: [clockItself, [/^ops\//, 'makes credentials and names of private folders; nothing here is replayed']],
  },
  {
    name: "the process's environment",
    pattern: /\bprocess\.env\b/,
    allowed: [
      [/^shared\/process-variables\.ts$/, 'is the port'],
      [/^ops\/local\/private-instance\.ts$/, 'starts make run with everything that its own starter was given'],
    ],
  },
  {
    name: 'what all in a process share: its signals and listeners, umask, directory, ids, compile cache',
    pattern:
      /\bprocess\.(on|once|addListener|prependListener|umask|chdir|set\w+|emitWarning|title)\b|\bflushCompileCache\(/,
    allowed: [
      writesLog,
      [/(^|\/)main\.ts$/, 'is a composition root with a process of its own; all else may be embedded'],
      supervisor,
    ],
  },
  {
    name: 'the end of the process',
    pattern: /\bprocess\.(exit|abort)\(/,
    allowed: [
      [/^shared\/config\.ts$/, 'refuses to start on a configuration that cannot work'],
      [/(^|\/)main\.ts$/, 'is a composition root'],
      supervisor,
    ],
  },
];

const sources = readSources('.ts').filter(({ path }) => !/^(test|bench)\//.test(path));

for (const { name, pattern, allowed } of rules) {
  test(`${name} comes through its port`, () => {
    const wrong = sources
      .filter(({ path }) => !allowed.some(([file]) => file.test(path)))
      .flatMap(({ path, text }) =>
        blankOut(text)
          .split('\n')
          .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
      );
    assert.deepEqual(wrong, []);
  });
}
