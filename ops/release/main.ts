/**
 * Composition root of `make release`: what this commit is, whose key signs, and everything that a release consists of, in one folder.
 * Never publishes anything, and never says that a development key is the project's.
 * Invariant: SHA256SUMS.sig is written last, so that a folder without it is no release.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { inheritedEnvironment, refuseToStart } from '../../shared/config.ts';
import { type Architecture, architectures } from './architectures.ts';
import { toChecksums, writeChecksums } from './checksums.ts';
import { readCommit } from './commit.ts';
import { type ReleaseOrder, writeArtefacts } from './release.ts';
import { openReleaseKey, PUBLIC_KEY_FILE, SIGNATURE_FILE, sign, toPublicPem } from './release-key.ts';

const usage = `usage: [ENVICUTOR_RELEASE_KEY=FILE] node ops/release/main.ts [--output FOLDER] [--only ARCHITECTURE]
  --output  folder for it, in which there is nothing but an earlier release; default release/ in the checkout
  --only    tarball of one architecture alone: ${architectures.join(' or ')}`;

const root = join(import.meta.dirname, '../..');
const say = (sentence: string) => process.stderr.write(`release: ${sentence}\n`);

const { output, only } = readArguments();
const variables = inheritedEnvironment(['ENVICUTOR_RELEASE_KEY', 'SOURCE_DATE_EPOCH', 'XDG_STATE_HOME']);
const stateDirectory = join(variables['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'envicutor');
const making = mkdtempSync(join(tmpdir(), 'envicutor-release-'));
process.on('exit', () => rmSync(making, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

try {
  const key = openReleaseKey(variables['ENVICUTOR_RELEASE_KEY'], stateDirectory);
  const commit = readCommit(root, variables['SOURCE_DATE_EPOCH']);
  if (commit.isChanged) say(`the checkout differs from commit ${commit.id}: this is no release of that commit`);
  const manifest: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const order: ReleaseOrder = { root, making, output, version: manifest.version, commit, architectures: only };
  clearOutput(output);
  const names = await writeArtefacts(order, say);
  const checksums = writeChecksums(output, toChecksums(output, names));
  writeFileSync(join(output, PUBLIC_KEY_FILE), toPublicPem(key.privateKey));
  writeFileSync(join(output, SIGNATURE_FILE), sign(key.privateKey, checksums));
  if (key.isForDevelopment) {
    say(`signed by the development key ${key.path} of this machine; for a release to others set ENVICUTOR_RELEASE_KEY`);
  }
  for (const name of names) process.stdout.write(`${join(output, name)}\n`);
} catch (error) {
  refuseToStart(`release: ${error instanceof Error ? error.message : String(error)}`);
}

/** Makes the folder, or takes an earlier release out of it; what is no part of one is somebody's, and stays. */
function clearOutput(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder);
  const strange = names.find(
    (name) => !/^(SHA256SUMS(\.sig)?|release-key\.pub|envicutor-.+\.(tgz|tar\.gz|cdx\.json))$/.test(name),
  );
  if (strange !== undefined)
    throw new Error(`'${folder}' has '${strange}', which is no part of a release; give --output another folder`);
  for (const name of names) rmSync(join(folder, name));
}

function readArguments(): { output: string; only: readonly Architecture[] } {
  try {
    const { values } = parseArgs({ options: { output: { type: 'string' }, only: { type: 'string' } } });
    const chosen = architectures.filter((architecture) => values.only === undefined || values.only === architecture);
    if (chosen.length > 0) return { output: resolve(values.output ?? join(root, 'release')), only: chosen };
  } catch {
    // An unknown word is told by the usage, as an unknown architecture is.
  }
  refuseToStart(usage);
}
