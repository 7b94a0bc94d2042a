/**
 * Owns what the Python client may import, that its version is the repository's, and that its licence is the same text.
 * Never looks at types or style: mypy and ruff do, beside its tests (test/integration/python-client.test.ts), since `make check` is Node's alone.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSources, root } from './sources.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const sources = readSources('.py')
  .filter(({ path }) => path.startsWith('client/python/src/envicutor/'))
  .map(({ path, text }) => ({ name: path.replace('client/python/src/envicutor/', ''), text }));

/** Modules that a source imports, by their first word; those of its own package with a dot before them. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/^\s*(?:from (\.*\w*)[\w.]* import|import (\w+))/gm)].map(
    ([, from, plain]) => from ?? plain ?? '',
  );
}

/** What is of neither Python's library nor this package, and who may import it: a door each. */
const doors: Readonly<Record<string, RegExp>> = {
  httpx: /^(connection|(a?sync_)(driver|client))\.py$/,
  cryptography: /^signatures\.py$/,
  // For type checkers alone.
  typing_extensions: /^a?sync_(client|resources)\.py$/,
};
const library =
  /^(__future__|asyncio|base64|binascii|codecs|collections|contextlib|dataclasses|datetime|email|functools|hashlib|hmac|importlib|inspect|json|math|os|pathlib|pickle|random|re|secrets|socket|threading|time|types|typing|urllib)$/;

test('the Python client imports httpx by its doors, cryptography for receipts alone, and nothing else that has to be installed', () => {
  assert.ok(sources.length > 20);
  const wrong = sources.flatMap(({ name, text }) =>
    importsOf(text)
      .filter((target) => !target.startsWith('.') && !library.test(target) && doors[target]?.test(name) !== true)
      .map((target) => `${name} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('what does no input or output knows no driver, and the extra is imported by nobody who does without', () => {
  const doing = /^\.(a?sync_|connection)/;
  const wrong = sources.flatMap(({ name, text }) =>
    importsOf(text)
      .filter((target) => doing.test(target) && !/^(a?sync_|__init__|connection)/.test(name))
      .map((target) => `${name} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
  const users = sources.filter(({ text }) =>
    importsOf(text).some((target) => /^\.(receipts|signatures)$/.test(target)),
  );
  assert.deepEqual(
    users.map(({ name }) => name),
    ['receipts.py'],
  );
});

test('time and chance come through the clock, but where a webhook is received', () => {
  const wrong = sources.filter(
    ({ name, text }) =>
      !/^(clock|webhook)\.py$/.test(name) && importsOf(text).some((target) => /^(time|random)$/.test(target)),
  );
  assert.deepEqual(wrong, []);
});

test("the Python client's version is the repository's, and its licence the same text", () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  assert.match(
    read('client/python/pyproject.toml'),
    new RegExp(`^version = "${version.replaceAll('.', '\\.')}"$`, 'm'),
  );
  assert.equal(read('client/python/LICENSE'), read('LICENSE'));
});
