/**
 * Owns requests for executions that are wrong, and what whoever serves the API says about each: a coordinator and an edge say the same.
 * Never sends one.
 */

export const environment = { base: 'debian-13' };
export const run = { script: 'true' };
const file = (path: string) => ({ path, content: '' });
/** A request with files of these paths. */
export const files = (...paths: string[]) => ({ environment, run, files: paths.map(file) });

/** A request with these tests. */
const tested = (...tests: object[]) => ({ environment, run, tests });

/** Each with the place that is named and what is said of it. */
export const badRequests: readonly [title: string, body: unknown, pointer: string, detail: RegExp][] = [
  ['an unknown field', { environment, run, complie: {} }, '/complie', /did you mean 'compile'/],
  ['a check without tests', { environment, run, check: { kind: 'exact' } }, '/check', /there are none/],
  ['no tests', { environment, run, tests: [] }, '/tests', /1/],
  ['two tests of a name', tested({ name: '2' }, {}), '/tests/1/name', /test 0/],
  [
    'a test of no group',
    { ...tested({ group: 'b' }), groups: [{ name: 'a' }] },
    '/tests/0/group',
    /none of the groups/,
  ],
  ['a test whose input is no base64', tested({ stdin: '*', stdinEncoding: 'base64' }), '/tests/0/stdin', /base64/],
  ['an encoding of nothing', tested({ expectedEncoding: 'base64' }), '/tests/0/expectedEncoding', /there is none/],
  [
    'groups that need each other',
    {
      ...tested({}),
      groups: [
        { name: 'a', requires: ['b'] },
        { name: 'b', requires: ['a'] },
      ],
    },
    '/groups/0/requires/0',
    /before it/,
  ],
  ['a tolerance of tokens', { ...tested({}), check: { kind: 'tokens', tolerance: 0.1 } }, '/check/tolerance', /float/],
  ['a check that is none', { ...tested({}), check: { kind: 'regex' } }, '/check/kind', /"exact"/],
  ['a check program that runs nothing', { ...tested({}), check: { kind: 'program' } }, '/check/run', /missing/],
  [
    'a check program with files where tests are',
    { ...tested({}), check: { kind: 'program', run, files: [file('.test/input')] } },
    '/check/files/0/path',
    /keeps for itself/,
  ],
  ['an unknown nested field', { environment, run: { ...run, stdn: '' } }, '/run/stdn', /did you mean 'stdin'/],
  ['an unknown field of an environment', { environment: { steup: '' }, run }, '/environment/steup', /'setup'/],
  ['a field of another type', { environment, run: { script: 5 } }, '/run/script', /string.*not 5/],
  [
    'a number that is a string',
    { environment, run: { ...run, limits: { memoryBytes: '1' } } },
    '/run/limits/memoryBytes',
    /integer/,
  ],
  ['a missing field', { environment }, '/run', /missing/],
  ['an environment of a third type', { environment: 5, run }, '/environment', /must be string or object/],
  [
    'an unknown base',
    { environment: { base: 'debian-1' }, run },
    '/environment/base',
    /one of "debian-13", "debian-12"/,
  ],
  ['a negative limit', { environment, run: { ...run, limits: { cpuTimeMs: -1 } } }, '/run/limits/cpuTimeMs', /1/],
  ['a path with ..', files('a/../b'), '/files/0/path', /'\.\.'/],
  ['an absolute path', files('/etc/passwd'), '/files/0/path', /absolute/],
  ['a path with NUL', files('a\0b'), '/files/0/path', /NUL/],
  ['an empty segment', files('a//b'), '/files/0/path', /empty segment/],
  ['a duplicate', files('a', 'b', 'a'), '/files/2/path', /file 0/],
  ['a file over a directory', files('a/b/c', 'a/b'), '/files/0/path', /directory 'a\/b'/],
  [
    'files below a file, with another between',
    files('a/b', 'a-b', 'a', 'a/c/d'),
    '/files/3/path',
    /directory 'a', which is file 2/,
  ],
  ['a file too many', files(...Array.from({ length: 1001 }, (_, index) => `f${index}`)), '/files', /1000/],
  [
    'base64 that is none',
    { environment, run: { ...run, stdin: '%', stdinEncoding: 'base64' } },
    '/run/stdin',
    /base64/,
  ],
  ['half a surrogate pair', { environment, run: { ...run, stdin: '\ud800' } }, '/run/stdin', /surrogate/],
  ['a script with NUL', { environment, run: { script: '\0' } }, '/run/script', /match/],
  ['a setup script with NUL', { environment: { setup: 'true\0' }, run }, '/environment/setup', /match/],
  ['a setup script of 10 MB', { environment: { setup: 'x'.repeat(10_000_000) }, run }, '/environment/setup', /1048576/],
  [
    'a verify script of 10 MB',
    { environment: { verify: 'x'.repeat(10_000_000) }, run },
    '/environment/verify',
    /1048576/,
  ],
  ['metadata above 4 KiB', { environment, run, metadata: { a: 'x'.repeat(5000) } }, '/metadata', /4096/],
  ['a reserved name', { environment: { files: [file('.envicutor/x')] }, run }, '/environment/files/0/path', /keeps/],
  [
    'a variable name that is none',
    { environment, run: { ...run, variables: { '1x': '' } } },
    '/run/variables/1x',
    /name/,
  ],
  ['a null where an object is due', null, '', /object/],
];
