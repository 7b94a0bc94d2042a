/**
 * Owns laws 1, 3 and 9 as far as words can show them: names of files and folders, file headers, error codes, what no file may say.
 * Never judges prose; it finds the words that the house has agreed not to use.
 */
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { errorCatalog } from '../../shared/errors.ts';
import { blankOut, listTree, readRecipeFiles, readSources } from './sources.ts';

const bannedNames = /^(utils?|helpers?|common|lib|libs|types|interfaces|managers?|misc|index)$/;
const bannedNouns = /(^|-)(job|task|worker|node|box|jail|manager|util|helper)s?(-|$)/;

/** Hosts of package registries, as the first 16 digits of their sha256: the product names none, and neither does this test. */
const registryHosts = new Set([
  '8743857e3ea00fd1',
  '3ca29e55be4befa4',
  'a4aa2ac280bb8d1a',
  '8b5bb5eb9d758455',
  '789e46d79514e280',
  '00a7dc5a0cc38858',
  '9da5f32d96412512',
  '317d2d52829b7812',
  'c3db8466ffcd8589',
  '71741fe2460a6150',
  'e680c440a2e92079',
  '1ba4e37997a2e986',
  '2e97613f5a81eaa4',
  'a0f007d863a0ed19',
  '2c77714df232b07f',
  'f65219c547f9c032',
]);

/** Is this name, or a domain that it lies in, a registry's host? */
function isRegistryHost(name: string): boolean {
  const labels = name.toLowerCase().split('.');
  return labels.some((_, index) => registryHosts.has(digestHex(digestOf(labels.slice(index).join('.'))).slice(0, 16)));
}

const code = readSources('.ts', '.c', '.h', '.def', '.sh', '.mjs');
const python = readSources('.py');
const everything = [
  ...[...code, ...python],
  ...readSources('.md', '.json', '.yaml', '.toml', '.txt', 'Makefile', '.npmrc'),
  ...readRecipeFiles(),
];

test('no folder or file is called by an empty word, or by a word that the glossary replaces', () => {
  const wrong = listTree().filter((path) => {
    if (path.startsWith('ops/environments/')) return false;
    const name = basename(path).split('.')[0] ?? '';
    return bannedNames.test(name) || bannedNouns.test(name);
  });
  assert.deepEqual(wrong, []);
});

test('every source file opens with a comment of at least three lines that says what it owns and what it never does', () => {
  const wrong = [...code, ...python].filter(({ text }) => !isHeader(text)).map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

function isHeader(text: string): boolean {
  const withoutShebang = text.replace(/^#!.*\n/, '');
  const header = /^(\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+|(?:#.*\n)+|"""[\s\S]*?""")/.exec(withoutShebang)?.[0] ?? '';
  return header.trimEnd().split('\n').length >= 3;
}

test('no file names the host of a package registry', () => {
  const hostName = /[a-z0-9-]+(?:\.[a-z0-9-]+)+/gi;
  const wrong = everything.flatMap(({ path, text }) => {
    const found = [...new Set(text.match(hostName))].find(isRegistryHost);
    return found === undefined ? [] : [`${path}: ${found}`];
  });
  assert.deepEqual(wrong, []);
});

test('no file holds an absolute path of somebody else or a mark for later', () => {
  const paths = /(^|[\s'"`(=])\/(home|Users|work)\/[a-z]/;
  const marks = new RegExp(['TO', 'DO\\b|FIX', 'ME\\b|X', 'XX\\b|HA', 'CK\\b'].join(''));
  const wrong = everything
    .filter(({ text }) => paths.test(text) || marks.test(text))
    .map(({ path, text }) => `${path}: ${(paths.exec(text) ?? marks.exec(text))?.[0].trim()}`);
  assert.deepEqual(wrong, []);
});

test('there are no default exports, enums or any', () => {
  const wrong = readSources('.ts').flatMap(({ path, text }) => {
    const found = /\bexport default\b|^\s*(export )?(const )?enum\b|[:<]\s*any\b|\bas any\b/m.exec(blankOut(text));
    return found === null ? [] : [`${path}: ${found[0].trim()}`];
  });
  assert.deepEqual(wrong, []);
});

test('every error code of the catalog is used, and every code that is written is of the catalog', () => {
  const written = new Set<string>();
  for (const { path, text } of code) {
    if (path === 'shared/errors.ts' || path.startsWith('test/')) continue;
    for (const [, word] of text.matchAll(/'([a-z]+(?:-[a-z]+)*)'/g)) written.add(word ?? '');
    for (const [, thrown] of text.matchAll(/new SystemError\(\s*'([^']+)'/g)) {
      assert.ok(
        thrown !== undefined && thrown in errorCatalog,
        `${path} throws '${thrown}', which is not in the catalog`,
      );
    }
  }
  const unused = Object.keys(errorCatalog).filter((name) => !written.has(name));
  assert.deepEqual(unused, [], 'an error code that nothing gives is a promise that nobody keeps');
});
