/**
 * Owns what native request a submission of Judge0's protocol becomes: limits, scripts, words, files, runs, archives.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { readSubmission } from '../../coordinator/compatibility/judge0/judge0-asked.ts';
import { Languages } from '../../coordinator/compatibility/judge0/judge0-languages.ts';
import { toRequest } from '../../coordinator/compatibility/judge0/judge0-request.ts';
import { toSettings } from '../../coordinator/compatibility/judge0/judge0-settings.ts';
import { createAddressPolicy } from '../../coordinator/egress/address-policy.ts';
import { limitMaxima } from '../../shared/model/limits.ts';
import { shellRecipe, shellRecipes } from '../support/acted-languages.ts';
import { zipOf } from '../support/zip-archives.ts';

const settings = toSettings(limitMaxima);
const receivers = {
  addresses: createAddressPolicy({ allowedPrivateRanges: [], deniedRanges: [], ownAddresses: [] }),
  ...{ allowsPlainHttp: false, ports: ['443'] },
};

async function translate(members: Record<string, unknown>, recipes = shellRecipes) {
  const languages = new Languages(recipes);
  const asked = readSubmission(members, false, { languages, settings, receivers });
  assert.ok('submission' in asked, JSON.stringify(asked));
  return await toRequest(asked.submission, asked.language, { languages, maxima: limitMaxima });
}
const python = { source_code: 'x', language_id: 71 };

test("the protocol's units become ours, its zeros the operator's bounds", async () => {
  const { run } = await translate({ ...python, cpu_time_limit: '2.5', wall_time_limit: 7, memory_limit: '64000' });
  assert.deepEqual(run.limits, {
    ...{ cpuTimeMs: 3500, wallTimeMs: 7000, idleTimeMs: 7000, memoryBytes: 64_000 * 1024, stackBytes: 64_000 * 1024 },
    ...{ processes: 60, fileSizeBytes: 1024 * 1024, outputBytes: 1024 * 1024 },
  });
  const zero = (await translate({ ...python, cpu_time_limit: 0, stack_limit: 0, max_file_size: 0 })).run.limits;
  assert.deepEqual(
    [zero?.cpuTimeMs, zero?.stackBytes, zero?.outputBytes],
    [limitMaxima.cpuTimeMs, limitMaxima.stackBytes, limitMaxima.outputBytes],
  );
});

test("where the client says nothing, a recipe's own wider limits stand; what it says is kept to", async () => {
  const run = { ...shellRecipe('java').run, limits: { memoryBytes: 2 ** 30, processes: 512, stackBytes: 1024 } };
  const recipes = [shellRecipe('java', { run })];
  const java = { source_code: 'x', language_id: 62 };
  const own = (await translate(java, recipes)).run.limits;
  assert.deepEqual([own?.memoryBytes, own?.processes, own?.stackBytes], [2 ** 30, 512, 64_000 * 1024]);
  const said = (await translate({ ...java, memory_limit: 200_000 }, recipes)).run.limits;
  assert.equal(said?.memoryBytes, 200_000 * 1024);
});

test('arguments are split as by a shell, and hold nothing that a shell would do', async () => {
  const { run } = await translate({ ...python, command_line_arguments: `one "two  words" 'it''s' $(id) a\\ b` });
  assert.deepEqual(run.arguments, ['one', 'two  words', 'its', '(id)', 'a b']);
  const compiled = await translate({ ...python, language_id: 54, compiler_options: '-O3 -DX=1; rm' });
  assert.equal(compiled.compile?.variables?.['COMPILER_OPTIONS'], '-O3 -DX=1 rm');
});

test('streams are joined below the line that names an interpreter; several runs are tests', async () => {
  const run = { ...shellRecipe('python').run, script: '#!/bin/sh\nexec x\n' };
  const joined = await translate({ ...python, redirect_stderr_to_stdout: true }, [shellRecipe('python', { run })]);
  assert.equal(joined.run.script, '#!/bin/sh\nexec 2>&1\nexec x\n');
  const many = await translate({ ...python, number_of_runs: 3, expected_output: 'a' });
  assert.deepEqual(many.tests, Array(3).fill({ expected: 'a', expectedEncoding: 'utf8' }));
  assert.equal(many.stopAfterFailures, 1);
  assert.equal((await translate(python)).tests, undefined);
});

test('plain text and executables need no recipe', async () => {
  const text = await translate({ source_code: 'hello', language_id: 43 }, []);
  assert.deepEqual(
    [text.environment, text.files, text.run.script],
    [{}, [{ path: 'text.txt', content: 'hello', encoding: 'utf8' }], 'exec cat text.txt'],
  );
  const program = await translate({ source_code: 'x', language_id: 44 }, []);
  assert.deepEqual(program.files, [{ path: 'a.out', content: 'x', encoding: 'utf8', executable: true }]);
});

const base64 = (archive: Buffer) => archive.toString('base64');

test('additional files come beside the source and never in its place', async () => {
  const archive = zipOf({ 'main.py': 'theirs', 'data/in.txt': 'numbers', './run.sh': 'echo', 'folder/': '' });
  const { files } = await translate({ ...python, additional_files: base64(archive) });
  assert.deepEqual(
    files?.map((file) => [file.path, 'content' in file ? Buffer.from(file.content, file.encoding).toString() : null]),
    [
      ['main.py', 'x'],
      ['data/in.txt', 'numbers'],
      ['run.sh', 'echo'],
    ],
  );
});

test('a program of several files is run by its own scripts, in the environment that its files are for', async () => {
  const cpp = { ...shellRecipe('cpp', { extensions: ['.cpp'] }), environment: { setup: 'g++' } };
  const recipes = [shellRecipe('bash'), cpp];
  const project = (files: Record<string, string>) =>
    translate({ language_id: 89, additional_files: base64(zipOf(files)) }, recipes);
  const compiled = await project({ 'a.cpp': '', 'b.cpp': '', compile: 'g++ *.cpp', run: './a.out' });
  assert.deepEqual(
    [compiled.environment, compiled.compile?.script, compiled.run.script],
    [{ setup: 'g++' }, 'exec bash ./compile', 'exec bash ./run "$@"'],
  );
  const plain = await project({ 'run.sh': 'echo hi' });
  assert.deepEqual([plain.compile, plain.run.script], [undefined, 'exec bash ./run.sh "$@"']);
  assert.deepEqual(plain.environment, { base: 'debian-13' });
});

test('an archive that leads outside, lies about its size or holds too much is refused before it is unpacked', async () => {
  const refused = (archive: Buffer, why: RegExp) =>
    assert.rejects(translate({ ...python, additional_files: base64(archive) }), {
      code: 'request-invalid',
      message: why,
    });
  await refused(zipOf({ '../outside': 'x' }), /is no zip that can be unpacked: invalid relative path/);
  await refused(zipOf({ '/etc/passwd': 'x' }), /absolute path/);
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`f${index}`, '']));
  await refused(zipOf(many), /more than 999 files/);
  const large = Buffer.alloc(10_241 * 1024);
  await refused(zipOf({ large }), /larger than 10240 KiB/);
  // It says that it is small.
  await refused(zipOf({ bomb: { content: deflateRawSync(large), says: 10 } }), /too many bytes/);
  await refused(Buffer.from('PK'), /is no zip/);
});
