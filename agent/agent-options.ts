/**
 * Owns what an embedding program gives to make an agent, and every sentence about what is wrong with it. Never opens anything.
 */
import type { Clock, Random } from '../shared/clock.ts';
import { completeConfig, type Partly, toConfigError } from '../shared/config.ts';
import type { Logger } from '../shared/logger.ts';
import type { OwnLauncherOptions } from '../shared/sandbox/hosted-sandbox.ts';
import type { Sandbox } from '../shared/sandbox/sandbox.ts';
import { AgentConfig } from './config.ts';

/** An agent's settings, each with its default where it is absent, and what it is to use instead of what it would make itself. */
export interface AgentOptions extends Partly<AgentConfig> {
  /** The one-time enrolment token itself, instead of a file that holds it; needed until the coordinator knows this agent. */
  readonly enrolmentToken?: string | undefined;
  /** Starts a launcher for this agent alone, instead of using the one behind launcherSocketPath; `{}` for all its defaults. */
  readonly ownLauncher?: OwnLauncherOptions | undefined;
  /** Sandboxes that somebody else provides, with a store of layers that no other agent uses; they stay open at the agent's end. */
  readonly sandbox?: Sandbox | undefined;
  /** Who hears what goes on, from logLevel up; by default nobody. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** The settings among the options, complete; SystemError `configuration-invalid` with all that is wrong. */
export function toAgentConfig(options: AgentOptions): Readonly<AgentConfig> {
  const { enrolmentToken, ownLauncher, sandbox, logger, clock, random, ...settings } = options;
  const completed = completeConfig(AgentConfig, settings);
  const problems = 'problems' in completed ? [...completed.problems] : [];
  const launchers = Object.entries({ launcherSocketPath: settings.launcherSocketPath, ownLauncher, sandbox });
  const given = launchers.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (given.length > 1)
    problems.push({ pointer: `/${given[1]}`, detail: `${given.join(' and ')} exclude each other: give one of them` });
  if (enrolmentToken !== undefined && (settings.enrolmentTokenFile ?? '') !== '')
    problems.push({ pointer: '/enrolmentToken', detail: 'enrolmentToken and enrolmentTokenFile exclude each other' });
  if ((settings.edgeListenPort ?? 0) > 0 && (settings.edgeKeysFile ?? '') === '')
    problems.push({
      pointer: '/edgeKeysFile',
      detail: 'edgeKeysFile is needed with edgeListenPort: nobody is served without a key',
    });
  if ('problems' in completed || problems.length > 0) throw toConfigError(problems);
  return completed.values;
}
