/**
 * Owns a machine with a launcher and an agent that joins coordinators: the agent is started again and again with the same state.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentProcess, isReady } from './agent-process.ts';
import type { CoordinatorProcess } from './coordinator-process.ts';
import type { Coordinators } from './coordinators.ts';
import { RealLauncher } from './real-launcher.ts';

export class JoinedAgent {
  readonly launcher: RealLauncher;
  readonly #variables: Readonly<Record<string, string>>;
  #agent: AgentProcess | null = null;

  private constructor(launcher: RealLauncher, variables: Readonly<Record<string, string>>) {
    this.launcher = launcher;
    this.#variables = variables;
  }

  /** With a token of this coordinator and no agent yet; `variables` of an agent besides. All of it ends with the coordinators. */
  static async prepare(
    coordinators: Coordinators,
    member: CoordinatorProcess,
    name: string,
    variables: Readonly<Record<string, string>>,
  ): Promise<JoinedAgent> {
    const launcher = await RealLauncher.start(name);
    const token = join(coordinators.folder, `token-${name}`);
    const joined = new JoinedAgent(launcher, {
      STATE_DIRECTORY: join(coordinators.folder, `agent-${name}`),
      LAUNCHER_SOCKET_PATH: launcher.socketPath,
      ...{ LAUNCHER_WAIT_MS: '5000', ENROLMENT_TOKEN_FILE: token, NAME: name, DISK_FREE_BYTES_MIN: '1', ...variables },
    });
    coordinators.atEnd(async () => {
      await joined.end('SIGKILL');
      await launcher.stop();
    });
    await writeFile(token, await coordinators.token(member));
    return joined;
  }

  /** Resolves when it can be given work. */
  async start(): Promise<void> {
    this.#agent = new AgentProcess(this.#variables);
    await this.#agent.logged(isReady);
  }

  /** Ends the agent by a signal; the exit code, or null when there is none. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    return (await this.#agent?.end(signal)) ?? null;
  }
}
