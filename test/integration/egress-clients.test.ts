/**
 * Owns the proof that real package clients work unmodified in a real build, through the real proxy, from real registries, each with nothing but
 * the settings that every build gets; and that a second build of the same packages gets them from the store.
 * Never names a registry: apt and pip use what they come with, the others the registry that this machine's npm is configured for.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { loadRoots } from '../../coordinator/egress/trust.ts';
import { digestOf } from '../../shared/digest.ts';
import { type ArtefactRecord, type EgressPolicy, toEgressRules } from '../../shared/model/egress.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { BuilderProcess, type BuildOutcome } from '../support/builder-process.ts';
import { makeRepository, serveGit } from '../support/git-origin.ts';
import { startOrigin } from '../support/local-origin.ts';

const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim().replace(/\/?$/, '/');
const variables = { REGISTRY: registry };
const builder = new BuilderProcess();
const folder = mkdtempSync(join(tmpdir(), 'egress-clients-'));
// Its bundle of roots is read by proxies, which are not root.
chmodSync(folder, 0o755);
const commit = makeRepository(folder);
/** An empty index of gems: a marshalled array without elements. */
const noGems = gzipSync(Buffer.from('\x04\b[\0', 'latin1'));
/** All that composer asks a repository for before it downloads anything. */
const packages = JSON.stringify({ packages: { 'acme/tool': { '1.2.3': { name: 'acme/tool', version: '1.2.3' } } } });
const origin = await startOrigin((request, response) => {
  if (request.url?.startsWith('/x.git') === true) return void serveGit(folder, request, response);
  if (request.url === '/packages.json') return void response.end(packages);
  response.end(request.url?.endsWith('specs.4.8.gz') === true ? noGems : 'a body');
});
/** Stands for registries that no machine of ours has: its own origin, as an operator's mirror of them. */
const mirror = `https://localhost:${origin.port}`;
const local = toEgressRules({
  name: 'own-origin',
  allowedPrivateRanges: ['127.0.0.1', '::1'],
  mirrors: ['git.example', 'gems.example', 'packages.example', 'secret.example'].map((host) => ({ host, url: mirror })),
});
let parents: LayerReference[] = [];

/** Every source by https, the tools that have no package of their own here, and npm as its registry gives it. */
const tools = `sed -i 's|http://|https://|g' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true
apt-get update
apt-get install -y --no-install-recommends python3-pip python3-venv python3-requests nodejs curl wget git openjdk-21-jre-headless maven ruby composer
curl -fsS "$REGISTRY"npm/-/npm-10.9.0.tgz | tar -xz -C /opt
printf '#!/bin/sh\\nexec node /opt/package/bin/npm-cli.js "$@"\\n' > /usr/local/bin/npm
printf '#!/bin/sh\\nexec node /opt/package/bin/npx-cli.js "$@"\\n' > /usr/local/bin/npx
chmod 755 /usr/local/bin/npm /usr/local/bin/npx`;

const artefactsOf = ({ finished }: BuildOutcome): ArtefactRecord[] =>
  finished.materials.filter((record): record is ArtefactRecord => record.kind === 'artefact');

before(
  async () => {
    // The origin's authority beside those of the machine.
    const roots = join(folder, 'roots.pem');
    writeFileSync(roots, `${[loadRoots(null)].flat().join('\n')}\n${origin.roots}`);
    await builder.start({ ENVICUTOR_BUILDER_CA_BUNDLE_PATH: roots });
    const base = await builder.build({ kind: 'base', base: 'debian-13' });
    assert.equal(base.finished.report.verdict, 'ok', base.log);
    parents = [await builder.publish(base.finished, 'base', [])];
    const setup = await builder.build({ kind: 'setup', parents, script: tools, variables });
    assert.equal(setup.finished.report.verdict, 'ok', setup.log);
    const archives = artefactsOf(setup).filter(({ url }) => url.endsWith('.deb'));
    assert.ok(archives.length > 0 && archives.every(({ url }) => url.startsWith('https:')), 'apt fetched by https');
    parents.push(await builder.publish(setup.finished, 'setup', parents));
  },
  { timeout: 420_000 },
);
after(async () => {
  await builder.stop();
  origin.stop();
  rmSync(folder, { recursive: true });
});

const packageFile = '{"name":"x","version":"1.0.0","dependencies":{"is-odd":"3.0.1"}}';
const connection = `class A { public static void main(String[] a) throws Exception {
  new java.net.URL(System.getenv("REGISTRY") + "is-odd").openStream().readAllBytes(); } }`;
const httpClient = `import java.net.*; import java.net.http.*; class A { public static void main(String[] a) throws Exception {
  var request = HttpRequest.newBuilder(URI.create(System.getenv("REGISTRY") + "is-odd")).build();
  HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()); } }`;
/** A project whose parent is fetched, and whose phase needs no plugin. */
const project = `<project><modelVersion>4.0.0</modelVersion><artifactId>a</artifactId><packaging>pom</packaging>
  <parent><groupId>org.apache</groupId><artifactId>apache</artifactId><version>31</version></parent></project>`;
// biome-ignore format: a table is read by row
const clients: readonly (readonly [name: string, script: string, fetched: RegExp])[] = [
  ["Debian's pip",                   'pip install six==1.16.0 && python3 -c "import six"',                                      /six-1\.16\.0.*\.whl$/],
  ['pip in a venv',                  'python3 -m venv v && v/bin/pip install six==1.15.0 && v/bin/python -c "import six"',      /six-1\.15\.0.*\.whl$/],
  ['uv',                             'pip install uv && python3 -m venv v && VIRTUAL_ENV=$PWD/v uv pip install six==1.16.0',    /six-1\.16\.0.*\.whl$/],
  ['urllib',                         'python3 -c "import os, urllib.request as r; r.urlopen(os.environ[\'REGISTRY\'] + \'is-odd\').read()"', /\/is-odd$/],
  ['requests',                       'python3 -c "import os, requests as r; r.get(os.environ[\'REGISTRY\'] + \'is-odd\').raise_for_status()"', /\/is-odd$/],
  ['npm install, then npm ci by its lock file', `echo '${packageFile}' > package.json && npm install && rm -r node_modules && npm ci && node -e 'require("is-odd")'`, /\/is-odd-3\.0\.1\.tgz$/],
  ['npm install -g',                 'npm install -g is-number@7.0.0',                                                         /\/is-number-7\.0\.0\.tgz$/],
  ['npx',                            'npx --yes semver@7.6.0 1.2.3',                                                           /\/semver-7\.6\.0\.tgz$/],
  ['npm with a cafile in an npmrc',  'echo cafile=/etc/ssl/none.crt > ~/.npmrc && npm install is-number@7.0.0',                /\/is-number-7\.0\.0\.tgz$/],
  ["Node's fetch",                   'node -e \'fetch(process.env.REGISTRY + "is-odd").then((a) => a.text())\'',               /\/is-odd$/],
  ["Node's https.get",               'node -e \'require("https").get(process.env.REGISTRY + "is-odd", (a) => a.resume())\'',   /\/is-odd$/],
  ['curl',                           'curl -fsS -o x "$REGISTRY"is-odd',                                                       /\/is-odd$/],
  ['pnpm',                           'npx --yes pnpm@9.15.0 add --store-dir /tmp/pnpm is-number@7.0.0',                        /\/is-number-7\.0\.0\.tgz$/],
  ['yarn',                           'npx --yes yarn@1.22.22 --registry "$REGISTRY" --cache-folder /tmp/yarn add is-number@7.0.0', /\/is-number-7\.0\.0\.tgz$/],
  ["Java's HttpsURLConnection",      `echo '${connection}' > A.java && java A.java`,                                            /\/is-odd$/],
  ["Java's HttpClient",              `echo '${httpClient}' > A.java && java A.java`,                                            /\/is-odd$/],
  ['Maven',                          `echo '${project}' > pom.xml && mvn -B validate`,                                         /\/apache-31\.pom$/],
  ['wget',                           'wget -q -O x "$REGISTRY"is-odd',                                                         /\/is-odd$/],
];

for (const [name, script, fetched] of clients)
  test(`${name} works with the settings of a build alone`, { timeout: 60_000 }, async () => {
    const outcome = await builder.build({ kind: 'dependencies', parents, script, variables });
    assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
    const bodies = artefactsOf(outcome).filter(({ url, httpCode }) => fetched.test(url) && httpCode === 200);
    assert.ok(bodies.length > 0 && bodies.every(({ isComplete }) => isComplete), JSON.stringify(artefactsOf(outcome)));
    assert.equal(outcome.finished.isPrivate, false);
  });

test('git is answered inside TLS by whatever stands there, and says so', { timeout: 60_000 }, async () => {
  const { finished, log } = await builder.build({
    kind: 'dependencies',
    parents,
    script: 'git ls-remote "$REGISTRY"no-such-repository.git',
    variables,
  });
  assert.equal(finished.report.verdict, 'nonzero-exit');
  assert.doesNotMatch(log, /certificate|resolve host/i);
});

test('git clones by smart HTTP in a real build, and its commit is recorded; a push is refused with a sentence that reaches the log', {
  timeout: 60_000,
}, async () => {
  const script = `git clone -q --depth 1 https://git.example/x.git && test "$(git -C x rev-parse HEAD)" = ${commit}
    ! git -C x push https://git.example/x.git HEAD:other`;
  const outcome = await builder.build({ kind: 'dependencies', parents, script, egress: local });
  assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
  assert.match(outcome.log, /a build may fetch by git, not push/);
  const packs = artefactsOf(outcome).filter(({ url, method }) => url.endsWith('/git-upload-pack') && method === 'POST');
  assert.ok(packs.length > 0 && packs.every((pack) => pack.httpCode === 200 && pack.mirror === mirror));
  assert.deepEqual(new Set(packs.flatMap(({ commits }) => commits)), new Set([commit]));
});

test('gem reads an index with the settings of a build alone', { timeout: 60_000 }, async () => {
  const script = 'gem list --remote --all --clear-sources --source https://gems.example/';
  const outcome = await builder.build({ kind: 'dependencies', parents, script, egress: local });
  assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
  const [index] = artefactsOf(outcome).filter(({ url }) => url.endsWith('specs.4.8.gz'));
  assert.deepEqual([index?.httpCode, index?.url.startsWith('https://gems.example/')], [200, true]);
});

test('composer reads a repository with the settings of a build alone', { timeout: 60_000 }, async () => {
  const project = { repositories: [{ type: 'composer', url: 'https://packages.example' }, { packagist: false }] };
  const outcome = await builder.build({
    kind: 'dependencies',
    parents,
    files: [{ path: 'composer.json', content: JSON.stringify(project) }],
    script: 'COMPOSER_ALLOW_SUPERUSER=1 composer --no-interaction show --all acme/tool',
    egress: local,
  });
  assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
  assert.match(outcome.log, /1\.2\.3/);
  const [index] = artefactsOf(outcome);
  assert.deepEqual([index?.httpCode, index?.url], [200, 'https://packages.example/packages.json']);
});

test('a build that used credentials becomes private: its bytes are those of no other tenant, and not what they were without', {
  timeout: 60_000,
}, async () => {
  const build = async (options: string, mark: string) => {
    const script = `curl -fsS ${options} -o file https://secret.example/file`;
    const outcome = await builder.build({ kind: 'dependencies', parents, script, egress: local, mark });
    assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
    return [outcome.finished.isPrivate, outcome.finished.layer?.tar.digest] as const;
  };
  const [one, other] = [digestOf('one tenant'), digestOf('another')];
  const open = [await build('', one), await build('', other)];
  const secret = [await build('-u a:b', one), await build('-u a:b', other)];
  assert.deepEqual(
    [...open, ...secret].map(([isPrivate]) => isPrivate),
    [false, false, true, true],
  );
  assert.equal(open[0]?.[1], open[1]?.[1], 'whoever builds what is not private gets the same bytes');
  assert.equal(new Set([...open, ...secret].map(([, digest]) => digest)).size, 3);
});

test('a second build of the same packages by apt, pip and npm gets them from the store, one without the store does not', {
  timeout: 120_000,
}, async () => {
  const script = `apt-get update && apt-get install -y --no-install-recommends make
    pip install six==1.17.0 && npm install is-odd@3.0.1`;
  const order = { kind: 'dependencies', parents, script, variables } as const;
  const isArtefact = ({ url }: ArtefactRecord): boolean => /\.(deb|whl|tgz)$/.test(url);
  const first = await builder.build(order);
  const [second, without] = [await builder.build(order), await builder.build({ ...order, isStoreUsed: false })];
  for (const outcome of [first, second, without]) assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
  const bodies = artefactsOf(second).filter(isArtefact);
  assert.ok(bodies.length >= 3);
  assert.deepEqual(new Set(bodies.map(({ source }) => source)), new Set(['stored']));
  assert.deepEqual(new Set(artefactsOf(without).map(({ source }) => source)), new Set(['upstream']));
  const digests = (outcome: BuildOutcome) =>
    artefactsOf(outcome)
      .flatMap((record) => (isArtefact(record) ? [`${record.url} ${record.sha256}`] : []))
      .sort();
  assert.deepEqual(digests(second), digests(first));
});

test('a cool-down that nothing has reached yet refuses each release with a sentence that its client shows', {
  timeout: 60_000,
}, async () => {
  const coolDown: EgressPolicy['coolDown'] = { days: 3650, exemptHosts: [], whenUnknown: 'refuse' };
  const { finished, log } = await builder.build({
    kind: 'dependencies',
    parents,
    script: 'pip install uv || npm install semver@7.6.0 || true',
    variables,
    egress: toEgressRules({ name: 'careful', coolDown }),
  });
  assert.match(log, /the operator's policy careful asks for 3650 days/);
  const refused = finished.materials.flatMap((record) => (record.kind === 'refusal' ? [record.code] : []));
  assert.ok(refused.length >= 2 && refused.every((code) => code === 'too-young'), JSON.stringify(finished.materials));
});
