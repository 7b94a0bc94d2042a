/**
 * Owns the proof that real package clients work unmodified in a real build, through the real proxy, from real registries, each with nothing but
 * the settings that every build gets; and that a second build of the same packages gets them from the store.
 * Never names a registry: apt and pip use what they come with, the others the registry that this machine's npm is configured for.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { loadRoots } from '../../coordinator/egress/trust.ts';
import { type ArtefactRecord, type EgressPolicy, toEgressRules } from '../../shared/model/egress.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { BuilderProcess, type BuildOutcome } from '../support/builder-process.ts';
import { temporaryFolder } from '../support/captured.ts';
import { makeRepository, serveGit } from '../support/git-origin.ts';
import { startOrigin } from '../support/local-origin.ts';

const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim().replace(/\/?$/, '/');
const variables = { REGISTRY: registry };
const builder = new BuilderProcess();
const repositories = temporaryFolder({ after });
const commit = makeRepository(repositories, 'x.git');
let parents: LayerReference[] = [];

/** Every source by https, the tools that have no package of their own here, and npm as its registry gives it. */
const tools = `sed -i 's|http://|https://|g' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true
apt-get update
apt-get install -y --no-install-recommends python3-pip python3-venv python3-requests nodejs curl wget git openjdk-21-jdk-headless ruby composer
curl -fsS "$REGISTRY"npm/-/npm-10.9.0.tgz | tar -xz -C /opt
printf '#!/bin/sh\\nexec node /opt/package/bin/npm-cli.js "$@"\\n' > /usr/local/bin/npm
printf '#!/bin/sh\\nexec node /opt/package/bin/npx-cli.js "$@"\\n' > /usr/local/bin/npx
chmod 755 /usr/local/bin/npm /usr/local/bin/npx
cat > /tmp/Fetch.java <<'END'
import java.net.URI;
import java.net.http.*;
import javax.net.ssl.HttpsURLConnection;
class Fetch {
  public static void main(String[] words) throws Exception {
    var url = URI.create(words[1]);
    if (words[0].equals("HttpClient"))
      HttpClient.newHttpClient().send(HttpRequest.newBuilder(url).build(), HttpResponse.BodyHandlers.ofByteArray());
    else
      ((HttpsURLConnection) url.toURL().openConnection()).getInputStream().readAllBytes();
  }
}
END
javac -d /opt/java /tmp/Fetch.java`;

const artefactsOf = ({ finished }: BuildOutcome): ArtefactRecord[] =>
  finished.materials.filter((record): record is ArtefactRecord => record.kind === 'artefact');

/** What stands in for the registries of clients that have none here, and for a git server; found by a mirror, since builds reach no address of ours. */
const answers: Readonly<Record<string, () => Buffer>> = {
  // No gems: an empty array in Ruby's own encoding.
  '/latest_specs.4.8.gz': () => gzipSync(Buffer.from([4, 8, 0x5b, 0])),
  '/packages.json': () =>
    Buffer.from(JSON.stringify({ packages: { 'acme/tool': { '1.2.3': { name: 'acme/tool', version: '1.2.3' } } } })),
};
const git = serveGit(repositories);
const own = await startOrigin((request, response) => {
  const path = request.url ?? '';
  const answer = answers[path];
  if (path.startsWith('/x.git/')) git(request, response);
  else if (answer !== undefined) response.end(answer());
  else response.writeHead(404).end();
});
const mirrors = ['git.example', 'packages.example'].map((host) => ({ host, url: `https://localhost:${own.port}` }));
const egress = toEgressRules({ name: 'own', mirrors, allowedPrivateRanges: ['127.0.0.1', '::1'] });

/** The builder, with the system's roots and those of our origin. */
async function startBuilder(): Promise<void> {
  // Readable by the proxy, which is another user.
  const caBundlePath = join(builder.folder, 'roots.pem');
  writeFileSync(caBundlePath, [loadRoots(null), own.roots].flat().join('\n'), { mode: 0o644 });
  await builder.start({ ENVICUTOR_BUILDER_CA_BUNDLE_PATH: caBundlePath });
}

before(
  async () => {
    await startBuilder();
    const base = await builder.build({ kind: 'base', base: 'debian-13' });
    assert.equal(base.finished.report.verdict, 'ok', base.log);
    parents = [await builder.publish(base.finished, 'base', [])];
    const setup = await builder.build({ kind: 'setup', parents, script: tools, variables });
    assert.equal(setup.finished.report.verdict, 'ok', setup.log);
    const archives = artefactsOf(setup).filter(({ url }) => url.endsWith('.deb'));
    assert.ok(archives.length > 0 && archives.every(({ url }) => url.startsWith('https:')), 'apt fetched by https');
    parents.push(await builder.publish(setup.finished, 'setup', parents));
  },
  { timeout: 240_000 },
);
after(async () => {
  await builder.stop();
  own.stop();
});

const packageFile = '{"name":"x","version":"1.0.0","dependencies":{"is-odd":"3.0.1"}}';
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
  ["JDK's HttpClient",               'java -cp /opt/java Fetch HttpClient "$REGISTRY"is-odd',                                  /\/is-odd$/],
  ["JDK's HttpsURLConnection",       'java -cp /opt/java Fetch HttpsURLConnection "$REGISTRY"is-odd',                          /\/is-odd$/],
  ['gem',                            'gem list --remote --clear-sources --source https://packages.example/',                   /specs\.4\.8\.gz$/],
  ['composer',                       `echo '{"repositories":[{"type":"composer","url":"https://packages.example"},{"packagist.org":false}]}' > composer.json && COMPOSER_ALLOW_SUPERUSER=1 composer -n show --all acme/tool`, /\/packages\.json$/],
  ['wget',                           'wget -q -O x "$REGISTRY"is-odd',                                                         /\/is-odd$/],
];

for (const [name, script, fetched] of clients)
  test(`${name} works with the settings of a build alone`, { timeout: 60_000 }, async () => {
    const outcome = await builder.build({ kind: 'dependencies', parents, script, variables, egress });
    assert.equal(outcome.finished.report.verdict, 'ok', outcome.log);
    const bodies = artefactsOf(outcome).filter(({ url, httpCode }) => fetched.test(url) && httpCode === 200);
    assert.ok(bodies.length > 0 && bodies.every(({ isComplete }) => isComplete), JSON.stringify(artefactsOf(outcome)));
    assert.equal(outcome.finished.isPrivate, false);
  });

test('git clones over https in a build, its commit is recorded, and the layer holds the clone', {
  timeout: 60_000,
}, async () => {
  const outcome = await builder.build({
    kind: 'dependencies',
    parents,
    script: 'git clone -q https://git.example/x.git clone',
    verify: `test "$(cat /environment/clone/.git/refs/heads/main)" = ${commit}`,
    egress,
  });
  const { finished, log } = outcome;
  assert.deepEqual([finished.report.verdict, finished.verify?.verdict], ['ok', 'ok'], log);
  const fetches = artefactsOf(outcome).filter(({ method }) => method === 'POST');
  assert.ok(fetches.length > 0 && fetches.every(({ url }) => url === 'https://git.example/x.git/git-upload-pack'));
  assert.deepEqual(new Set(fetches.flatMap(({ commits }) => commits)), new Set([commit]));
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
