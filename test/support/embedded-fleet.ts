/**
 * A coordinator and agents as somebody's program embeds them, all in this process, over real sockets, with launchers of their own.
 * Never starts a builder or a verifier: their sockets are in the folder.
 */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { type AgentOptions, createAgent, type EmbeddedAgent } from '../../agent/embedded-agent.ts';
import { type CoordinatorOptions, createCoordinator } from '../../coordinator/embedded-coordinator.ts';
import type { Logger, LogLine } from '../../shared/logger.ts';
import type { Execution } from '../../shared/model/execution.ts';
import { checkedFetch } from './checked-fetch.ts';

/** A logger that a test can wait for. */
export class HeardLog implements Logger {
  readonly #lines: Readonly<Record<string, unknown>>[] = [];
  readonly #heard = new EventEmitter();
  readonly debug: LogLine = (fields, message) => this.#add({ ...fields, message });
  readonly info = this.debug;
  readonly warn = this.debug;
  readonly error = this.debug;

  #add(line: Readonly<Record<string, unknown>>): void {
    this.#lines.push(line);
    this.#heard.emit('line');
  }

  /** Resolves when so many lines that fit have come. */
  async heard(message: string, fields: Readonly<Record<string, unknown>> = {}, count = 1): Promise<void> {
    const wanted = Object.entries({ ...fields, message });
    while (this.#lines.filter((line) => wanted.every(([name, value]) => line[name] === value)).length < count)
      await once(this.#heard, 'line');
  }
}

/** The folder's coordinator. */
export function coordinatorIn(folder: string, options: CoordinatorOptions = {}) {
  return createCoordinator({
    ...{
      listenPort: 0,
      drainMsMax: 0,
      stateDirectory: join(folder, 'coordinator'),
      storeDirectory: join(folder, 'store'),
    },
    ...{ builderSocketPath: join(folder, 'builder.sock'), verifierSocketPath: join(folder, 'verifier.sock') },
    ...options,
  });
}

/** An agent with one slot and a launcher of its own, which the label `seat` tells from others; resolves when it is connected. */
export async function joinAgent(
  folder: string,
  seat: number,
  coordinatorUrl: string,
  options: AgentOptions = {},
): Promise<EmbeddedAgent & { readonly log: HeardLog }> {
  const log = new HeardLog();
  const agent = await createAgent({
    ...{ coordinatorUrl, logger: log, name: `agent-${seat}`, labels: [`seat=${seat}`], slots: 1, diskFreeBytesMin: 1 },
    ...{ stateDirectory: join(folder, `agent-${seat}`), ownLauncher: { stock: 2 } },
    ...options,
  });
  agent.start();
  await log.heard('connection moved', { to: 'ready' });
  return Object.assign(agent, { log });
}

/** Runs a script on the agent of a seat, over HTTP; without keeping a connection. */
export async function runOn(url: string, seat: number, script: string): Promise<Execution> {
  const answer = await checkedFetch(`${url}/v1/executions?wait=30`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({
      environment: { base: 'debian-13' },
      run: { script },
      placement: { labels: { seat: String(seat) } },
    }),
  });
  const body = (await answer.json()) as Execution;
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body;
}
