/**
 * Owns where tests have a release from: the tarball that ENVICUTOR_TEST_RELEASE names, or one that ops/release makes of this checkout, packed again
 * under other versions. Never publishes one, and never says what a tarball holds: ops/release does.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHECKSUMS_FILE, toChecksums } from '../../ops/release/checksums.ts';
import { readCommit } from '../../ops/release/commit.ts';
import { nameOf, writeArtefacts } from '../../ops/release/release.ts';

const execute = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';

/** A release that lies on the disk. */
export interface Release {
  readonly version: string;
  /** The tarball; SHA256SUMS lies beside it. */
  readonly archive: string;
}

/** Releases of these versions in `folder`, all of one build; `change` may spoil its tree for some of them, which come last. */
export async function makeReleases(
  folder: string,
  versions: readonly string[],
  change: (tree: string, version: string) => Promise<void> = async () => undefined,
): Promise<Release[]> {
  const making = await mkdtemp(join(tmpdir(), 'envicutor-release-'));
  const tree = join(making, 'tree');
  try {
    await mkdir(tree);
    const archive = process.env['ENVICUTOR_TEST_RELEASE'] ?? (await build(making));
    await execute('tar', ['-xzf', archive, '-C', tree, '--strip-components=1', '--no-same-owner']);
    const releases: Release[] = [];
    for (const version of versions) {
      await change(tree, version);
      releases.push(await pack(tree, folder, version));
    }
    return releases;
  } finally {
    await rm(making, { recursive: true });
  }
}

/** The tarball of this checkout, as `make release` makes it. */
async function build(making: string): Promise<string> {
  const [underWay, output] = [join(making, 'under-way'), join(making, 'output')];
  for (const folder of [underWay, output]) await mkdir(folder);
  const version = 'test';
  const commit = readCommit(root, undefined);
  const order = { root, making: underWay, output, version, commit, architectures: [architecture] } as const;
  await writeArtefacts(order, () => undefined);
  return join(output, `${nameOf(version, architecture)}.tar.gz`);
}

async function pack(tree: string, folder: string, version: string): Promise<Release> {
  const top = nameOf(version, architecture);
  const archive = join(folder, `${top}.tar.gz`);
  await writeFile(join(tree, 'VERSION'), `${version}\n`);
  const names = ['--transform', `flags=r;s,^\\.,${top},`, '--owner=0', '--group=0', '--sort=name'];
  await execute('tar', ['--create', '--use-compress-program=gzip -1', ...names, `--file=${archive}`, '-C', tree, '.']);
  await writeFile(join(folder, CHECKSUMS_FILE), toChecksums(folder, [`${top}.tar.gz`]), { flag: 'a' });
  return { version, archive };
}
