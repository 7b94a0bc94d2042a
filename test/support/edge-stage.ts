/**
 * A real agent process that serves its own site, on the stage of test/support/agent-stage, with tenants, keys and a cable that can be cut.
 * Never needs a registry. Everything ends with the test.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import { digestHex, digestOf } from '../../shared/digest.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { setStage } from './agent-stage.ts';
import { type Answer, ApiClient, type Problem } from './api-client.ts';
import { CuttableRelay } from './cuttable-relay.ts';

const digestOfKey = (name: string) => digestHex(digestOf(`key-${name}`));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Tenants `site`, for which the agent may record, and `other`, for which it may not; each has a key here and there, `key-<tenant>`. */
export async function setEdgeStage(context: TestContext, slots = '2') {
  const edgeAgents: string[] = [];
  const tenant = (id: string, more = {}) => ({ id, keys: [{ name: 'first', sha256: digestOfKey(id) }], ...more });
  const keys = createKeyRing({ tenants: [tenant('site', { edgeAgents }), tenant('other', { isOperator: true })] });
  const times = { leaseTtlMs: 1000, reportIntervalMs: 200, reconnectGraceMs: 200 };
  const stage = await setStage(context, null, times, keys);
  const relay = await CuttableRelay.open(Number(new URL(stage.coordinator.url).port));
  context.after(() => relay.close());
  const port = await freePort();
  const keysFile = join(stage.folder, 'keys.json');
  const edgeKeys = [
    { name: 'site', sha256: digestOfKey('site'), tenant: 'site' },
    { name: 'small', sha256: digestOfKey('small'), tenant: 'site', limits: { cpuTimeMs: 500 } },
    { name: 'other', sha256: digestOfKey('other'), tenant: 'other' },
  ];
  await writeFile(keysFile, JSON.stringify({ keys: edgeKeys }));
  const variables = {
    ...{ COORDINATOR_URL: `ws://127.0.0.1:${relay.port}/agents`, HEARTBEAT_MS: '200', REDIAL_MAX_MS: '200' },
    ...{ EDGE_LISTEN_PORT: String(port), EDGE_KEYS_FILE: keysFile, SLOTS: slots },
  };
  const url = `http://127.0.0.1:${port}`;
  const edge = (name = 'site') => new ApiClient(url, `key-${name}`);
  const there = (name = 'site') => new ApiClient(stage.coordinator.url, `key-${name}`);
  return {
    ...stage,
    ...{ relay, url, edge, there, variables },
    /** Starts the agent; from then on it may record for `site`. */
    async start() {
      const agent = await stage.startAgent(variables);
      if (edgeAgents.length === 0) edgeAgents.push(...(await agentIds(there('other'))));
      return agent;
    },
    /** The same again after its end, whether its coordinator is there or not. */
    async startAlone() {
      return await stage.startAgent(variables, ({ msg }) => msg === 'local API ready');
    },
  };
}

async function agentIds(operator: ApiClient): Promise<string[]> {
  const { body } = await operator.get<{ items: { id: string }[] }>('/v1/agents');
  return body.items.map(({ id }) => id);
}

/** What an answer says when it is a problem: without what is told to one request alone. */
export function toRefusal({ status, body }: Answer<unknown>): object {
  const { code, errors, title } = body as Problem;
  return { status, code, errors, title };
}

/** What a program did, without what no two runs have in common. */
export function toOutcome({
  stage,
  verdict,
  endedIn,
  environment,
  compile,
  run,
  failure,
  metadata,
  tests,
  score,
}: Execution): object {
  const told = (report: Execution['run']) => {
    if (report === null) return null;
    const { verdict: ended, exitCode, signal, stdout, stdoutTruncated, stderr, exceeded, start } = report;
    return { ended, exitCode, signal, stdout, stdoutTruncated, stderr, start, exceeded: exceeded?.limit ?? null };
  };
  const layers = environment?.layers.map(({ kind, digest, bytes }) => ({ kind, digest, bytes }));
  return {
    tests: tests.map(({ outcome, report, check }) => [
      outcome,
      told(report),
      check?.message,
      told(check?.report ?? null),
    ]),
    ...{ stage, verdict, endedIn, failure, metadata, score, compile: told(compile), run: told(run) },
    environment: { id: environment?.id, scope: environment?.scope, layers },
  };
}

/** Asks again and again until it is as wanted. */
export async function until<Value>(ask: () => Promise<Value>, fits: (value: Value) => boolean): Promise<Value> {
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The body of an answer with this status. */
export function bodyOf<Body>({ status, body }: Answer<Body>, wanted: number): Body {
  assert.equal(status, wanted, JSON.stringify(body));
  return body;
}
