/**
 * Owns the proof of what an agent says about its layers: damage is never lost, progress is not told too often, a prefetch ends once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LayerNews } from '../../agent/layers/layer-news.ts';
import { type Digest, digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import type { DamageListener } from '../../shared/layers/layer-scrub.ts';
import type { FetchListener } from '../../shared/layers/layer-source.ts';
import { silentLogger } from '../../shared/logger.ts';
import type { AgentMessage } from '../../shared/protocol/agent-messages.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const [one, two] = [digestOf('one'), digestOf('two')];

function setUp() {
  const clock = new VirtualClock();
  const said: AgentMessage[] = [];
  const stage = { isConnected: true, failure: null as SystemError | null, used: [] as Digest[], bytes: [[0, 0]] };
  let damage: DamageListener = () => undefined;
  const layers = {
    watch: (listener: DamageListener) => {
      damage = listener;
    },
    takeUsed: () => stage.used.splice(0),
    prefetch: async (_: unknown, listener?: FetchListener) => {
      for (const [bytes = 0, total = 0] of stage.bytes) {
        listener?.(bytes, total);
        clock.pass(100);
      }
      if (stage.failure !== null) throw stage.failure;
    },
  };
  const news = new LayerNews({ layers, clock, logger: silentLogger }, (message) => {
    if (stage.isConnected) said.push(message);
    return stage.isConnected;
  });
  return { news, said, stage, damage: (digest: Digest) => damage(digest, 'a bit') };
}

test('damage that is found while nobody listens is told after the next welcome, once and in order', () => {
  const { news, said, stage, damage } = setUp();
  stage.isConnected = false;
  damage(one);
  damage(two);
  assert.deepEqual(said, []);
  stage.isConnected = true;
  news.welcomed();
  news.welcomed();
  assert.deepEqual(said, [
    { type: 'layer.damaged', digest: one, detail: 'a bit' },
    { type: 'layer.damaged', digest: two, detail: 'a bit' },
  ]);
});

test('uses are told with the next report and not again', () => {
  const { news, stage } = setUp();
  stage.used.push(one);
  assert.deepEqual(news.used(), { layersUsed: [one] });
  assert.deepEqual(news.used(), {});
});

test('a prefetch tells how far it is a few times a second, and its end always', async () => {
  const { news, said, stage } = setUp();
  stage.bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((bytes) => [bytes, 10]);
  await news.prefetch({ type: 'layers.prefetch', prefetch: 'p', layers: [] });
  assert.deepEqual(
    said.map((message) => message.type === 'layers.progress' && [message.bytes, message.isDone]),
    [
      [1, false],
      [4, false],
      [7, false],
      [10, false],
      [10, true],
    ],
  );
});

test('a prefetch that fails says why', async () => {
  const { news, said, stage } = setUp();
  stage.bytes = [];
  stage.failure = new SystemError('layer-untrusted', 'signed by nobody');
  await news.prefetch({ type: 'layers.prefetch', prefetch: 'p', layers: [] });
  const failure = { code: 'layer-untrusted', detail: 'signed by nobody' };
  assert.deepEqual(said, [{ type: 'layers.progress', prefetch: 'p', bytes: 0, bytesTotal: 0, isDone: true, failure }]);
});
