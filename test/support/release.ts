/**
 * Owns where tests have a release from: the tarball that ENVICUTOR_TEST_RELEASE names, or the same layout put together from `make dist`.
 * Never publishes one. Invariant: everything that a test knows of a release's layout stands here and in docs/installing-agents.md.
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { toChecksums } from '../../ops/release/checksums.ts';
import { readLock } from '../../ops/release/locked-packages.ts';

const execute = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';

/** A release that lies on the disk. */
export interface Release {
  readonly version: string;
  /** The tarball; SHA256SUMS lies beside it. */
  readonly archive: string;
}

/** The processes that a release has a command for, and what each runs. */
const commands = {
  'envicutor-agent': 'agent/main.js',
  'envicutor-coordinator': 'coordinator/main.js',
  'envicutor-run': 'client/run/main.js',
} as const;

/** Releases of these versions in `folder`, all of one build; `change` may spoil its tree for some of them, which come last. */
export async function makeReleases(
  folder: string,
  versions: readonly string[],
  change: (tree: string, version: string) => Promise<void> = async () => undefined,
): Promise<Release[]> {
  const built = await mkdtemp(join(tmpdir(), 'envicutor-release-'));
  try {
    await buildTree(built);
    const releases: Release[] = [];
    for (const version of versions) {
      await change(built, version);
      releases.push(await pack(built, folder, version));
    }
    return releases;
  } finally {
    await rm(built, { recursive: true });
  }
}

async function buildTree(tree: string): Promise<void> {
  const given = process.env['ENVICUTOR_TEST_RELEASE'];
  if (given === undefined) await assemble(tree);
  else await execute('tar', ['-xzf', given, '-C', tree, '--strip-components=1', '--no-same-owner']);
}

async function assemble(tree: string): Promise<void> {
  await execute('make', ['--silent', '--no-print-directory', 'dist'], { cwd: root });
  for (const name of ['bin', 'lib', 'share']) await mkdir(join(tree, name), { recursive: true });
  await cp(dirname(process.execPath), join(tree, 'bin'), {
    recursive: true,
    filter: (path) => path === dirname(process.execPath) || path === process.execPath,
  });
  for (const room of ['shared', 'agent', 'coordinator', 'client'])
    await cp(join(root, 'dist', room), join(tree, 'lib', room), { recursive: true });
  const launcher = 'shared/sandbox/launcher/build/envicutor-launcher';
  await mkdir(dirname(join(tree, 'lib', launcher)), { recursive: true });
  await cp(join(root, launcher), join(tree, 'lib', launcher));
  await cp(join(root, 'package.json'), join(tree, 'lib/package.json'));
  for (const path of await productionPackages())
    await cp(join(root, path), join(tree, 'lib', path), { recursive: true, dereference: true });
  await command(tree, 'envicutor-launcher', `exec "$here/lib/${launcher}" "$@"`);
  const flags = '--max-semi-space-size=2 --disable-warning=ExperimentalWarning';
  for (const [name, program] of Object.entries(commands))
    await command(tree, name, `exec "$here/bin/node" ${flags} "$here/lib/${program}" "$@"`);
}

async function command(tree: string, name: string, line: string): Promise<void> {
  const path = join(tree, 'bin', name);
  await writeFile(path, `#!/bin/sh\nhere=$(dirname "$(dirname "$(readlink -f "$0")")")\n${line}\n`);
  await chmod(path, 0o755);
}

/** What package-lock.json names and neither development nor the pinned Node's own packages brought. */
async function productionPackages(): Promise<string[]> {
  return readLock(await readFile(join(root, 'package-lock.json'), 'utf8'))
    .filter(({ isForProduction }) => isForProduction)
    .map(({ path }) => path)
    .filter((path) => !path.slice('node_modules/'.length).includes('/node_modules/'));
}

async function pack(built: string, folder: string, version: string): Promise<Release> {
  const top = `envicutor-${version}-linux-${architecture}`;
  const archive = join(folder, `${top}.tar.gz`);
  await writeFile(join(built, 'VERSION'), `${version}\n`);
  const names = ['--transform', `s,^\\.,${top},`, '--owner=0', '--group=0', '--sort=name'];
  await execute('tar', ['--create', '--use-compress-program=gzip -1', ...names, `--file=${archive}`, '-C', built, '.']);
  await writeFile(join(folder, 'SHA256SUMS'), toChecksums(folder, [`${top}.tar.gz`]), { flag: 'a' });
  return { version, archive };
}
