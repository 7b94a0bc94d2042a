/**
 * Owns what a release consists of: one tarball and one bill of materials for each architecture, and the npm package with the launchers of all.
 * Never reads what earlier builds left in the checkout: sources are copied and compiled from nothing.
 * Invariant: the same commit gives the same bytes; only what follows from it, the lock, and the machine's compiler gets in.
 */
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, architectures } from './architectures.ts';
import { packFolder } from './archive.ts';
import { toBillOfMaterials } from './bill-of-materials.ts';
import { sha256Of } from './checksums.ts';
import type { Commit } from './commit.ts';
import { buildLauncher, librariesOf, PREBUILT } from './launcher-build.ts';
import { type LockedPackage, readLock } from './locked-packages.ts';
import { fetchRuntime, runtimePackage } from './pinned-runtime.ts';
import { compileProgram, copyFolder, copySources, fetchPackages, filesMatching, linkFolder } from './program.ts';
import { writePrograms } from './programs-of-tarball.ts';

/** What is to be made, and where. */
export interface ReleaseOrder {
  /** The checkout. */
  readonly root: string;
  /** An empty folder for what is under way. */
  readonly making: string;
  /** An empty folder for what is finished. */
  readonly output: string;
  readonly version: string;
  readonly commit: Commit;
  /** Of which tarballs are made. */
  readonly architectures: readonly Architecture[];
}

/** What both kinds of artefact are made of. */
interface Parts {
  /** The package as it is installed: its manifest and its files, the launchers of all architectures among them. */
  readonly package: string;
  /** Third parties' packages. */
  readonly packages: string;
  readonly sources: string;
  readonly locked: readonly LockedPackage[];
}

/** Makes everything that is signed; gives the names. */
export async function writeArtefacts(order: ReleaseOrder, say: (sentence: string) => void): Promise<string[]> {
  const sources = join(order.making, 'sources');
  copySources(order.root, sources);
  const locked = readLock(readFileSync(join(sources, 'package-lock.json'), 'utf8'));
  say('compiling the program, and the launcher for each architecture; fetching packages and Node');
  const packages = join(order.making, 'packages');
  const [runtimes] = await Promise.all([
    Promise.all(order.architectures.map((architecture) => fetchPinned(order, locked, architecture))),
    fetchPackages(sources, packages),
    compileProgram(order.root, sources),
    ...architectures.map((architecture) => buildLauncher(sources, architecture, order.commit)),
  ]);
  const parts: Parts = { package: writePackage(order, sources), packages, sources, locked };
  say('packing');
  const npmPackage = `envicutor-${order.version}.tgz`;
  const made = await Promise.all([
    packFolder(join(order.making, 'npm'), 'package', order.commit.seconds, join(order.output, npmPackage)),
    ...order.architectures.map((architecture, index) => {
      return writeTarball(order, parts, architecture, runtimes[index] ?? '');
    }),
  ]);
  return [npmPackage, ...made.flatMap((names) => names ?? [])];
}

function fetchPinned(
  order: ReleaseOrder,
  locked: readonly LockedPackage[],
  architecture: Architecture,
): Promise<string> {
  const name = runtimePackage(architecture);
  const pinned = locked.find(({ path }) => path === `node_modules/${name}`);
  if (pinned === undefined) throw new Error(`package-lock.json has no ${name}; add it to optionalDependencies`);
  return fetchRuntime(pinned, join(order.making, name));
}

/** The fields of package.json that mean something to who installs the package. */
const publishedFields: readonly string[] = [
  ...['name', 'version', 'description', 'license', 'type', 'exports', 'bin', 'man', 'files', 'engines', 'dependencies'],
];

function writePackage(order: ReleaseOrder, sources: string): string {
  const folder = join(order.making, 'npm/package');
  const manifest: Record<string, unknown> = JSON.parse(readFileSync(join(sources, 'package.json'), 'utf8'));
  copyFolder(sources, filesMatching(sources, ['README.md', 'LICENSE', ...(manifest['files'] as string[])]), folder);
  const published = Object.entries(manifest).filter(([field]) => publishedFields.includes(field));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(Object.fromEntries(published), null, 2)}\n`);
  return folder;
}

/** The name of an architecture's tarball, and of its only folder. */
export const nameOf = (version: string, architecture: Architecture): string =>
  `envicutor-${version}-linux-${architecture}`;

async function writeTarball(
  order: ReleaseOrder,
  parts: Parts,
  architecture: Architecture,
  runtime: string,
): Promise<string[]> {
  const name = nameOf(order.version, architecture);
  const folder = join(order.making, 'tarballs', name);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'VERSION'), `${order.version}\n`);
  copyFileSync(join(parts.package, 'LICENSE'), join(folder, 'LICENSE'));
  const launcher = join(folder, 'bin/envicutor-launcher');
  copyFileSync(join(parts.package, PREBUILT, `linux-${architecture}/envicutor-launcher`), launcher);
  copyFileSync(join(runtime, 'bin/node'), join(folder, 'bin/node'));
  writePrograms(join(folder, 'bin'));
  await writeLibrary(parts, architecture, join(folder, 'lib'));
  writeShare(parts.sources, runtime, join(folder, 'share'));
  const bill = toBillOfMaterials({
    ...{ version: order.version, commit: order.commit, architecture },
    packages: parts.locked.filter(({ isForProduction }) => isForProduction),
    runtime: parts.locked.filter(({ path }) => path === `node_modules/${runtimePackage(architecture)}`),
    launcher: { sha256: sha256Of(launcher), libraries: await librariesOf(architecture) },
    programs: { 'bin/node': sha256Of(join(folder, 'bin/node')) },
  });
  writeFileSync(join(order.output, `${name}.cdx.json`), bill);
  await packFolder(join(folder, '..'), name, order.commit.seconds, join(order.output, `${name}.tar.gz`));
  return [`${name}.tar.gz`, `${name}.cdx.json`];
}

/** The package as npm would install it: compiled programs, their packages, and a way to the launcher. */
async function writeLibrary(parts: Parts, architecture: Architecture, folder: string): Promise<void> {
  copyFolder(
    parts.package,
    filesMatching(parts.package, [
      ...['package.json', 'dist/**/*.js', 'coordinator/pages/**/*.{css,html}', 'ops/environments/**/*'],
    ]),
    folder,
  );
  await linkFolder(join(parts.packages, 'node_modules'), join(folder, 'node_modules'));
  const place = join(folder, PREBUILT, `linux-${architecture}`);
  mkdirSync(place, { recursive: true });
  symlinkSync('../../../bin/envicutor-launcher', join(place, 'envicutor-launcher'));
}

/** What an operator reads and installs. */
function writeShare(sources: string, runtime: string, folder: string): void {
  copyFolder(
    sources,
    filesMatching(sources, ['docs/*.md', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'ops/RUNBOOK.md']),
    folder,
  );
  copyFolder(join(sources, 'man'), filesMatching(join(sources, 'man'), ['*.1']), join(folder, 'man/man1'));
  const ops = join(sources, 'ops');
  copyFolder(ops, filesMatching(ops, ['systemd/**/*', 'install-agent']), folder);
  copyFileSync(join(runtime, 'LICENSE'), join(folder, 'LICENSE-of-node'));
}
