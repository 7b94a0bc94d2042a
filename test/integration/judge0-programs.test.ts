/**
 * Owns what becomes of programs that Judge0's and Jobe's clients send, in real sandboxes by a real agent and launcher: shell scripts that play a language.
 * Needs root, no registry.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { shellRecipes } from '../support/acted-languages.ts';
import { setStage } from '../support/agent-stage.ts';
import { foreignClient } from '../support/foreign-client.ts';
import { compileC } from '../support/real-launcher.ts';
import { zipOf } from '../support/zip-archives.ts';

const BASH = 46;
const CPP = 54;
const EXECUTABLE = 44;
const runs = '/jobe/index.php/restapi/runs';

describe("programs of other protocols' clients", () => {
  const ends: (() => unknown)[] = [];
  let url = '';
  const ask = foreignClient(() => url);
  before(async () => {
    const given = { recipes: shellRecipes };
    const stage = await setStage({ after: (end) => void ends.push(end as () => unknown) }, null, {}, null, given);
    await stage.startAgent();
    ({ url } = stage.coordinator);
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const submit = async (source: string, more: object = {}) => {
    const body = { source_code: source, language_id: BASH, ...more };
    const answer = await ask('POST', '/submissions?wait=true&fields=*', body);
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  };
  const statusOf = async (source: string, more: object = {}) => (await submit(source, more)).status_id;

  test('a program reads, writes, and is held against what was expected', async () => {
    const asked = { stdin: 'you', expected_output: 'hello you\n\n', command_line_arguments: 'and "some more"' };
    const answer = await submit('read who; echo "hello $who "; echo "$2" >&2', asked);
    assert.deepEqual(
      [answer.status_id, answer.stdout, answer.stderr, answer.exit_code, answer.message],
      [3, 'hello you \n', 'some more\n', 0, null],
    );
    assert.match(answer.time, /^\d+\.\d{1,3}$/);
    assert.ok(answer.memory > 0 && Number(answer.wall_time) > 0);
    assert.equal(await statusOf('echo other', { expected_output: 'hello' }), 4);
    const joined = await submit('echo out; echo err >&2', { redirect_stderr_to_stdout: true });
    assert.deepEqual([joined.stdout, joined.stderr], ['out\nerr\n', null]);
  });

  test('exit codes, signals, time, memory and output have their statuses', async () => {
    const failed = await submit('exit 3');
    assert.deepEqual([failed.status_id, failed.exit_code, failed.message], [11, 3, 'Exited with error status 3']);
    const crashed = await submit('kill -SEGV $$');
    assert.deepEqual([crashed.status_id, crashed.exit_signal, crashed.exit_code], [7, 11, 0]);
    const late = await submit('echo before; while :; do :; done', { cpu_time_limit: 0.2, cpu_extra_time: 0 });
    assert.deepEqual([late.status_id, late.stdout, late.message], [5, 'before\n', 'Time limit exceeded']);
    const asleep = await submit('sleep 60', { wall_time_limit: 1 });
    assert.deepEqual([asleep.status_id, asleep.message], [5, 'Time limit exceeded (wall clock)']);
    assert.equal(await statusOf('yes', { max_file_size: 16 }), 8);
    const eater = compileC(
      '#include <stdlib.h>\n#include <string.h>\nint main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }',
    );
    const hungry = { language_id: EXECUTABLE, source_code: eater.toString('base64'), memory_limit: 8192 };
    const answer = await ask('POST', '/submissions?wait=true&base64_encoded=true&fields=status_id,exit_signal', hungry);
    assert.deepEqual(answer.body, { status_id: 12, exit_signal: 9 });
  });

  test('a compiled program is compiled once for several runs; its compiler is heard', async () => {
    const good = await submit('echo "$(($(cat) * 2))"', {
      ...{ language_id: CPP, stdin: '21', expected_output: '42', number_of_runs: 3, compiler_options: '-O2 -DX' },
    });
    assert.deepEqual([good.status_id, good.stdout, good.compile_output], [3, '42\n', 'options -O2 -DX\n']);
    const wrong = await submit('echo 41', { language_id: CPP, expected_output: '42', number_of_runs: 3 });
    assert.equal(wrong.status_id, 4);
    const mistaken = await submit('a mistake', { language_id: CPP });
    assert.deepEqual(
      [mistaken.status_id, mistaken.compile_output, mistaken.stdout, mistaken.time, mistaken.exit_code],
      [6, 'main.cpp: a mistake\n', null, null, null],
    );
  });

  test('additional files are there, and plain text is shown', async () => {
    const additional_files = zipOf({ 'data/numbers': '1 2 3\n', 'main.sh': 'echo not me' }).toString('base64');
    assert.equal((await submit('cat data/numbers', { additional_files })).stdout, '1 2 3\n');
    assert.equal((await submit('just text', { language_id: 43 })).stdout, 'just text');
  });

  const run = async (sourcecode: string, more: object = {}) => {
    const answer = await ask('POST', runs, { run_spec: { language_id: 'cpp', sourcecode, ...more } });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };

  test("Jobe's runs end in its outcomes, within its parameters", async () => {
    const good = await run('read a; echo "$a $1"', { input: 'in\n', parameters: { runargs: ['arg'] } });
    assert.deepEqual(good, { run_id: null, outcome: 15, cmpinfo: '', stdout: 'in arg\n', stderr: '' });
    assert.equal((await run('echo no >&2; exit 1')).outcome, 12);
    assert.equal((await run('while :; do :; done', { parameters: { cputime: 1 } })).outcome, 13);
    assert.equal((await run('yes', { parameters: { streamsize: 0.01 } })).outcome, 13);
    const mistaken = await run('mistake');
    assert.deepEqual([mistaken.outcome, mistaken.cmpinfo], [11, 'main.cpp: a mistake\n']);
    assert.match((await run('ulimit -v', { parameters: { memorylimit: 123 } })).stdout, /^123000$/m);
    const path = '/jobe/index.php/restapi/files/0123456789abcdef';
    assert.equal((await ask('PUT', path, { file_contents: Buffer.from('sent').toString('base64') })).status, 204);
    assert.equal((await run('cat here', { file_list: [['0123456789abcdef', 'here']] })).stdout, 'sent');
  });
});
