/**
 * Owns the proof that two builds from the same materials are byte-identical, through real registries: what apt, pip, npm, go and cargo leave, and
 * packages that invent keys, identities and dates. Each pair is built at the same time, so that both meet the same registry.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BuildOrder } from '../../shared/model/build.ts';
import type { LayerReference } from '../../shared/model/manifest.ts';
import { BuilderProcess } from '../support/builder-process.ts';
import { differencesOf } from '../support/layer-differences.ts';

const builder = new BuilderProcess();
let base: LayerReference;

before(async () => {
  await builder.start();
  const { finished, log } = await builder.build({ kind: 'base', base: 'debian-13' });
  assert.equal(finished.report.verdict, 'ok', log);
  base = await builder.publish(finished, 'base', []);
});
after(() => builder.stop());

const install = (...packages: readonly string[]) =>
  `apt-get update\napt-get install -y --no-install-recommends ${packages.join(' ')}`;

/** Builds on these layers twice at once; both are staged. */
async function buildTwice(script: string, parents: readonly LayerReference[] = [base]) {
  const order: Partial<BuildOrder> = { kind: 'setup', base: 'debian-13', parents: [...parents], script };
  const outcomes = await Promise.all([builder.build(order), builder.build(order)]);
  const [first, second] = outcomes.map(({ finished, log }) => {
    assert.ok(finished.layer !== null, log);
    return { finished, layer: finished.layer };
  });
  assert.ok(first !== undefined && second !== undefined);
  assert.notEqual(first.layer.buildId, second.layer.buildId);
  return { first, second };
}

async function assertReproducible(script: string, parents?: readonly LayerReference[]): Promise<LayerReference> {
  const { first, second } = await buildTwice(script, parents);
  if (first.layer.tar.digest !== second.layer.tar.digest) {
    const [one, two] = [first, second].map(({ layer }) => join(builder.staging, layer.buildId, 'layer.tar.zst'));
    assert.deepEqual(differencesOf(one ?? '', two ?? ''), []);
  }
  assert.deepEqual(first.layer.tar, second.layer.tar);
  return await builder.publish(first.finished, 'setup', parents ?? [base]);
}

test('a base is the same bytes twice', async () => {
  const order: Partial<BuildOrder> = { kind: 'base', base: 'debian-13' };
  const outcomes = await Promise.all([builder.build(order), builder.build(order)]);
  const [first, second] = outcomes.map(({ finished, log }) => {
    assert.ok(finished.layer !== null, log);
    return finished.layer;
  });
  const [one, two] = [first, second].map((layer) => join(builder.staging, layer?.buildId ?? '', 'layer.tar.zst'));
  assert.deepEqual(differencesOf(one ?? '', two ?? ''), []);
  assert.deepEqual(first?.tar, second?.tar);
});

test('a compiler installed by apt is the same bytes twice', async () => {
  await assertReproducible(install('g++', 'make'));
});

test('packages that make users, keys, identities and bundles are the same bytes twice', async () => {
  const packages = ['openssh-server', 'dbus', 'ca-certificates', 'git', 'man-db', 'fontconfig'];
  const users = 'useradd -m somebody\necho "somebody:!" | env -u SOURCE_DATE_EPOCH chpasswd -e';
  await assertReproducible(
    `${install(...packages)}\nsystemd-machine-id-setup || dbus-uuidgen --ensure=/etc/machine-id\n${users}`,
  );
});

test('a Java runtime with its trusted certificates is the same bytes twice', async () => {
  await assertReproducible(install('default-jre-headless', 'ca-certificates-java'));
});

test("what pip leaves in Debian's Python and in a virtual environment is the same bytes twice", async () => {
  const python = await assertReproducible(install('python3', 'python3-pip', 'python3-venv'));
  const script = 'pip install requests\npython3 -m venv venv\nvenv/bin/pip install flask numpy';
  await assertReproducible(script, [base, python]);
});

test('what npm leaves is the same bytes twice', async () => {
  const npm = await assertReproducible(install('nodejs', 'npm'));
  await assertReproducible('npm install express lodash typescript\nnode -e "require(\'express\')"', [base, npm]);
});

test('a Go module that was fetched and compiled is the same bytes twice', async () => {
  const go = await assertReproducible(install('golang-go', 'ca-certificates'));
  const script = 'go mod init example\ngo get github.com/google/uuid@v1.6.0\ngo build github.com/google/uuid';
  await assertReproducible(script, [base, go]);
});

test('a Rust crate that was fetched and compiled is the same bytes twice', async () => {
  const rust = await assertReproducible(install('cargo'));
  const script = 'cargo init --name example .\ncargo add itoa@=1.0.11\ncargo build --release';
  await assertReproducible(script, [base, rust]);
});
