/**
 * Owns reading the process's environment variables: the only reader of process.env. Loads nothing, for programs whose start is to be short.
 * Never interprets one: config.ts reads configurations, the command line its two or three.
 */

/** The variables of this process as they are. */
export function processVariables(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/** The variables of this process that a child needs to find Node, certificates and the machine's own settings. */
export function inheritedEnvironment(names: readonly string[]): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) chosen[name] = value;
  }
  return chosen;
}

/** All variables of this process whose names begin with `prefix_`, for a supervisor that hands them on to the process that knows them. */
export function prefixedEnvironment(prefix: string): Record<string, string> {
  const names = Object.keys(process.env).filter((name) => name.startsWith(`${prefix}_`));
  return inheritedEnvironment(names);
}
