/**
 * Owns finding the modules of packages that a page imports by their names, as the packages ship them, and all that those import. Never changes one: what a
 * browser gets lies in node_modules byte by byte. A package's module for browsers is what its package.json exports for `import`.
 * Invariant: a name stands for one file, whoever imports it; a second version of a package is an error here, not two editors in one page.
 */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a module imports: before it runs, and while it runs if it wishes. */
export interface ModuleImports {
  readonly first: readonly string[];
  readonly later: readonly string[];
}

/** A module of a package. */
export interface PackageModule {
  readonly specifier: string;
  /** A name without folders that is its own. */
  readonly file: string;
  readonly content: string;
  /** Names of packages' modules that it imports before it runs. */
  readonly first: readonly string[];
}

interface Manifest {
  readonly module?: string;
  readonly exports?: string | Readonly<Record<string, unknown>>;
}

/** The specifiers of a module's imports, as JavaScript that tools have written has them: at the beginning of a line. */
export function findImports(text: string): ModuleImports {
  const first = text.matchAll(/^(?:import|export)\b[^'"();]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm);
  const later = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g);
  return {
    first: [...first].map(([, from, bare]) => from ?? bare ?? ''),
    later: [...later].map(([, specifier = '']) => specifier),
  };
}

const isPackage = (specifier: string) => !/^[./]/.test(specifier);

/** Every module of a package that these modules import, by its specifier; `importers`: their texts, by their paths. */
export function collectPackages(importers: ReadonlyMap<string, string>): ReadonlyMap<string, PackageModule> {
  const found = new Map<string, PackageModule & { readonly path: string }>();
  const visit = (path: string, text: string): void => {
    const { first, later } = findImports(text);
    for (const specifier of [...first, ...later].filter(isPackage)) {
      const target = resolveModule(specifier, path);
      const known = found.get(specifier);
      if (known !== undefined && known.path !== target)
        throw new Error(`${specifier} is there twice, as ${known.path} and ${target}; run npm dedupe`);
      if (known !== undefined) continue;
      const content = readFileSync(target, 'utf8');
      const file = `${specifier.replace(/^@/, '').replaceAll('/', '-').replace(/\.js$/, '')}.js`;
      const imports = findImports(content).first.filter(isPackage);
      found.set(specifier, { specifier, file, content, first: imports, path: target });
      visit(target, content);
    }
  };
  for (const [path, text] of importers) visit(path, text);
  return found;
}

/** The file of a package's module as somebody at a path sees it. */
function resolveModule(specifier: string, from: string): string {
  const manifestPath = findPackageJSON(specifier, pathToFileURL(from));
  if (manifestPath === undefined) throw new Error(`${from} imports ${specifier}, which is not installed`);
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest;
  const inside = specifier.split('/').slice(specifier.startsWith('@') ? 2 : 1);
  const target = exportOf(manifest, ['.', ...inside].join('/'));
  if (target === null) throw new Error(`${manifestPath} exports no ES module for ${specifier}`);
  return join(dirname(manifestPath), target);
}

/** The file for a path of a package such as `.` or `./mode/ruby`; null: it has no ES module there. */
export function exportOf({ exports, module }: Manifest, inside: string): string | null {
  if (exports === undefined || typeof exports === 'string')
    return inside === '.' ? ((exports as string | undefined) ?? module ?? null) : null;
  // Without paths it says the conditions of the package's one module.
  const paths = Object.keys(exports).some((name) => name.startsWith('.')) ? exports : { '.': exports };
  for (const [pattern, target] of Object.entries(paths)) {
    const [before = '', after] = pattern.split('*');
    const isExact = after === undefined && pattern === inside;
    const fits = after !== undefined && inside.startsWith(before) && inside.endsWith(after);
    if (!isExact && !fits) continue;
    const file = typeof target === 'string' ? target : (target as Readonly<Record<string, unknown>> | null)?.['import'];
    if (typeof file !== 'string') return null;
    return isExact ? file : file.replace('*', inside.slice(before.length, inside.length - (after ?? '').length));
  }
  return null;
}
