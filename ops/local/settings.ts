/**
 * Owns the settings of `make run`: the fields of the supervisor's own configuration, its flags, and where one instance keeps what.
 * Never configures the processes beyond that: every other ENVICUTOR_… variable goes to them as it is.
 * Invariant: two instances share nothing if their ports and state directories differ.
 */
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { loadConfig } from '../../shared/config.ts';

/** Prefix of the supervisor's variables. */
export const prefix = 'ENVICUTOR';

/** What `make run` can be told; everything else belongs to a process. */
export const LocalConfig = Type.Object(
  {
    port: Type.Integer({
      default: 7070,
      minimum: 1,
      maximum: 65_535,
      description: 'TCP port of the HTTP API and of the agents, on 127.0.0.1.',
    }),
    stateDirectory: Type.String({
      default: '/var/lib/envicutor',
      pattern: '^/[^\\u0000]+$',
      description: 'Absolute path of what outlives a stop: database, keys, cache, layers.',
    }),
  },
  { additionalProperties: false },
);

/** One instance on this machine: settings and the places that follow from them. */
export interface Settings extends Static<typeof LocalConfig> {
  /** Run the demonstration after the start. */
  readonly isDemonstrated: boolean;
  /** End after the demonstration. */
  readonly isOnce: boolean;
  /** End when no command line has used it for so many milliseconds; null: serve until it is told to stop. */
  readonly idleMs: number | null;
  /** Sockets and the read-only view of the program; a tmpfs of the instance's own mount namespace. */
  readonly runtimeDirectory: string;
  /** Begin of the names of the launchers' cgroups. */
  readonly cgroup: string;
  readonly url: string;
}

/** Reads variables and flags; ends the process with 78 and a sentence for each that is wrong. */
export function loadSettings(): Settings {
  const config = loadConfig(LocalConfig, prefix);
  const name = `envicutor-${config.port}`;
  return {
    ...config,
    isDemonstrated: !process.argv.includes('--no-demo'),
    isOnce: process.argv.includes('--once'),
    idleMs: toIdleMs(process.argv),
    runtimeDirectory: join('/run', name),
    cgroup: name,
    url: `http://127.0.0.1:${config.port}`,
  };
}

function toIdleMs(words: readonly string[]): number | null {
  const text = words.map((word) => /^--while-used=(\d{1,9})$/.exec(word)?.[1]).find((found) => found !== undefined);
  return text === undefined ? null : Number(text);
}
