/**
 * Owns the parts of Piston's protocol that decide: which recipe a version means, what a file is called, how a program ended in Piston's words, in which
 * order its output came.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PistonLimits } from '../../coordinator/compatibility/piston/limits.ts';
import { toNativeRequest, UnwritableName } from '../../coordinator/compatibility/piston/native-request.ts';
import { interleave, readPieces } from '../../coordinator/compatibility/piston/output-order.ts';
import { Runtimes } from '../../coordinator/compatibility/piston/runtimes.ts';
import { isSignal, toEnding, toStage } from '../../coordinator/compatibility/piston/stage-answer.ts';
import { EventLog } from '../../shared/http/event-log.ts';
import { type AllLimits, limitMaxima } from '../../shared/model/limits.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { makeReport } from '../support/lease-results.ts';
import { compiledRecipe, olderRecipe, shellRecipe, shellRecipes } from '../support/shell-recipes.ts';

const called = (name: string, language: string, version: string): Recipe => ({
  ...shellRecipe,
  ...{ name, language, version, aliases: [] },
});
const many = [
  ...shellRecipes,
  called('python', 'python', '3.13.5'),
  called('python-3.11', 'python', '3.11.2'),
  called('python-science', 'python', '3.13.5'),
  called('node', 'javascript', '24.1.0'),
  called('testlib', 'c++', '0.9.41'),
  called('odd', 'odd', 'R 4.5'),
];

test('a language and a range mean one recipe: the highest that is there, and for versions of the public instance the nearest', () => {
  const runtimes = new Runtimes(many, false);
  const found = (language: string, range: string) => {
    const runtime = runtimes.find(language, range);
    return runtime === null ? null : [runtime.language, runtime.version, runtime.recipe.name];
  };
  assert.deepEqual(found('python', '*'), ['python', '3.13.5', 'python']);
  assert.deepEqual(found('py', '3.10.0'), ['python', '3.10.0', 'python-3.11']);
  assert.deepEqual(found('python', '3.12.0'), ['python', '3.12.0', 'python']);
  assert.deepEqual(found('python3', '~3.11'), ['python', '3.11.2', 'python-3.11']);
  assert.deepEqual(found('js', '18.15.0'), ['javascript', '18.15.0', 'node']);
  assert.deepEqual(found('cpp', '10.2.0'), ['c++', '10.2.0', 'cpp']);
  assert.deepEqual(found('c++', '12'), ['c++', '12.2.0', 'cpp-gcc-12']);
  assert.deepEqual(found('c++', '>=13 <15'), ['c++', '14.2.0', 'cpp']);
  assert.deepEqual(found('testlib', '*'), ['testlib', '0.9.41', 'testlib']);
  assert.deepEqual(found('python-science', '3.x'), ['python-science', '3.13.5', 'python-science']);
  assert.deepEqual(found('odd', 'x'), ['odd', '4.5.0', 'odd']);
  for (const [language, range] of [
    ['python', '2'],
    ['python', 'latest'],
    ['Python', '*'],
    ['constructor', '*'],
  ] as const)
    assert.equal(found(language, range), null);
});

test('runtimes name where they come from when that is not the language, and strict ones are only those that are there', () => {
  const shown = (isStrict: boolean) =>
    new Runtimes(many, isStrict).all.map(({ language, version, runtime }) =>
      [language, version, runtime ?? ''].join(' '),
    );
  assert.deepEqual(shown(true), [
    ...['bash 5.2.37 ', 'c++ 12.2.0 gcc', 'c++ 14.2.0 gcc', 'javascript 24.1.0 node', 'odd 4.5.0 '],
    ...['python 3.11.2 python-3.11', 'python 3.13.5 ', 'python-science 3.13.5 ', 'testlib 0.9.41 '],
  ]);
  const loose = shown(false);
  for (const version of ['python 3.10.0 python-3.11', 'javascript 18.15.0 node', 'c++ 10.2.0 gcc', 'bash 5.2.0 '])
    assert.ok(loose.includes(version), `${version} of ${loose}`);
  const names = new Runtimes(many, false).all.flatMap(({ language, version }) => `${language} ${version}`);
  assert.equal(new Set(names).size, names.length);
});

const settings = {
  ...{ pistonRunWallTimeMs: 3000, pistonRunCpuTimeMs: 3000, pistonRunMemoryBytes: 0, pistonOutputBytes: 100 },
  ...{ pistonCompileWallTimeMs: 10_000, pistonCompileCpuTimeMs: 10_000, pistonCompileMemoryBytes: 5000 },
};

test('limits are Piston’s, a recipe that needs more has it, and the operator’s maxima hold', () => {
  const maxima: AllLimits = { ...limitMaxima, cpuTimeMs: 2000, memoryBytes: 4000 };
  const limits = new PistonLimits(settings, maxima);
  const slow = { ...compiledRecipe, run: { ...compiledRecipe.run, limits: { wallTimeMs: 9000, memoryBytes: 3000 } } };
  assert.deepEqual(
    (['run_timeout', 'run_cpu_time', 'run_memory_limit', 'compile_memory_limit'] as const).map((field) =>
      limits.configured(slow, field),
    ),
    [9000, 2000, null, 4000],
  );
  const runtime = { recipe: slow, language: 'c++', version: '1.0.0', aliases: [] };
  const asked = { run_timeout: 0.5, run_memory_limit: 1e300 };
  const expected = { outputBytes: 100, wallTimeMs: 1, cpuTimeMs: 2000, memoryBytes: 4000 };
  assert.deepEqual(limits.of({ runtime, asked }, 'run', false), expected);
  const { outputBytes: _, ...unbound } = expected;
  assert.deepEqual(limits.of({ runtime, asked }, 'run', true), unbound);
});

test('files are called as Piston calls them; a main source that a compiler would not take gets its ending', () => {
  const limits = new PistonLimits(settings, limitMaxima);
  const paths = (recipe: Recipe, ...names: (string | null)[]) => {
    const runtime = { recipe, language: recipe.language, version: '1.0.0', aliases: [] };
    const files = names.map((name) => ({ name, content: '', encoding: 'utf8' as const }));
    const native = toNativeRequest({ runtime, files, args: [], stdin: '\n', asked: {} }, limits);
    return [native.run.variables?.['MAIN'], ...(native.files ?? []).map(({ path }) => path)];
  };
  assert.deepEqual(paths(shellRecipe, null, null), ['file0.code', 'file0.code', 'file1.code']);
  assert.deepEqual(paths(shellRecipe, './a//b.sh', '/c/../d'), ['a/b.sh', 'a/b.sh', 'd']);
  assert.deepEqual(paths(shellRecipe, 'same', 'other', 'same'), ['same', 'same', 'other']);
  assert.deepEqual(paths(compiledRecipe, null, 'x.h'), ['main.cpp', 'main.cpp', 'x.h']);
  assert.deepEqual(paths(compiledRecipe, null, 'main.cpp'), ['file0.code.cpp', 'file0.code.cpp', 'main.cpp']);
  assert.deepEqual(paths(compiledRecipe, 'b.h', 'a.cpp'), ['a.cpp', 'b.h', 'a.cpp']);
  assert.deepEqual(paths(olderRecipe, 'solution'), ['solution.cpp', 'solution.cpp']);
  for (const name of ['..', '../a', 'a/../../b', '.', 'a/', 'a\0', '\ud800', 'é'.repeat(128)])
    assert.throws(() => paths(shellRecipe, name), UnwritableName, JSON.stringify(name));
});

test('each verdict is told in Piston’s words', () => {
  const told = (changes: Partial<Report>) => {
    const { code, signal, status, message, verdict } = toEnding(makeReport({ exitCode: null, ...changes }));
    return [code, signal, status, message, verdict];
  };
  const killed = [null, 'SIGKILL'];
  const signaled = (signal: string, number: number) => [null, signal, 'SG', `Caught fatal signal ${number}`, undefined];
  const cases: readonly (readonly [Partial<Report>, readonly unknown[]])[] = [
    [{ exitCode: 0 }, [0, null, null, null, undefined]],
    [{ verdict: 'nonzero-exit', exitCode: 9 }, [9, null, 'RE', 'Exited with error status 9', undefined]],
    [{ verdict: 'signaled', signal: 'SIGFPE' }, signaled('SIGFPE', 8)],
    [{ verdict: 'signaled', signal: 'SIGRTMIN+3' }, signaled('SIGRTMIN+3', 37)],
    [{ verdict: 'cpu-time-exceeded' }, [...killed, 'TO', 'Time limit exceeded', undefined]],
    [{ verdict: 'wall-time-exceeded' }, [...killed, 'TO', 'Time limit exceeded (wall clock)', undefined]],
    [{ verdict: 'idle-time-exceeded' }, [...killed, 'TO', 'Time limit exceeded (wall clock)', undefined]],
    [{ verdict: 'output-exceeded', stdoutTruncated: true }, [...killed, 'OL', 'stdout length exceeded', undefined]],
    [{ verdict: 'output-exceeded', stderrTruncated: true }, [...killed, 'EL', 'stderr length exceeded', undefined]],
    [{ verdict: 'memory-exceeded' }, [...killed, 'SG', 'Caught fatal signal 9', 'memory-exceeded']],
    [{ verdict: 'file-size-exceeded' }, [null, 'SIGXFSZ', 'SG', 'Caught fatal signal 25', 'file-size-exceeded']],
    [{ verdict: 'disk-exceeded', exitCode: 2 }, [2, null, 'RE', 'Exited with error status 2', 'disk-exceeded']],
    [
      { verdict: 'start-failed', start: { step: 'exec', errno: 'ENOENT', detail: 'no interpreter' } },
      [null, null, 'XX', 'no interpreter', 'start-failed'],
    ],
  ];
  for (const [changes, expected] of cases) assert.deepEqual(told(changes), expected, changes.verdict);
  const odd = makeReport({ stdout: Buffer.from([0xff, 0x41]).toString('base64'), stdoutEncoding: 'base64' });
  assert.equal(toStage(odd, []).stdout, '\ufffdA');
  assert.deepEqual(['SIGINT', 'SIGRTMIN', 'SIGRTMAX-2', 'SIGNOT', 'toString', 9, null].map(isSignal), [
    ...[true, true, true, false, false, false, false],
  ]);
});

test('output is in its order where all of it was heard, also within a character; else errors follow', () => {
  const log = new EventLog(10_000);
  const write = (stream: string, bytes: Uint8Array) =>
    log.append(stream, { script: 'run', data: Buffer.from(bytes).toString('base64'), encoding: 'base64' });
  write('stdout', Buffer.from('of an attempt that was lost'));
  log.append('stage', { stage: 'queued', cause: 'requeued' });
  const euro = Buffer.from('€');
  write('stdout', euro.subarray(0, 1));
  write('stdout', euro.subarray(1));
  write('stderr', Buffer.from('bad'));
  write('stdout', Buffer.from('!'));
  log.close('finished', {});
  const { run, compile } = readPieces(log);
  assert.deepEqual(compile, []);
  assert.equal(interleave(Buffer.from('€!'), Buffer.from('bad'), run), '€bad!');
  assert.equal(interleave(Buffer.from('€! and more'), Buffer.from('bad'), run), '€! and morebad');
  assert.equal(interleave(Buffer.from('€'), Buffer.alloc(0), []), '€');
});
