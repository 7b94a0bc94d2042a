/**
 * Owns a tarball's bill of materials: CycloneDX 1.6 in JSON, from package-lock.json, the pinned Node and the launcher with its C library.
 * Never names where anything was fetched, nor the moment it was made: the same commit gives the same bill.
 */
import type { Architecture } from './architectures.ts';
import type { Commit } from './commit.ts';
import type { LinkedLibrary } from './launcher-build.ts';
import type { LockedPackage } from './locked-packages.ts';

/** What is in a tarball. */
export interface Contents {
  readonly version: string;
  readonly commit: Commit;
  readonly architecture: Architecture;
  readonly packages: readonly LockedPackage[];
  /** The package that brings Node. */
  readonly runtime: readonly LockedPackage[];
  readonly launcher: { readonly sha256: string; readonly libraries: readonly LinkedLibrary[] };
  /** SHA-256 of files that are others' programs, by their path in the tarball. */
  readonly programs: Readonly<Record<string, string>>;
}

/** The document, as text. */
export function toBillOfMaterials(contents: Contents): string {
  const { version, commit, architecture, launcher } = contents;
  const own = { name: 'envicutor', version, licenses: licensesOf('Apache-2.0') };
  const properties = [
    { name: 'envicutor:commit', value: commit.id },
    { name: 'envicutor:architecture', value: architecture },
  ];
  const components = [
    ...contents.packages.map((one) => toLibrary(one)),
    ...contents.runtime.map((one) => ({ ...toLibrary(one), type: 'platform' })),
    ...Object.entries(contents.programs).map(([path, sha256]) => toFile(path, sha256)),
    {
      ...toFile('bin/envicutor-launcher', launcher.sha256),
      version: `${version}+${commit.id}`,
      components: launcher.libraries.map(toSystemLibrary),
    },
  ];
  const document = {
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 },
    metadata: {
      timestamp: new Date(commit.seconds * 1000).toISOString(),
      component: { type: 'application', 'bom-ref': toPackageUrl('envicutor', version), ...own, properties },
    },
    components,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function toLibrary({ path, name, version, integrity, license }: LockedPackage) {
  const slash = name.startsWith('@') ? name.indexOf('/') : -1;
  return {
    type: 'library',
    // The same package may lie in two places, in one version or two.
    'bom-ref': path,
    ...(slash < 0 ? {} : { group: name.slice(0, slash) }),
    name: name.slice(slash + 1),
    version,
    purl: toPackageUrl(name, version),
    hashes: [{ alg: 'SHA-512', content: toHex(integrity) }],
    ...(license === '' ? {} : { licenses: licensesOf(license) }),
  };
}

const toFile = (path: string, sha256: string) => ({
  ...{ type: 'file', 'bom-ref': path, name: path, hashes: [{ alg: 'SHA-256', content: sha256 }] },
});

const toSystemLibrary = ({ name, version }: LinkedLibrary) => ({
  ...{ type: 'library', 'bom-ref': `linked ${name}`, name, version },
});

/** An identifier is an expression, too. */
const licensesOf = (expression: string) => [{ expression }];

/** Of the lock's `sha512-<base64>`; other algorithms are not npm's any more. */
function toHex(integrity: string): string {
  const [, digest] = /^sha512-([A-Za-z0-9+/=]+)$/.exec(integrity) ?? [];
  if (digest === undefined)
    throw new Error(`package-lock.json has the integrity '${integrity}', which is no SHA-512; run npm install`);
  return Buffer.from(digest, 'base64').toString('hex');
}

const toPackageUrl = (name: string, version: string) =>
  `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`;
