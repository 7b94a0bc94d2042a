/**
 * Owns what package-lock.json says about packages, as far as a release needs it: name, version, integrity, license, and whether it runs there.
 * Never asks a registry.
 */

/** One package of the lock. */
export interface LockedPackage {
  /** Where it lies below the lock's folder, such as node_modules/a/node_modules/b. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** sha512-… of its archive. */
  readonly integrity: string;
  /** An SPDX expression; empty where its author gave none. */
  readonly license: string;
  /** Neither for development only nor left to choice. */
  readonly isForProduction: boolean;
}

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** Every package, as npm has sorted them. Throws for one without version or integrity: it could not be told from another one. */
export function readLock(text: string): LockedPackage[] {
  const { packages }: { packages: Readonly<Record<string, Entry>> } = JSON.parse(text);
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, { version, integrity, license = '', dev, optional, devOptional }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      if (version === undefined || integrity === undefined) {
        throw new Error(
          `package-lock.json has no version or integrity of '${path}'; run npm install and commit the lock`,
        );
      }
      const isForProduction = dev !== true && optional !== true && devOptional !== true;
      return { path, name, version, integrity, license, isForProduction };
    });
}
