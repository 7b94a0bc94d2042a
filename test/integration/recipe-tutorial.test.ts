/**
 * Owns the truth of docs/tutorial-a-language-nobody-has.md: each of its commands is run by a shell, in order, as a reader would, and prints what the page
 * says but for figures. Two words are replaced: the folder of the recipes and the port. Where the page has `make run`, the instance is the test's own.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { PrivateInstance } from '../../ops/local/private-instance.ts';
import { commandsOf, withoutFigures } from '../support/page-examples.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/tutorial-a-language-nobody-has.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'envicutor-tutorial-'));
const instance = new PrivateInstance();
after(async () => {
  await instance.stop();
  rmSync(folder, { recursive: true });
});

test('every command of the tutorial does what the page says', { timeout: 240_000 }, async () => {
  // As /srv is on any machine.
  chmodSync(folder, 0o755);
  const commands = commandsOf(page);
  assert.ok(commands.filter(({ output }) => output !== null).length >= 4, 'the page says what its commands print');
  for (const { script, output } of commands) {
    const here = script.replaceAll('/srv/recipes', folder).replaceAll('http://127.0.0.1:7070', instance.url);
    if (/\bmake run$/m.test(script)) {
      const [, directory = ''] = /ENVICUTOR_RECIPES_DIRECTORY=(\S+)/.exec(here) ?? [];
      await instance.start({ ENVICUTOR_RECIPES_DIRECTORY: directory });
      continue;
    }
    const { stdout } = await run('sh', ['-e', '-c', here], { cwd: root, timeout: 200_000 });
    const shown = withoutFigures(output ?? '').replaceAll('/srv/recipes', folder);
    assert.equal(withoutFigures(stdout), shown, script);
  }
});
