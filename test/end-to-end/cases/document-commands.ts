/**
 * Owns the cases of the commands that the documents show: each is run by a shell, as a reader would, against the instance, and prints what its page shows.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { blocksForInstance, isShown } from '../../support/document-commands.ts';
import type { Instance } from '../../support/instance.ts';

const run = promisify(execFile);

/** Files that pages speak of as the reader's own. */
const files: Readonly<Record<string, string>> = {
  'test-17.in': '20 22\n',
  'coordinator.log': '{"msg":"execution moved","executionId":"exec_01k3a"}\n',
  'builder.log': '',
  'agent.log': '{"msg":"lease running","executionId":"exec_01k3a"}\n',
};

/** Registers the cases. */
export function documentCases(instance: Instance): void {
  for (const { page, index, source, output } of blocksForInstance()) {
    test(`the commands of ${page}, block ${index}, do what the page says`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'envicutor-document-'));
      t.after(() => rmSync(folder, { recursive: true }));
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      const url = instance.api.baseUrl;
      const told = source.replaceAll('http://127.0.0.1:7070', url).replaceAll('localhost:7070', new URL(url).host);
      const env = { PATH: process.env['PATH'] ?? '', URL: url, KEY: '' };
      // A command that is answered with an error is none that a page shows.
      const failing = `curl() { command curl --fail-with-body "$@"; }\n${told}`;
      const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', failing], {
        cwd: folder,
        env,
        timeout: 240_000,
      });
      if (output !== null) assert.ok(isShown(output, stdout), `the page shows:\n${output}\nand it printed:\n${stdout}`);
    });
  }
}
