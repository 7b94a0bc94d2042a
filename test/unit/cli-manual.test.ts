/**
 * Owns the proof that the manual page is one: groff formats it without a warning, and what it shows has commands, flags and exit codes. Reads the page only.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { toManualPage } from '../../ops/docs/manual-page.ts';

test('groff formats the manual page without a warning, and nothing of it is lost', () => {
  const words = ['-man', '-Tutf8', '-ww', '-rLL=100n', '-P-c', '-P-b', '-P-u'];
  const { status, stdout, stderr } = spawnSync('groff', words, { input: toManualPage(), encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  for (const text of ['envicutor run', '--compile-limits LIST', '$XDG_CONFIG_HOME/envicutor/cli.json', '124'])
    assert.ok(stdout.replace(/\s+/g, ' ').includes(text), text);
  assert.match(stdout, /EXIT STATUS\n +N +the program's own exit code/);
});
