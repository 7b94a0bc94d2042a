/**
 * Owns that tests ask the API where everything is held against its description: through test/support/checked-fetch.ts. A bare fetch is for servers that
 * are not the API, and for what fetch alone shows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blankOut, readSources } from './sources.ts';

/** Files that may, with the reason. */
const allowed: readonly (readonly [file: RegExp, reason: string])[] = [
  [/^test\/support\/checked-fetch\.ts$/, 'is the door'],
  [/^test\/(integration\/egress-|support\/local-origin)/, 'asks origins of the build network'],
  [
    /^test\/(integration\/embedded\.test|support\/embedding-services)\.ts$/,
    "loads the process's own fetch, from a data URL",
  ],
  [/^test\/integration\/edge\.test\.ts$/, 'knocks where nobody may answer'],
  [
    /^test\/integration\/environments\.test\.ts$/,
    "fetches layers by the URLs that agents get, which are no part of the API's description",
  ],
  [/^test\/integration\/http-(hostile|origins)\.test\.ts$/, 'asks by OPTIONS, which is described in prose'],
  [
    /^test\/integration\/(files|files-collected|files-in-executions|files-of-several-coordinators|retention)\.test\.ts$/,
    'sends and gets bytes, large ones too, of which the description says no more than that; and asks URLs that agents get',
  ],
  [
    /^test\/support\/(chromium|client-page)\.ts$/,
    "asks the browser's own protocol, and the proxy that cuts connections",
  ],
  [
    /^test\/integration\/(instance-view|page-routes)\.test\.ts$/,
    'gets a page and its files, which are no part of the API',
  ],
  [/^test\/support\/piston-client\.ts$/, "speaks another system's protocol, which the description is not about"],
  [
    /^test\/support\/foreign-client\.ts$/,
    "speaks other systems' protocols, whose contracts are not in our description",
  ],
  [/^test\/integration\/http-long-answers\.test\.ts$/, 'asks routes of its own, on a server that has no others'],
  [/^test\/unit\/agent-files\.test\.ts$/, 'has a method of that name'],
  [/^test\/integration\/forged-writes\.test\.ts$/, 'calls a function of its own by that name'],
];

test('no test asks the API but through what holds the answer against its description', () => {
  const wrong = readSources('.ts')
    .filter(({ path }) => path.startsWith('test/') && !allowed.some(([file]) => file.test(path)))
    .flatMap(({ path, text }) =>
      blankOut(text)
        .split('\n')
        .flatMap((line, index) => (/(?<![.\w])fetch\(/.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    );
  assert.deepEqual(wrong, []);
});
