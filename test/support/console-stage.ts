/**
 * Owns the instance that the console's tests look at: a coordinator with keys, scripted agents of which one has a hostile name, executions of several
 * outcomes, an environment whose build says hostile things and is held. Never needs root: nothing is sandboxed.
 */
import { createHash } from 'node:crypto';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestOf } from '../../shared/digest.ts';
import { provenanceKey } from '../../shared/layers/layer-manifest.ts';
import { describeBytes } from '../../shared/storage/object-store.ts';
import { startCoordinator } from './coordinator-fixture.ts';
import { builds } from './fake-build-services.ts';
import { makeReport, makeResult } from './lease-results.ts';
import type { AgentScript } from './scripted-agent.ts';
import { makeCertificate } from './timing-facts.ts';

export const operatorKey = 'the-operators-key';
export const tenantKey = 'the-key-of-one';
/** What would be an element, and would say so, if it became markup. */
export const hostile = `<img src=x onerror="document.title='markup'">`;

const timing = {
  ...{ fetchMs: 12, prepareMs: 9, executeMs: 240, collectMs: 4 },
  ...{ takeMs: 2, mountMs: 4, execMs: 2.5, agentMs: 1.5 },
};
const usage = { ...makeReport().usage, cpuTimeMs: 210, wallTimeMs: 240, memoryPeakBytes: 40 * 1024 * 1024 };

/** A tenant of a tenants file. */
export const listed = (id: string, key: string, isOperator: boolean) => ({
  ...{ id, isOperator },
  keys: [{ name: id, sha256: createHash('sha256').update(key).digest('hex') }],
});

/** An agent that ends every program in the way that its script's last word says. */
export function makeAgent(changes: AgentScript = {}): AgentScript {
  return {
    offered: ({ lease, fence, order }, agent) => {
      const isHeld = order.run.script.includes('hold');
      if (isHeld) return;
      const verdict = order.run.script.includes('fail') ? 'nonzero-exit' : 'ok';
      const run = makeReport({ verdict, exitCode: verdict === 'ok' ? 0 : 1, usage, stdout: 'what nobody else sees\n' });
      agent.say({
        type: 'lease.completed',
        lease,
        fence,
        result: makeResult({ verdict, run, timing, certificate: makeCertificate(verdict === 'ok') }),
      });
    },
    ...changes,
  };
}

/** See the head of this file; everything ends with the test. */
export async function setConsoleStage(test: Parameters<typeof startCoordinator>[0]) {
  const tenants = [
    listed('operator', operatorKey, true),
    { ...listed('one', tenantKey, false), weight: 3 },
    listed('two', 'the-key-of-two', false),
  ];
  // A scripted agent reports when it is told to; a browser on a machine that is busy takes longer than three intervals.
  const coordinator = await startCoordinator(test, { reportIntervalMs: 600_000 }, createKeyRing({ tenants }));
  const as = (key: string) => ({ authorization: `Bearer ${key}` });
  const held = Promise.withResolvers<void>();
  coordinator.services.script = async function* (order) {
    if (JSON.stringify(order).includes('say something')) {
      const said = `\u001b[31m${hostile}\u001b[0m\r\nprogress 1\rprogress 2\n`;
      yield { type: 'log', stream: 'stdout', text: said };
      await held.promise;
    }
    yield* builds(order);
  };
  const agent = await coordinator.join(makeAgent({ name: hostile, slots: 4 }));
  const other = await coordinator.join(makeAgent({ name: 'beta', slots: 2, pool: 'lab' }));
  const execute = async (script: string, key = tenantKey) => {
    const body = { environment: { base: 'debian-13' }, run: { script } };
    const answer = await coordinator.ask('POST', '/v1/executions?wait=20', body, as(key));
    return (await answer.json()) as { id: string };
  };
  const build = async () => {
    const body = { base: 'debian-13', setup: 'echo say something' };
    const answer = await coordinator.ask('POST', '/v1/environments', body, as(tenantKey));
    return (await answer.json()) as { id: string };
  };
  /** A key of the operator's tenant without the scope for it. */
  const narrowKey = async (): Promise<string> => {
    const asked = { name: 'narrow', scopes: ['execute'] };
    const answer = await coordinator.ask('POST', '/v1/tenants/operator/keys', asked, as(operatorKey));
    return (await answer.json()).key;
  };
  /** A statement of provenance; its digest. */
  const state = async (): Promise<string> => {
    const material = { uri: `http://origin.test/${hostile}`, digest: { sha256: 'ab'.repeat(32) } };
    const buildDefinition = {
      externalParameters: { setup: 'echo say something' },
      internalParameters: { key: 'a key', specDigest: 'sha256:…', areMaterialsComplete: true },
      resolvedDependencies: [{ ...material, annotations: { method: 'GET', bytes: 5_000, source: 'upstream' } }],
    };
    const predicate = { buildDefinition, runDetails: { metadata: { finishedOn: '2026-01-01T00:00:00.000Z' } } };
    const payload = Buffer.from(JSON.stringify({ predicate })).toString('base64');
    const signatures = [{ keyid: 'the signing key', sig: 'AAAA' }];
    const bytes = Buffer.from(JSON.stringify({ payloadType: 'application/vnd.in-toto+json', payload, signatures }));
    const digest = digestOf('a statement');
    await coordinator.store.put(provenanceKey(digest), bytes, describeBytes(bytes));
    return digest;
  };
  return { coordinator, agent, other, execute, build, letGo: () => held.resolve(), narrowKey, state };
}
