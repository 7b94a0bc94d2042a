/**
 * Owns where a coordinator's side keeps what a backup is of, as its own configuration and its verifier's say. Never opens anything.
 * What is in none of these places is in no backup: sockets, staging, caches of builder and agents, what is on its way.
 */
import { join } from 'node:path';
import type { CoordinatorConfig } from '../config.ts';
import type { VerifierConfig } from '../environments/verifier/config.ts';
import { stateFiles } from '../state-folder.ts';

/** A file that an operator has written, or that several coordinators are given. */
export interface ConfigurationFile {
  /** In the backup's folder `configuration`. */
  readonly name: string;
  readonly path: string;
}

/** Absolute paths; null: not in a folder but in a bucket, or not there at all. */
export interface Places {
  readonly coordinator: string;
  /** Its own, or the one that all coordinators of a database are given. */
  readonly instanceKey: string;
  readonly verifier: string;
  readonly layers: string | null;
  readonly clientFiles: string | null;
  readonly configuration: readonly ConfigurationFile[];
}

/** The database of a coordinator that has one of its own. */
export const databasePath = (stateDirectory: string): string => join(stateDirectory, stateFiles.database);

/** By what the processes are told. */
export function toPlaces(config: CoordinatorConfig, verifier: VerifierConfig): Places {
  const given = { 'tenants.json': config.tenantsFile, 'egress-policy.json': config.egressPolicyFile };
  return {
    coordinator: config.stateDirectory,
    instanceKey: config.instanceKeyFile || join(config.stateDirectory, stateFiles.instanceKey),
    verifier: verifier.stateDirectory,
    layers: verifier.storeKind === 'directory' ? verifier.storeDirectory : null,
    clientFiles:
      config.minioFilesBucket === ''
        ? config.filesDirectory || join(config.stateDirectory, stateFiles.clientFiles)
        : null,
    configuration: Object.entries(given)
      .filter(([, path]) => path !== '')
      .map(([name, path]) => ({ name, path })),
  };
}
