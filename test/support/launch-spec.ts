/**
 * A complete LaunchSpec for tests, of which each changes what it is about.
 * Never runs anything itself.
 */
import { limitDefaults } from '../../shared/model/limits.ts';
import { executionVariables, WORKSPACE_DIRECTORY } from '../../shared/model/toolchain-variables.ts';
import type { LaunchSpec } from '../../shared/sandbox/sandbox.ts';

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
    limits: limitDefaults.run,
    cpuShares: 1024,
    cpus: null,
    terminal: null,
    collect: null,
    ...changes,
  };
}
