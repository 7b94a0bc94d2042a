/**
 * Owns getting the project's own Node for any architecture: the package that package-lock.json pins, through npm, held against its integrity.
 * Never runs what it fetched, and never takes another version than the lock's.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Architecture } from './architectures.ts';
import { unpack } from './archive.ts';
import type { LockedPackage } from './locked-packages.ts';

const run = promisify(execFile);

/** The name of the package that brings Node for an architecture. */
export const runtimePackage = (architecture: Architecture): string => `node-linux-${architecture}`;

/** Fetches and unpacks it into a new `folder`; gives the folder with bin/node and LICENSE. Throws a sentence when it is not what the lock says. */
export async function fetchRuntime({ name, version, integrity }: LockedPackage, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const wanted = ['--json', '--prefer-offline', '--loglevel=error', '--pack-destination', folder];
  const { stdout } = await run('npm', ['pack', `${name}@${version}`, ...wanted], { cwd: folder, maxBuffer: 1 << 26 });
  const [packed]: { filename: string }[] = JSON.parse(stdout);
  if (packed === undefined)
    throw new Error(`npm brought no ${name} ${version}; check the network and npm's configuration`);
  const archive = join(folder, packed.filename);
  const found = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (found !== integrity) {
    throw new Error(
      `${name} ${version} is ${found}, and package-lock.json says ${integrity}: don't use what came, ask who serves it`,
    );
  }
  await unpack(archive, ['package/bin/node', 'package/LICENSE'], folder);
  return join(folder, 'package');
}
