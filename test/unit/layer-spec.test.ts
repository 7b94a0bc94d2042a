/**
 * Owns what a layer's specification is worth: vectors that were computed elsewhere hold its digests still, any change of any part of it or of
 * what a client asks for is another key, and a layer is refused where another one was asked for.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type KeySettings,
  layerKeys,
  planLayers,
  toLayerSpec,
} from '../../coordinator/environments/environment-key.ts';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { checkSpec, digestOfSpec, encodeSpec, shareableKey } from '../../shared/layers/layer-spec.ts';
import { EnvironmentRequest } from '../../shared/model/environment.ts';
import { describeEnvironment } from '../../shared/model/environment-description.ts';
import { buildLimitMaxima } from '../../shared/model/limits.ts';
import { LayerSpec } from '../../shared/model/manifest.ts';
import { specOf } from '../support/layer-specs.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';

interface Vector {
  readonly what: string;
  readonly spec: LayerSpec;
  readonly parents: string[];
  readonly specDigest: string;
  readonly shareable: string;
  readonly private: string;
}

const { vectors } = JSON.parse(readFileSync(new URL('../vectors/layer-specs.json', import.meta.url), 'utf8')) as {
  vectors: Vector[];
};
const tenant = { tenantId: 'local', key: Buffer.alloc(32, 1) };
const settings: KeySettings = { architecture: 'x86_64', egressPolicyId: 'any', epoch: '1', salt: '' };

for (const { what, spec, parents, ...expected } of vectors) {
  test(`the digest and the keys of ${what} stand still`, () => {
    const { shareable, private: own } = layerKeys(spec, parents, tenant);
    assert.deepEqual({ specDigest: digestOfSpec(spec, parents), shareable, private: own }, expected);
  });
}

test('there are vectors for every kind of layer and every member that may be null', () => {
  const specs = vectors.map(({ spec }) => spec);
  assert.deepEqual([...new Set(specs.map(({ kind }) => kind))].sort(), ['base', 'dependencies', 'setup']);
  for (const name of ['verify', 'observable'] as const) {
    assert.deepEqual(new Set(specs.map((spec) => spec[name] === null)), new Set([true, false]));
  }
});

const digest = fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => digestOf(bytes));
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
/** Any specification, whether or not a coordinator would make it. */
const members: { readonly [Name in keyof LayerSpec]: fc.Arbitrary<LayerSpec[Name]> } = {
  kind: fc.constantFrom('base', 'setup', 'dependencies'),
  base: text,
  architecture: fc.constantFrom('x86_64', 'aarch64'),
  script: digest,
  verify: fc.option(digest),
  observable: fc.option(digest),
  limits: digest,
  egress: text,
  capture: fc.nat(),
  builder: fc.nat(),
  epoch: text,
  salt: digest,
  generation: text,
};

test('any change of any member of a specification, or of its parents, is another key', () => {
  assert.deepEqual(Object.keys(members).sort(), Object.keys(LayerSpec.properties).sort(), 'every member is tried');
  const any = fc.record(members);
  const parents = fc.array(digest, { maxLength: 3 });
  fc.assert(
    fc.property(any, parents, any, parents, (spec, below, other, otherBelow) => {
      const key = shareableKey(encodeSpec(spec, below));
      assert.equal(shareableKey(encodeSpec({ ...spec }, [...below])), key);
      for (const name of Object.keys(members) as (keyof LayerSpec)[]) {
        if (spec[name] === other[name]) continue;
        assert.notEqual(shareableKey(encodeSpec({ ...spec, [name]: other[name] }, below)), key, name);
      }
      if (below.join() !== otherBelow.join()) assert.notEqual(shareableKey(encodeSpec(spec, otherBelow)), key);
    }),
    { numRuns: 300 },
  );
});

/** The text with one byte of it another one; it stays UTF-8. */
const flipped = (whole: string, at: number) => {
  const bytes = Buffer.from(whole, 'latin1');
  const index = at % bytes.length;
  bytes[index] = bytes[index] === 0x61 ? 0x62 : 0x61;
  return bytes.toString('latin1');
};

/** For each member of a request: requests that differ in nothing else, by one byte where it is text. `fresh` makes a generation, `visibility` an id. */
const changes: {
  readonly [Name in Exclude<keyof EnvironmentRequest, 'fresh' | 'visibility'>]-?: (
    request: Required<EnvironmentRequest>,
    at: number,
  ) => Partial<EnvironmentRequest>[];
} = {
  base: ({ base }) => [{ base: base === 'debian-13' ? 'debian-12' : 'debian-13' }],
  setup: ({ setup }, at) => [{ setup: flipped(setup, at) }, { setup: `${setup}\n` }, { setup: setup.slice(1) }],
  dependencies: ({ dependencies }, at) => [{ dependencies: flipped(dependencies, at) }],
  verify: ({ verify }, at) => [{ verify: flipped(verify, at) }],
  variables: ({ variables }, at) => [
    { variables: { ...variables, A: flipped(variables['A'] ?? '', at) } },
    { variables: { ...variables, B: '' } },
    { variables: {} },
  ],
  secrets: ({ secrets }, at) => [{ secrets: { ...secrets, S: flipped(secrets['S'] ?? '', at) } }, { secrets: {} }],
  files: ({ files: [file] }, at) => {
    assert.ok(file !== undefined);
    const { path, content, executable } = file;
    return [
      { files: [{ ...file, path: flipped(path, at) }] },
      { files: [{ ...file, content: flipped(content, at) }] },
      { files: [{ ...file, executable: !executable }] },
      { files: [{ ...file, encoding: 'base64', content: Buffer.from(`${content}\n`).toString('base64') }] },
      { files: [] },
    ];
  },
  limits: ({ limits }) =>
    Object.keys(buildLimitMaxima).map((name) => ({
      limits: { ...limits, [name]: (limits as Record<string, number>)[name] === 7 ? 8 : 7 },
    })),
};

test('one byte more, less or other in any member of a request is another key of the layer that sees it', () => {
  const known = [...Object.keys(changes), 'fresh', 'visibility'];
  assert.deepEqual(known.sort(), Object.keys(EnvironmentRequest.properties).sort(), 'every member is tried');
  const script = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' });
  const requests = fc.record({
    base: fc.constantFrom('debian-13' as const, 'debian-12' as const),
    ...{ setup: script, dependencies: script, verify: script, content: script, value: script, secret: script },
    path: fc.stringMatching(/^[b-z]{1,9}$/),
  });
  // The setup script is seen by the layer above through its parents alone, which are digests of content: its own layer's key is looked at.
  const keysOf = (request: EnvironmentRequest) => {
    const description = describeEnvironment(request, tenant);
    return planLayers(description).map((plan) => {
      const spec = toLayerSpec(description, plan, '', settings);
      return layerKeys(spec, ['sha256:parent'], tenant).shareable;
    });
  };
  fc.assert(
    fc.property(requests, fc.nat(), ({ content, value, secret, path, ...scripts }, at) => {
      const request: Required<EnvironmentRequest> = {
        ...scripts,
        files: [{ path, content, executable: false }],
        variables: { A: value },
        secrets: { S: secret },
        limits: {},
        visibility: 'shareable',
        fresh: false,
      };
      const [base, setup, dependencies] = keysOf(request);
      for (const [name, change] of Object.entries(changes)) {
        for (const changed of change(request, at)) {
          const [otherBase, otherSetup, otherDependencies] = keysOf({ ...request, ...changed });
          const what = JSON.stringify(changed);
          if (name === 'base') assert.notEqual(otherBase, base, what);
          if (name !== 'dependencies' && name !== 'verify') assert.notEqual(otherSetup, setup, what);
          if (name !== 'setup') assert.notEqual(otherDependencies, dependencies, what);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a layer is refused where another one was asked for, and the sentence says what differs', () => {
  const { manifest, reference } = createTestLayer(createTestKey().signing, 'layer');
  checkSpec(manifest, reference.spec);
  // biome-ignore format: what is asked for instead, and what is said of it
  const others: readonly (readonly [Partial<LayerSpec>, RegExp])[] = [
    [{ kind: 'setup' },                     /built for another request: kind base, not setup$/],
    [{ base: 'debian-12' },                 /: base debian-13, not debian-12$/],
    [{ architecture: manifest.architecture === 'x86_64' ? 'aarch64' : 'x86_64' }, /: architecture \S+, not \S+$/],
    [{ script: digestOf('another') },       /: specification sha256:\w+, not sha256:\w+$/],
    [{ generation: '1' },                   /: specification /],
  ];
  for (const [change, sentence] of others) {
    assert.throws(
      () => checkSpec(manifest, { ...reference.spec, ...change }),
      (error) => error instanceof SystemError && error.code === 'layer-untrusted' && sentence.test(error.message),
    );
  }
  const elsewhere = createTestLayer(createTestKey().signing, 'layer', 5, { parents: [digestOf('below')] });
  assert.throws(() => checkSpec({ ...elsewhere.manifest, parents: [] }, elsewhere.reference.spec), SystemError);
  assert.throws(() => checkSpec(manifest, specOf('layer')), SystemError);
});
