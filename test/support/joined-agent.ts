/**
 * Owns a machine with a launcher and an agent that joins coordinators: the agent is started again and again with the same state.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentProcess, isReady } from './agent-process.ts';
import type { CoordinatorProcess } from './coordinator-process.ts';
import type { Coordinators } from './coordinators.ts';
import { RealLauncher } from './real-launcher.ts';

/** Where the machine's files are, and what its agent is started by; absent: beside the coordinators', and nothing. */
export interface MachinePlace {
  readonly folder?: string;
  readonly prefix?: readonly string[];
}

export class JoinedAgent {
  readonly launcher: RealLauncher;
  readonly stateDirectory: string;
  readonly #variables: Readonly<Record<string, string>>;
  readonly #prefix: readonly string[];
  #agent: AgentProcess | null = null;

  private constructor(
    launcher: RealLauncher,
    stateDirectory: string,
    variables: Readonly<Record<string, string>>,
    prefix: readonly string[],
  ) {
    this.launcher = launcher;
    this.stateDirectory = stateDirectory;
    this.#variables = variables;
    this.#prefix = prefix;
  }

  /** With a token of this coordinator and no agent yet; `variables` of an agent besides. All of it ends with the coordinators. */
  static async prepare(
    coordinators: Coordinators,
    member: CoordinatorProcess,
    name: string,
    variables: Readonly<Record<string, string>>,
    { folder, prefix = [] }: MachinePlace = {},
  ): Promise<JoinedAgent> {
    const launcher = await RealLauncher.start(name, null, folder);
    const token = join(coordinators.folder, `token-${name}`);
    const state = join(folder ?? coordinators.folder, `agent-${name}`);
    const settings = {
      ...{ STATE_DIRECTORY: state, LAUNCHER_SOCKET_PATH: launcher.socketPath },
      ...{ LAUNCHER_WAIT_MS: '5000', ENROLMENT_TOKEN_FILE: token, NAME: name, DISK_FREE_BYTES_MIN: '1', ...variables },
    };
    const joined = new JoinedAgent(launcher, state, settings, prefix);
    coordinators.atEnd(async () => {
      await joined.end('SIGKILL');
      await launcher.stop();
    });
    await writeFile(token, await coordinators.token(member));
    return joined;
  }

  /** Resolves when it can be given work. */
  async start(): Promise<void> {
    this.#agent = new AgentProcess(this.#variables, this.#prefix);
    await this.#agent.logged(isReady);
  }

  /** Ends the agent by a signal; the exit code, or null when there is none. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    return (await this.#agent?.end(signal)) ?? null;
  }
}
