/**
 * Owns the case in which the program of client/python/README.md runs as it stands, but for the server's address and the setup script, which is that of
 * another case, so that nothing is built for it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Instance } from '../../support/instance.ts';
import { pythonPrograms } from '../../support/python-packages.ts';
import { python } from './environments.ts';

const run = promisify(execFile);
const project = join(import.meta.dirname, '../../../client/python');

/** One text for another that is there once. */
function replaceOnce(text: string, from: string | RegExp, to: string): string {
  assert.equal(text.split(from).length, 2, `'${from}' is not there once:\n${text}`);
  return text.replace(from, () => to);
}

/** Registers the case. */
export function pythonClientCases(instance: Instance): void {
  test("the program of the Python client's README installs Python and runs a program of it", async () => {
    const [, shown = ''] = /```python\n([\s\S]*?)```/.exec(readFileSync(join(project, 'README.md'), 'utf8')) ?? [];
    const { setup } = python('six');
    const asked = replaceOnce(shown, /"apt-get update .* python3"/, JSON.stringify(setup));
    const program = replaceOnce(asked, 'http://127.0.0.1:7070', instance.api.baseUrl);
    const interpreter = join(await pythonPrograms('python-client-checkers.txt'), 'python');
    const env = { ...process.env, PYTHONPATH: join(project, 'src'), PYTHONDONTWRITEBYTECODE: '1' };
    const { stdout } = await run(interpreter, ['-c', program], { env, timeout: 300_000 });
    assert.equal(stdout, 'ok 42\n\n');
  });
}
