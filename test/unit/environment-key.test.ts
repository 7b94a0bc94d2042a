/**
 * Owns identity of environments and layers: what is in a key, what is not, vectors that hold the derivation still, and the property that any
 * change of any field changes the key.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type KeySettings,
  layerKeys,
  planLayers,
  settingsFingerprint,
  toLayerSpec,
  withoutSecrets,
} from '../../coordinator/environments/environment-key.ts';
import { digestOfSpec } from '../../shared/layers/layer-spec.ts';
import type { EnvironmentRequest } from '../../shared/model/environment.ts';
import { describeEnvironment } from '../../shared/model/environment-description.ts';

const tenant = { tenantId: 'local', key: Buffer.alloc(32, 1) };
const other = { tenantId: 'other', key: Buffer.alloc(32, 2) };
const settings: KeySettings = { architecture: 'x86_64', egressPolicyId: 'any', epoch: '1', salt: '' };
const idOf = (request: EnvironmentRequest, of = tenant) => describeEnvironment(request, of).id;

function keysOf(request: EnvironmentRequest, parents: string[] = [], changed: Partial<KeySettings> = {}, of = tenant) {
  const description = describeEnvironment(request, of);
  const plan = planLayers(description).at(-1);
  assert.ok(plan !== undefined);
  const spec = toLayerSpec(description, plan, '', { ...settings, ...changed });
  return { ...layerKeys(spec, parents, of), specDigest: digestOfSpec(spec, parents) };
}

test('what a request leaves out is the same as its default', () => {
  assert.equal(idOf({}), idOf({ base: 'debian-13', files: [], variables: {}, visibility: 'shareable' }));
  assert.equal(idOf({ setup: 'true' }), idOf({ setup: 'true', fresh: true }));
});

test('the derivation of ids and keys stands still', () => {
  const request = { setup: 'apt-get install -y g++', files: [{ path: 'a', content: 'b' }], variables: { A: 'b' } };
  assert.equal(idOf(request), 'env_897nwzddzzx5whk8hm95qswmgmpnx0pna2t00jkpnmkt1x6bcz50');
  const keys = keysOf(request, [`sha256:${'0'.repeat(64)}`]);
  assert.equal(keys.shareable, 'k1s-mx5cjwwqrvgyerwxh5tdr5njfh2m8xk2d3j63cak37jap3bbb9b0');
  assert.equal(keys.private, 'k1t-11mkc630g1224p7cb4wqkwygnmhj263yj85b9erx13enyk4e5n70');
});

test('everything that a build can observe changes its key', () => {
  const base: EnvironmentRequest = { setup: 'x', dependencies: 'y' };
  const changes: EnvironmentRequest[] = [
    { ...base, dependencies: 'y\n' },
    { ...base, files: [{ path: 'a', content: '' }] },
    { ...base, files: [{ path: 'a', content: '', executable: true }] },
    { ...base, variables: { A: '' } },
    { ...base, limits: { memoryBytes: 1024 } },
    { ...base, verify: 'true' },
    { ...base, secrets: { A: 'one' } },
    { ...base, secrets: { A: 'two' } },
  ];
  const seen = new Set([base, ...changes].map((request) => keysOf(request).shareable));
  const others: Partial<KeySettings>[] = [
    { architecture: 'aarch64' },
    { epoch: '2' },
    { salt: 's' },
    { egressPolicyId: 'none' },
  ];
  for (const changed of others) {
    seen.add(keysOf(base, [], changed).shareable);
    assert.notEqual(settingsFingerprint({ ...settings, ...changed }), settingsFingerprint(settings));
  }
  seen.add(keysOf(base, ['sha256:1']).shareable);
  assert.equal(seen.size, 1 + changes.length + 4 + 1);
});

test('files count in any order, base64 counts as the bytes that it stands for', () => {
  const files = [
    { path: 'a', content: 'hi' },
    { path: 'b', content: 'ho' },
  ];
  assert.equal(idOf({ files }), idOf({ files: files.toReversed() }));
  assert.equal(
    idOf({ files: [{ path: 'a', content: 'aGk=', encoding: 'base64' }] }),
    idOf({ files: files.slice(0, 1) }),
  );
});

test('a shareable environment is the same for every tenant, a private one is not', () => {
  assert.equal(idOf({ setup: 'x' }), idOf({ setup: 'x' }, other));
  assert.equal(keysOf({ setup: 'x' }).shareable, keysOf({ setup: 'x' }, [], {}, other).shareable);
  assert.notEqual(keysOf({ setup: 'x' }).private, keysOf({ setup: 'x' }, [], {}, other).private);
  assert.notEqual(idOf({ setup: 'x', visibility: 'private' }), idOf({ setup: 'x', visibility: 'private' }, other));
});

test('secrets are stored by name only', () => {
  assert.deepEqual(withoutSecrets({ setup: 'x', secrets: { A: 'b' } }), { setup: 'x', secrets: { A: '' } });
});

test('an environment has as many layers as it needs, and verify belongs to the last', () => {
  const kinds = (request: EnvironmentRequest) =>
    planLayers(describeEnvironment(request, tenant)).map(({ kind, verify }) => [kind, verify]);
  assert.deepEqual(kinds({}), [['base', null]]);
  assert.deepEqual(kinds({ verify: 'v' }), [
    ['base', null],
    ['setup', 'v'],
  ]);
  assert.deepEqual(kinds({ dependencies: 'd', verify: 'v' }), [
    ['base', null],
    ['dependencies', 'v'],
  ]);
  assert.deepEqual(kinds({ setup: 's', dependencies: 'd', verify: 'v' }), [
    ['base', null],
    ['setup', null],
    ['dependencies', 'v'],
  ]);
});

// biome-ignore format: pairs that would be one if fields ran into each other
const confusable: readonly (readonly [string, EnvironmentRequest, EnvironmentRequest])[] = [
  ['a script moves from one field to the next',   { setup: 'x' }, { dependencies: 'x' }],
  ['a script is cut elsewhere',                   { setup: 'ab', dependencies: 'c' }, { setup: 'a', dependencies: 'bc' }],
  ['verify does what setup does',                 { setup: 'x', verify: 'y' }, { setup: 'y', verify: 'x' }],
  ['a script holds the JSON of the next field',   { setup: 'x","dependencies":"y' }, { setup: 'x', dependencies: 'y' }],
  ['a name takes from its value',                 { variables: { A: 'B=c' } }, { variables: { AB: '=c' } }],
  ['a value holds another variable',              { variables: { A: 'x","B":"y' } }, { variables: { A: 'x', B: 'y' } }],
  ['a variable is a secret',                      { variables: { A: 'x' } }, { secrets: { A: 'x' } }],
  ['two secrets are exchanged',                   { secrets: { A: 'x', B: 'y' } }, { secrets: { A: 'y', B: 'x' } }],
  ['a file takes from its content',               { files: [{ path: 'a', content: 'bc' }] }, { files: [{ path: 'ab', content: 'c' }] }],
  ['two files are exchanged',                     { files: [{ path: 'a', content: '1' }, { path: 'b', content: '2' }] }, { files: [{ path: 'a', content: '2' }, { path: 'b', content: '1' }] }],
  ['a file is a variable',                        { files: [{ path: 'A', content: 'x' }] }, { variables: { A: 'x' } }],
  ['line ends differ',                            { setup: 'x\n' }, { setup: 'x\r\n' }],
  ['an accent is composed otherwise',             { setup: '\u00e9' }, { setup: 'e\u0301' }],
  ['a lone surrogate is another',                 { files: [{ path: 'a', content: 'x' }], setup: 'a\u{10000}' }, { files: [{ path: 'a', content: 'x' }], setup: 'a\u{10001}' }],
];

for (const [what, one, two] of confusable) {
  test(`environments have different ids and keys when ${what}`, () => {
    assert.notEqual(idOf(one), idOf(two));
    // Without a script of its own a request has the base alone, which no file or variable reaches.
    const [first, second] = [one, two].map((request) => keysOf({ verify: 'true', ...request }));
    assert.ok(first !== undefined && second !== undefined);
    assert.notEqual(first.shareable, second.shareable);
    assert.notEqual(first.private, second.private);
    assert.notEqual(first.specDigest, second.specDigest);
  });
}

// Each field with values that are easily taken for one another; a file's content is compared as the bytes that it stands for.
const text = fc.oneof(
  fc.constantFrom('', 'a', 'A', 'a\n', 'ab', '","b":"', '\u0001', '\u00e9', 'e\u0301', '__proto__', '0', 'null'),
  fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => value.isWellFormed() && !value.includes('\0')),
);
const variables = fc.dictionary(fc.constantFrom('A', 'B', 'AB', 'a', '_', '__proto__', 'constructor'), text, {
  maxKeys: 3,
  noNullPrototype: true,
});
const anyFile = fc.record({
  path: fc.constantFrom('a', 'A', 'a/b', 'b', 'a b'),
  content: text,
  executable: fc.boolean(),
});
const anyRequest = fc.record({
  base: fc.constantFrom('debian-13' as const, 'debian-12' as const),
  setup: text,
  dependencies: fc.option(text, { nil: undefined }),
  verify: fc.option(text, { nil: undefined }),
  files: fc.uniqueArray(anyFile, { maxLength: 3, selector: ({ path }) => path }),
  variables,
  secrets: variables,
  memoryBytes: fc.integer({ min: 1, max: 3 }),
  parents: fc.array(fc.constantFrom('sha256:1', 'sha256:2', 'sha256:12'), { maxLength: 3 }),
  settings: fc.record({
    architecture: fc.constantFrom('x86_64' as const, 'aarch64' as const),
    egressPolicyId: text,
    epoch: text,
    salt: text,
  }),
});
type AnyRequest = typeof anyRequest extends fc.Arbitrary<infer Value> ? Value : never;

function everythingOf({ memoryBytes, parents, settings: changed, dependencies, verify, ...asked }: AnyRequest) {
  const optional = {
    ...(dependencies === undefined ? {} : { dependencies }),
    ...(verify === undefined ? {} : { verify }),
  };
  const request: EnvironmentRequest = { ...asked, ...optional, limits: { memoryBytes } };
  const keys = keysOf(request, parents, changed);
  return { id: idOf(request), keys: [keys.shareable, keys.private, keys.specDigest] };
}

/** What a build can observe of a request; the order of files and of members is nothing that it can. */
function observableOf(one: AnyRequest): string {
  const { setup, dependencies, files, ...rest } = one;
  // A layer sees its own script and, through its parents' content, what the script below left: not that script's words.
  const script = dependencies === undefined ? ['setup', setup] : ['dependencies', dependencies];
  const sorted = (members: Readonly<Record<string, string>>) => Object.entries(members).sort();
  const { variables: open, secrets, ...plain } = rest;
  const listed = files.toSorted((left, right) => (left.path < right.path ? -1 : 1));
  return JSON.stringify([script, listed, sorted(open), sorted(secrets), plain]);
}

/** The files of one, the first with the rights, or the content, of another's. */
function partly(
  { files: [first, ...rest] }: AnyRequest,
  { files: [other], memoryBytes }: AnyRequest,
): AnyRequest['files'] {
  if (first === undefined || other === undefined) return rest;
  const { executable, content } = other;
  return [memoryBytes === 1 ? { ...first, content } : { ...first, executable }, ...rest];
}

/** A request, and one from which a field, or a part of one, is taken. */
const near = fc.tuple(
  anyRequest,
  anyRequest,
  fc.constantFrom(...(Object.keys(settings) as (keyof KeySettings)[])),
  fc.nat(9),
  fc.boolean(),
);
test('any change of any field changes the key, and nothing else does', () => {
  const counts = { same: 0, other: 0 };
  fc.assert(
    fc.property(near, ([one, other, setting, field, isPartly]) => {
      const names = Object.keys(one) as (keyof AnyRequest)[];
      const name = names[field % names.length] ?? 'setup';
      const part = { settings: { ...one.settings, [setting]: other.settings[setting] }, files: partly(one, other) };
      const changed: AnyRequest = {
        ...one,
        [name]: other[name],
        ...(isPartly && name in part ? { [name]: part[name as 'files'] } : {}),
      };
      const isSame = observableOf(one) === observableOf(changed);
      const [before, after] = [everythingOf(one), everythingOf(changed)];
      for (const [at, key] of before.keys.entries()) assert.equal(key === after.keys[at], isSame);
      counts[isSame ? 'same' : 'other'] += 1;
    }),
    { numRuns: 2000 },
  );
  assert.ok(counts.same > 20 && counts.other > 1000, JSON.stringify(counts));
});

test('one byte more, less or other in a script, a file or a value is another key', () => {
  const scripts = ['setup', 'dependencies', 'verify', 'file', 'variable', 'secret'] as const;
  const toRequest = (where: (typeof scripts)[number], bytes: Buffer): EnvironmentRequest => {
    const said = bytes.toString('latin1');
    const plain: EnvironmentRequest = { setup: 'x', dependencies: 'y' };
    if (where === 'file')
      return { ...plain, files: [{ path: 'f', content: bytes.toString('base64'), encoding: 'base64' }] };
    if (where === 'variable') return { ...plain, variables: { V: said } };
    return where === 'secret' ? { ...plain, secrets: { V: said } } : { ...plain, [where]: said };
  };
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((all) => Buffer.from(all));
  const how = fc.constantFrom('more', 'less', 'other');
  fc.assert(
    fc.property(
      fc.constantFrom(...scripts),
      bytes,
      fc.nat(39),
      fc.integer({ min: 1, max: 255 }),
      how,
      (where, all, at, by, what) => {
        const place = at % all.length;
        const changed = Buffer.from(all);
        changed[place] = (changed[place] ?? 0) ^ by;
        const head = all.subarray(0, place);
        const next =
          what === 'other'
            ? changed
            : Buffer.concat([
                head,
                what === 'more' ? Buffer.of(by) : head.subarray(0, 0),
                all.subarray(what === 'more' ? place : place + 1),
              ]);
        const [one, two] = [toRequest(where, all), toRequest(where, next)];
        assert.notEqual(idOf(one), idOf(two));
        // The script below is in the key of what stands on it by what it left, as a parent's content.
        if (where !== 'setup') assert.notEqual(keysOf(one).shareable, keysOf(two).shareable);
        else
          assert.notEqual(keysOf({ setup: one.setup ?? '' }).shareable, keysOf({ setup: two.setup ?? '' }).shareable);
      },
    ),
    { numRuns: 1000 },
  );
});

test('parents count in their order and number, and a private key is not that of another tenant who asks for the same', () => {
  const of = (...parents: string[]) => keysOf({ dependencies: 'x' }, parents).shareable;
  assert.equal(new Set([of(), of('a'), of('a', 'b'), of('b', 'a'), of('a,b'), of('ab')]).size, 6);
  const secret: EnvironmentRequest = { setup: 'x', secrets: { A: 'y' } };
  assert.notEqual(keysOf(secret, [], {}, tenant).private, keysOf(secret, [], {}, other).private);
  assert.notEqual(keysOf(secret, [], {}, tenant).shareable, keysOf(secret, [], {}, other).shareable);
});
