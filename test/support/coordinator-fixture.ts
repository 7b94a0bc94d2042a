/**
 * Owns a whole coordinator for tests: real HTTP, WebSocket, SQLite and object store in a temporary folder; fake builder and verifier.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { CoordinatorConfig } from '../../coordinator/config.ts';
import { wireCoordinator } from '../../coordinator/coordinator.ts';
import { readEgressPolicy } from '../../coordinator/egress/policy-file.ts';
import { createBuilderClient } from '../../coordinator/environments/builder-client.ts';
import { createVerifierClient } from '../../coordinator/environments/verifier-client.ts';
import { openSqliteStateStore } from '../../coordinator/executions/sqlite-state-store.ts';
import { openInstanceKey } from '../../coordinator/instance-key.ts';
import type { KeyRing } from '../../coordinator/tenants/keys.ts';
import { type Clock, systemClock, systemRandom } from '../../shared/clock.ts';
import { PROMISE_BROKEN } from '../../shared/http/answer-text.ts';
import type { EgressRules } from '../../shared/model/egress.ts';
import type { Recipe } from '../../shared/recipes/recipe.ts';
import { DirectoryObjectStore } from '../../shared/storage/directory-object-store.ts';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import type { Tracer } from '../../shared/tracing/tracer.ts';
import { checkedFetch } from './checked-fetch.ts';
import { startBuildServices } from './fake-build-services.ts';
import { KeptLog } from './kept-log.ts';
import type { LogLine } from './logged-process.ts';
import { type AgentScript, ScriptedAgent } from './scripted-agent.ts';

/** An answer whose body a test reads without saying its type: the assertions do. */
type Answer = Omit<Response, 'json'> & { json(): Promise<ReturnType<typeof JSON.parse>> };

function rulesOf({ egressPolicyFile }: CoordinatorConfig): EgressRules {
  const policy = readEgressPolicy(egressPolicyFile);
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  return policy.rules;
}

/** Answers that were not what their routes promise: written without what is too much, and heard of here alone. */
const brokenPromises = (logged: readonly LogLine[]) => logged.filter(({ msg }) => msg === PROMISE_BROKEN);

async function ask(
  url: string,
  method: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const content = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  return await checkedFetch(url, { method, headers: { ...type, ...headers }, ...content });
}

async function endServices(services: Awaited<ReturnType<typeof startBuildServices>>): Promise<void> {
  services.builder.closeAllConnections();
  services.verifier.closeAllConnections();
  await Promise.all([services.builder[Symbol.asyncDispose](), services.verifier[Symbol.asyncDispose]()]);
  await services.settled();
}

/** A coordinator that is stopped when the test ends. */
export async function startCoordinator(
  test: Pick<TestContext, 'after'>,
  changes: Partial<CoordinatorConfig> = {},
  keys: KeyRing | null = null,
  given: {
    readonly fileObjects?: ObjectStore;
    readonly clock?: Clock;
    readonly tracer?: Tracer;
    readonly recipes?: readonly Recipe[];
  } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-coordinator-'));
  const store = new DirectoryObjectStore(join(folder, 'store'));
  const fileObjects = given.fileObjects ?? new DirectoryObjectStore(join(folder, 'files'));
  const services = await startBuildServices(folder, store);
  // Second builds begin by themselves when it has been quiet: only where a test is about them.
  const quiet = { drainMsMax: 0, reproduceBuilds: 'off' } as const;
  const defaults = { ...Value.Create(CoordinatorConfig), ...quiet, listenPort: 0, stateDirectory: folder };
  let config: CoordinatorConfig = { ...defaults, ...changes };
  const kept = new KeptLog();
  const start = async (port = 0) => {
    const state = openSqliteStateStore(join(folder, 'coordinator.sqlite'));
    const builder = createBuilderClient(`${folder}/builder.sock`);
    const verifier = createVerifierClient(`${folder}/verifier.sock`);
    const instanceKey = openInstanceKey(folder, systemRandom);
    const { clock = systemClock } = given;
    const ports = { clock, random: systemRandom, log: kept.logger, egress: rulesOf(config) };
    const adapters = { state, store, fileObjects, builder, verifier, instanceKey, keys };
    const { tracer, recipes } = given;
    const deps = { ...ports, ...adapters, ...(tracer && { tracer }), ...(recipes && { recipes }) };
    const coordinator = wireCoordinator(deps, { ...config, listenPort: port });
    const { url } = await coordinator.start();
    const stop = async () => {
      await coordinator.stop();
      await Promise.all([builder.close(), verifier.close(), state.close()]);
    };
    return { url, stop, coordinator, state };
  };
  const running = { ...(await start()), services, folder, store, logged: kept.lines };
  const agents: ScriptedAgent[] = [];
  test.after(async () => {
    for (const agent of agents) agent.socket.terminate();
    await running.stop();
    await endServices(services);
    await rm(folder, { recursive: true });
    assert.deepEqual(brokenPromises(kept.lines), []);
  });
  return Object.assign(running, {
    /** Resolves when a line that fits has been logged. */
    untilLogged: kept.until.bind(kept),
    /** Other settings, from the next restart on. */
    change(more: Partial<CoordinatorConfig>) {
      config = { ...config, ...more };
    },
    /** Stops and starts again on the same state; at another port, unless it is told at which. */
    async restart(port = 0) {
      await running.stop();
      Object.assign(running, await start(port));
    },
    /** An agent that has been let in and has reported, unless the script says otherwise. */
    async join(script: AgentScript = {}) {
      const { token } = await running.coordinator.enrolment.issue();
      const agent = new ScriptedAgent(running.url, { token, ...script });
      agents.push(agent);
      await agent.heard('session.welcome');
      return agent;
    },
    /** An agent that nobody has let in yet. */
    dial(script: AgentScript) {
      const agent = new ScriptedAgent(running.url, script);
      agents.push(agent);
      return agent;
    },
    /** Asks the API. */
    ask: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      ask(`${running.url}${path}`, method, body, headers),
  });
}
