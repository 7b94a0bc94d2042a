/**
 * Owns the proof of what a build's proxy is told by the builder's settings and the order, and that nothing of it that is secret is given to the sandbox.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { createBuildNetwork } from '../../coordinator/builder/build-network.ts';
import { EgressConfig, toEgressRules } from '../../shared/model/egress.ts';
import { buildOrder } from '../support/build-orders.ts';

const upstreamProxy = 'http://name:hunter22@proxy.example:3128';
const access = { directory: '/artefacts', key: 'a'.repeat(64), tenantId: 'local', bodyBytesMax: 1, roomBytes: 1 };
const egress = toEgressRules({ name: 'campus', denyHosts: ['*.tracker.example'], quotas: { hostsMax: 3 } });

function networkOf(settings: { upstreamProxy: string; caBundlePath: string }) {
  const network = createBuildNetwork(settings, buildOrder({ egress }), access);
  const config: unknown = JSON.parse(Buffer.from(network.egress).toString());
  assert.ok(Value.Check(EgressConfig, config), 'it is what the proxy reads');
  return { network, config };
}

test("a build's proxy goes by the operator's own proxy and roots, under the order's rules", () => {
  const { config } = networkOf({ upstreamProxy, caBundlePath: '/etc/roots.pem' });
  assert.deepEqual(
    [config.upstreamProxy, config.caBundlePath, config.store],
    [upstreamProxy, '/etc/roots.pem', access],
  );
  assert.deepEqual({ policy: config.policy, quotas: config.quotas }, egress);
  const without = networkOf({ upstreamProxy: '', caBundlePath: '' }).config;
  assert.deepEqual([without.upstreamProxy, without.caBundlePath], [null, null]);
});

test("the keys of authority and store and the operator's password are nowhere in what the sandbox gets", () => {
  const { network, config } = networkOf({ upstreamProxy, caBundlePath: '' });
  const key = config.authority.keyPem.split('\n')[1] ?? '';
  const given = [...network.systemFiles.map(({ content }) => Buffer.from(content).toString('latin1'))];
  given.push(JSON.stringify(network.variables));
  assert.ok(key.length > 20 && given.some((text) => text.includes(config.authority.certificatePem)));
  for (const secret of [key, access.key, 'hunter22']) assert.ok(given.every((text) => !text.includes(secret)));
});
