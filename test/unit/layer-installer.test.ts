/**
 * Owns the proof that the form of layers is found by trying: an image where it can be mounted, a tree from the first refusal on.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { systemRandom } from '../../shared/clock.ts';
import { SystemError } from '../../shared/errors.ts';
import { LayerInstaller } from '../../shared/layers/layer-installer.ts';
import { layerName } from '../../shared/layers/layer-manifest.ts';
import { silentLogger } from '../../shared/logger.ts';
import { FakeLayerStore } from '../support/fake-layer-store.ts';
import { createTestKey, createTestLayer } from '../support/signed-layers.ts';

const { signing } = createTestKey();
const [one, two] = ['one', 'two'].map((name) => createTestLayer(signing, name));
assert.ok(one !== undefined && two !== undefined);
const toBlob = ({ blob }: { blob: Buffer }) => ({ read: () => Readable.from([blob]) });
const createInstaller = (sandbox: FakeLayerStore) =>
  new LayerInstaller({ sandbox, random: systemRandom, logger: silentLogger });

test('a layer is an image, and weighs its tar and the index', async () => {
  const sandbox = new FakeLayerStore();
  const installed = await createInstaller(sandbox).install(toBlob(one), one.manifest);
  assert.equal(installed.form, 'image');
  assert.equal(installed.name, layerName(one.manifest.tar.digest));
  assert.ok(installed.bytes > one.tar.length);
  assert.deepEqual([...sandbox.layers], [installed.name]);
});

test('a machine that can not mount images is asked once, and keeps trees', async () => {
  const sandbox = new FakeLayerStore();
  sandbox.canMount = false;
  const installer = createInstaller(sandbox);
  const first = await installer.install(toBlob(one), one.manifest);
  assert.deepEqual([first.form, first.bytes], ['tree', one.tar.length]);
  const before = sandbox.commands.length;
  const second = await installer.install(toBlob(two), two.manifest, 'other');
  assert.deepEqual([second.form, second.name], ['tree', 'other']);
  assert.deepEqual(sandbox.commands.slice(before), ['create', 'commit other']);
  assert.deepEqual([...sandbox.layers].sort(), [first.name, 'other'].sort());
});

test('what is there already stays, and another tar than the signed one leaves nothing', async () => {
  const sandbox = new FakeLayerStore();
  const installer = createInstaller(sandbox);
  await installer.install(toBlob(one), one.manifest);
  await installer.install(toBlob(one), one.manifest);
  const isCorrupt = (error: unknown) => error instanceof SystemError && error.code === 'layer-corrupt';
  await assert.rejects(installer.install(toBlob(two), one.manifest, 'wrong'), isCorrupt);
  assert.deepEqual([...sandbox.layers], [layerName(one.manifest.tar.digest)]);
});
