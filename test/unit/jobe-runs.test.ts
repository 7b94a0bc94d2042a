/**
 * Owns what native request a run of Jobe's protocol becomes, and what an answer is in its words, written from its published contract.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toJobeLanguages } from '../../coordinator/compatibility/jobe/jobe-languages.ts';
import { JobeRefusal, toRequest } from '../../coordinator/compatibility/jobe/jobe-request.ts';
import { toJobeResult } from '../../coordinator/compatibility/jobe/jobe-result.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { answeredExample } from '../../shared/model/execution-examples.ts';
import { limitMaxima } from '../../shared/model/limits.ts';
import type { Report } from '../../shared/model/verdict.ts';
import { shellRecipe, shellRecipes } from '../support/acted-languages.ts';
import { makeReport } from '../support/lease-results.ts';

const java = shellRecipe('java', {
  main: 'Main.java',
  run: { script: 'exec java -cp classes Main "$@"', variables: { MAIN: 'Main.java' } },
});
const languages = toJobeLanguages([...shellRecipes, java]);
const files = new Map([['0123456789abcdef', Buffer.from('numbers')]]);
const translate = (spec: object) =>
  toRequest({ run_spec: spec }, { languages, maxima: limitMaxima, find: (id) => files.get(id) });
const python = { language_id: 'python3', sourcecode: 'print(1)' };
const refused = (spec: object, http: number, message: string) =>
  assert.throws(
    () => translate(spec),
    (error: unknown) => {
      assert.ok(error instanceof JobeRefusal);
      assert.deepEqual([error.http, error.message], [http, message]);
      return true;
    },
  );

test("parameters become limits in our units, the language's own where nothing is said", () => {
  const { run } = translate({ ...python, parameters: { cputime: 3, streamsize: 0.5, numprocs: 'many' } });
  assert.deepEqual(run.limits, {
    ...{ cpuTimeMs: 3000, wallTimeMs: 6000, idleTimeMs: 6000, memoryBytes: 1_024_000_000, processes: 31 },
    ...{ fileSizeBytes: 20_480_000, outputBytes: 512_000 },
  });
  assert.match(run.script, /^ulimit -v 1000000\n/);
  assert.match(translate({ ...python, parameters: { memorylimit: 50 } }).run.script, /^ulimit -v 50000\n/);
  const virtual = translate({ language_id: 'java', sourcecode: 'class A {}' });
  assert.doesNotMatch(virtual.run.script, /ulimit/);
  assert.equal(virtual.run.limits?.memoryBytes, limitMaxima.memoryBytes);
});

test('arguments reach interpreter, program and compiler', () => {
  const { run, compile } = translate({
    ...python,
    parameters: { interpreterargs: ['-v', '-x'], runargs: ['a', '"b c"'] },
  });
  assert.match(run.script, /^exec sh -v -x "\$MAIN" "\$@"$/m);
  assert.deepEqual(run.arguments, ['a', 'b c']);
  assert.equal(compile?.script, 'python3 -m py_compile "$MAIN"');
  const cpp = translate({
    language_id: 'CPP',
    sourcecode: 'x',
    parameters: { compileargs: ['-O1'], linkargs: ['-lm'] },
  });
  assert.equal(cpp.compile?.variables?.['COMPILER_OPTIONS'], '-O0 -O1 -lm');
  const silent = translate({ language_id: 'cpp', sourcecode: 'x' });
  assert.equal(silent.compile?.variables?.['COMPILER_OPTIONS'], '-O0 -Wall -Werror');
  const odd = shellRecipe('python', { run: { script: './program', variables: {} } });
  const noPlace = { languages: toJobeLanguages([odd]), maxima: limitMaxima, find: () => undefined };
  const spec = { ...python, parameters: { interpreterargs: ['-v'] } };
  assert.throws(() => toRequest({ run_spec: spec }, noPlace), { http: 400, message: /interpreterargs can't be given/ });
});

test("a source is called as the client says, or as its language's main file; Java by its public class", () => {
  const named = (spec: object) => translate(spec).run.variables?.['MAIN'];
  assert.equal(named(python), 'main.py');
  assert.equal(named({ ...python, sourcefilename: 'test.py' }), 'test.py');
  const source = '// x\npublic final class Blah { }';
  assert.equal(named({ language_id: 'java', sourcecode: source, sourcefilename: 'prog.java' }), 'Blah.java');
  assert.equal(named({ language_id: 'java', sourcecode: 'class A {}' }), 'Main.java');
});

test('files that were sent before are beside the source', () => {
  const { files: sent } = translate({ ...python, file_list: [['0123456789abcdef', 'in.txt']] });
  assert.deepEqual(sent?.[1], {
    ...{ path: 'in.txt', content: Buffer.from('numbers').toString('base64'), encoding: 'base64', executable: true },
  });
});

test('what is wrong is said in the words of the wire', () => {
  refused({ sourcecode: 'x' }, 400, "run_spec is missing the required attribute 'language_id'");
  refused({ language_id: 'python3' }, 400, "run_spec is missing the required attribute 'sourcecode'");
  refused({ ...python, language_id: 'None' }, 400, "Language 'none' is not known");
  refused(
    { ...python, parameters: { cputime: 51 } },
    400,
    'cputime exceeds maximum allowed on this Jobe server (50 secs)',
  );
  for (const sourcefilename of ['../x.py', '.x', '-x', 'a b;c', 'a\nb'])
    refused({ ...python, sourcefilename }, 400, 'The sourcefilename for the run_spec is illegal');
  const missing = 'One or more of the specified files is missing/unavailable';
  refused({ ...python, file_list: [['ffffffffffffffff', 'x']] }, 404, missing);
  refused(
    { ...python, file_list: [['0123456789abcdef', '../x']] },
    400,
    'Invalid file specifier: ["0123456789abcdef","../x"]',
  );
  assert.throws(() => toRequest({}, { languages, maxima: limitMaxima, find: () => undefined }), {
    message: 'No run_spec attribute found in post data',
  });
});

const example = answeredExample as unknown as Execution;
const ended = (run: Partial<Report>) =>
  toJobeResult({ ...example, stage: 'finished', endedIn: 'run', failure: null, run: makeReport(run) });
const nothing = { run_id: null, cmpinfo: '', stdout: '', stderr: '' };

test('every way in which a program may end has its outcome', () => {
  assert.deepEqual(ended({}), { ...nothing, outcome: 15, stdout: 'hello\n' });
  const failed = { verdict: 'nonzero-exit', exitCode: 1 } as const;
  assert.deepEqual(ended({ ...failed, stderr: 'oh' }), { ...nothing, outcome: 12, stdout: 'hello\n', stderr: 'oh' });
  assert.equal(ended(failed).outcome, 15, 'the protocol asks for stderr, not for the exit code');
  assert.equal(ended({ stderr: 'a warning' }).outcome, 12);
  const killed = { exitCode: null, signal: 'SIGKILL', stderr: 'x' };
  assert.deepEqual(ended({ ...killed, verdict: 'cpu-time-exceeded' }), { ...nothing, outcome: 13, stdout: 'hello\n' });
  assert.equal(ended({ ...killed, verdict: 'output-exceeded' }).outcome, 13);
  assert.equal(ended({ ...killed, verdict: 'memory-exceeded' }).outcome, 17);
  const fault = ended({ exitCode: null, signal: 'SIGFPE', verdict: 'signaled' });
  assert.deepEqual([fault.outcome, fault.stderr], [12, 'warning: command terminated with signal 8\n']);
});

test('a compile error tells what the compiler said; our own fault is an internal error', () => {
  const compile = makeReport({ verdict: 'nonzero-exit', exitCode: 1, stdout: '', stderr: 'no' });
  const execution: Execution = { ...example, stage: 'finished', endedIn: 'compile', compile, run: null, failure: null };
  assert.deepEqual(toJobeResult(execution), { ...nothing, outcome: 11, cmpinfo: 'no' });
  const failure = { code: 'agent-lost', detail: 'lost' };
  const lost: Execution = { ...example, stage: 'failed', endedIn: null, run: null, failure };
  assert.deepEqual(toJobeResult(lost), { ...nothing, outcome: 20, stderr: 'lost' });
});

test('bytes that are no text are spelled', () => {
  const stdout = Buffer.from([72, 10, 1, 0xc0, 0xc9]).toString('base64');
  assert.equal(ended({ stdout, stdoutEncoding: 'base64' }).stdout, 'H\n\\x01\\xc0\\xc9');
});
