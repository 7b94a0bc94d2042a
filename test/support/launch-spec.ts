/**
 * A complete LaunchSpec for tests, of which each changes what it is about.
 * Never runs anything itself.
 */
import { limitDefaults } from '../../shared/model/limits.ts';
import { executionVariables, WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import type { LaunchSpec } from '../../shared/sandbox/sandbox.ts';
import { patience } from './guest.ts';

const { run } = limitDefaults;
/** The default limits of a run, with the time that a guest may need for what a machine does below them. */
export const runLimits = {
  ...run,
  cpuTimeMs: run.cpuTimeMs * patience,
  wallTimeMs: run.wallTimeMs * patience,
  idleTimeMs: run.idleTimeMs * patience,
};

/** An execution of `argv` in the workspace, with the default limits of a run, on `changes`. */
export function launchSpec(argv: readonly string[], changes: Partial<LaunchSpec> = {}): LaunchSpec {
  return {
    profile: 'execution',
    layers: [],
    kept: [],
    isKept: false,
    target: null,
    capture: null,
    argv,
    environment: executionVariables,
    directory: WORKSPACE_DIRECTORY,
    files: [],
    systemFiles: [],
    stdin: null,
    egress: null,
    limits: runLimits,
    cpuShares: 1024,
    cpus: null,
    terminal: null,
    collect: null,
    ...changes,
  };
}
