/**
 * Owns the proof of the operator's policy file: what it fills in, that all that is wrong is told at once, which paths never change.
 */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPathShapes } from '../../coordinator/egress/immutable-paths.ts';
import { findPolicyProblems, readEgressPolicy } from '../../coordinator/egress/policy-file.ts';
import { defaultEgressPolicy, defaultEgressQuotas, defaultImmutablePaths } from '../../shared/model/egress.ts';
import { temporaryFolder } from '../support/captured.ts';

function read(context: { after(action: () => void): void }, content: string) {
  const path = join(temporaryFolder(context), 'policy.json');
  writeFileSync(path, content);
  return readEgressPolicy(path);
}

test('what a file leaves out is as in the default policy', (context) => {
  const policy = { name: 'ours', allowHosts: ['*.example'], quotas: { bytesMax: 5 } };
  assert.deepEqual(read(context, JSON.stringify(policy)), {
    rules: {
      policy: { ...defaultEgressPolicy, name: 'ours', allowHosts: ['*.example'] },
      quotas: { ...defaultEgressQuotas, bytesMax: 5 },
    },
  });
  assert.deepEqual(readEgressPolicy(''), { rules: { policy: defaultEgressPolicy, quotas: defaultEgressQuotas } });
});

test('all that is wrong with a file is told at once, and what is no file is no policy', (context) => {
  const wrong = {
    name: 'two words',
    allowHost: [],
    denyHosts: ['UPPER.example'],
    coolDown: { days: -1, exemptHosts: [], whenUnknown: 'allow' },
  };
  const problems = findPolicyProblems(wrong);
  for (const place of [/name/, /allowHost.*fields are .*allowHosts/, /denyHosts\/0/, /coolDown\/days/])
    assert.ok(
      problems.some((problem) => place.test(problem)),
      `${place}: ${problems.join('\n')}`,
    );
  for (const content of ['', '{', '[]', 'null', '{}']) {
    const outcome = read(context, content);
    assert.ok('problems' in outcome && outcome.problems.length > 0, content);
  }
  assert.ok('problems' in readEgressPolicy('/nonexistent/policy.json'));
});

test('contradictions that no schema sees are told too', () => {
  const problems = findPolicyProblems({
    name: 'x',
    deniedRanges: ['300.0.0.0/8', '10.0.0.0/33'],
    mirrors: [
      { host: 'a.example', url: 'https://10.0.0.1/x' },
      { host: 'a.example', url: 'https://m.example/x' },
    ],
    immutablePaths: [{ pattern: '(', isRelease: true }],
  });
  assert.equal(problems.length, 5, problems.join('\n'));
});

// biome-ignore format: a table is read by row
const shapes: readonly (readonly [string, boolean, boolean])[] = [
  ['/debian/pool/main/g/gcc-12/g++-12_12.2.0-14_amd64.deb',                      true,  true],
  [`/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/${'a'.repeat(64)}`,    true,  false],
  ['/debian/dists/trixie/InRelease',                                             false, false],
  ['/debian/dists/trixie/main/binary-amd64/Packages.xz',                         false, false],
  [`/packages/b7/ce/${'0'.repeat(60)}/six-1.17.0-py2.py3-none-any.whl`,          true,  true],
  [`/packages/b7/ce/${'0'.repeat(60)}/six-1.17.0-py2.py3-none-any.whl.metadata`, true,  false],
  ['/simple/six/',                                                               false, false],
  ['/is-odd/-/is-odd-3.0.1.tgz',                                                 true,  true],
  ['/@types/node/-/node-22.0.0.tgz',                                             true,  true],
  ['/is-odd/-/other-3.0.1.tgz',                                                  false, false],
  ['/is-odd',                                                                    false, false],
  ['/crates/itoa/itoa-1.0.11.crate',                                             true,  true],
  ['/crates/itoa/1.0.11/download',                                               true,  true],
  ['/it/oa/itoa',                                                                false, false],
  ['/github.com/google/uuid/@v/v1.6.0.zip',                                      true,  true],
  ['/github.com/google/uuid/@v/v1.6.0.info',                                     true,  true],
  ['/github.com/google/uuid/@v/master.info',                                     false, false],
  ['/github.com/google/uuid/@v/list',                                            false, false],
  ['/github.com/google/uuid/@latest',                                            false, false],
  ['/sumdb/sum.example/tile/8/0/x123/456',                                       true,  false],
  ['/sumdb/sum.example/tile/8/1/123.p/45',                                       false, false],
  ['/sumdb/sum.example/lookup/github.com/google/uuid@v1.6.0',                    false, false],
  ['/maven2/org/apache/commons/commons-lang3/3.14.0/commons-lang3-3.14.0.jar',   true,  true],
  ['/maven2/org/apache/commons/commons-lang3/3.14.0/commons-lang3-3.14.0.pom.sha1', true, true],
  ['/maven2/a/b/1.0-SNAPSHOT/b-1.0-SNAPSHOT.jar',                                false, false],
  ['/maven2/org/apache/commons/commons-lang3/maven-metadata.xml',                false, false],
  ['/pool/x.deb?version=2',                                                      false, false],
  ['/pool/../x.deb',                                                             false, false],
  ['/pool/%2e%2e/x.deb',                                                         false, false],
  ['/pool//x.deb',                                                               false, false],
  [`/pool/${'x'.repeat(1100)}.deb`,                                              false, false],
];

test('the default shapes know what never changes, and what of it is a release', () => {
  const known = createPathShapes(defaultImmutablePaths);
  for (const [target, isImmutable, isRelease] of shapes)
    assert.deepEqual([known.isImmutable(target), known.isRelease(target)], [isImmutable, isRelease], target);
});
