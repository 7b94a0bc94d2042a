/**
 * Owns what ops/install-agent says about its command line, before it looks at any machine. What it does to one is tried in a guest
 * (test/guest/installed.test.ts). Never gives it a line that it could act on.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const installer = new URL('../../ops/install-agent', import.meta.url).pathname;

const wrong: Readonly<Record<string, { args: readonly string[]; says: RegExp }>> = {
  'an unknown command': { args: ['instal'], says: /there is no command instal: see --help/ },
  'an unknown option': { args: ['install', '--slot', '2'], says: /there is no option --slot: see --help/ },
  'an option without its value': { args: ['install', '--slots'], says: /--slots needs a value/ },
  'a value of two lines': { args: ['install', '--name', 'a\nENVICUTOR_AGENT_POOL=b'], says: /more than one line/ },
  'a setting without a value': { args: ['install', '--set', 'SLOTS'], says: /no NAME=VALUE/ },
  'a setting that is no name': { args: ['install', '--set', 'A B=1'], says: /a name is of A-Z and _/ },
  'a prefix that no unit file takes': { args: ['install', '--prefix', '/opt/a b'], says: /letters, digits/ },
  'a prefix that is not absolute': { args: ['uninstall', '--prefix', 'opt'], says: /not absolute/ },
  'the root as a prefix': { args: ['uninstall', '--prefix', '/'], says: /is not absolute/ },
  'a size that is no number': { args: ['install', '--layer-bytes', '20G'], says: /20G is no number/ },
  'no coordinator': { args: ['install', '--release', 'none'], says: /which coordinator\?/ },
  'a coordinator that is no URL': { args: ['install', '--coordinator', 'ws://a'], says: /ws:\/\/a is no URL/ },
  'a token file that is not there': { args: ['install', '--token-file', '/nowhere'], says: /\/nowhere can't be read/ },
};

for (const [what, { args, says }] of Object.entries(wrong)) {
  test(`${what} is one sentence and exit code 64`, () => {
    const { status, stdout, stderr } = spawnSync(installer, args, { encoding: 'utf8' });
    assert.match(stderr, says);
    assert.equal(status, 64, stdout + stderr);
    assert.equal(stdout, '');
  });
}

test('its help names every option that it reads, and no other', () => {
  const { stdout } = spawnSync(installer, ['--help'], { encoding: 'utf8' });
  const read = [...readFileSync(installer, 'utf8').matchAll(/^ {4}(--[a-z0-9-]+)\)/gm)].map((match) => match[1] ?? '');
  const told = [...stdout.matchAll(/^ {2}(--.*?)(?: {2}|$)/gm)].flatMap(([line]) => line.match(/--[a-z0-9-]+/g) ?? []);
  const known = new Set([...told, '--token-file', '--help']);
  assert.deepEqual(
    read.filter((name) => !known.has(name)),
    [],
  );
  const every = new Set([...read, '--dry-run', '--allow-downgrade', '--contest']);
  assert.deepEqual(
    told.filter((name) => !every.has(name) && !['--sha', '--help'].includes(name)),
    [],
  );
});
