/**
 * Owns the files of a page as a browser gets them: its HTML, its style and its modules, which in a checkout lose their types as they are read (Node's
 * own stripping; nothing is bundled or built) and in the package are what tsc made of them; what all pages share; and the modules of packages that those
 * import. Never serves anything.
 * Invariants: what is served is what lay there when it was first asked for; a file's address holds the digest of all of them, so that it never changes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { digestHex, digestOf } from '../../shared/digest.ts';
import { collectPackages, findImports, type PackageModule } from './page-packages.ts';

/** A file as it is served. */
export interface PageFile {
  readonly type: string;
  readonly content: string;
}

/** All of a page. */
export interface PageFiles {
  /** Of everything, a part of each file's address. */
  readonly digest: string;
  readonly html: string;
  /** By folder and name, such as `console/main.ts`. */
  readonly files: ReadonlyMap<string, PageFile>;
  /** The text of the page's one script that lies in its HTML: which addresses packages have. */
  readonly importMap: string;
  /** Of all files, those that a first visit loads. */
  readonly firstFiles: readonly string[];
}

const isCheckout = import.meta.filename.endsWith('.ts');
const ending = isCheckout ? '.ts' : '.js';
/** What all pages share. */
const FOUNDATION = 'foundation';
const PACKAGES = 'packages';
/** Stand in the HTML for what is only known here. */
const ASSETS = '{{assets}}';
const MODULE_ENDING = '{{ending}}';
const IMPORTS = '{{imports}}';
const PRELOADS = '{{preloads}}';
const DIGEST_CHARACTERS = 16;
const JAVASCRIPT = 'text/javascript; charset=utf-8';

/** Modules lie beside this file; of the package's, style and HTML lie where the sources had them. */
function folders(name: string): { modules: string; texts: string } {
  const modules = join(import.meta.dirname, name);
  return { modules, texts: isCheckout ? modules : join(import.meta.dirname, '../../../coordinator/pages', name) };
}

function readModule(path: string): string {
  const text = readFileSync(path, 'utf8');
  return isCheckout ? stripTypeScriptTypes(text) : text;
}

interface Sources {
  /** Modules by their paths, and where each is served. */
  readonly modules: Map<string, string>;
  readonly files: Map<string, PageFile>;
}

function readFolder(name: string, { modules, files }: Sources): void {
  const { modules: moduleFolder, texts } = folders(name);
  for (const file of readdirSync(moduleFolder).sort()) {
    if (!file.endsWith(ending) || file.endsWith('.d.ts')) continue;
    const path = join(moduleFolder, file);
    const content = readModule(path);
    modules.set(path, content);
    files.set(`${name}/${file}`, { type: JAVASCRIPT, content });
  }
  for (const file of readdirSync(texts).sort()) {
    if (!file.endsWith('.css')) continue;
    files.set(`${name}/${file}`, { type: 'text/css; charset=utf-8', content: readFileSync(join(texts, file), 'utf8') });
  }
}

/** Reads a page of this folder; `known`: what stands in its HTML between double braces. */
export function readPage(name: string, known: Readonly<Record<string, string>>): PageFiles {
  const sources: Sources = { modules: new Map(), files: new Map() };
  for (const folder of [FOUNDATION, name]) readFolder(folder, sources);
  const { modules, files } = sources;
  const packages = collectPackages(modules);
  for (const { file, content } of packages.values()) files.set(`${PACKAGES}/${file}`, { type: JAVASCRIPT, content });
  const whole = JSON.stringify([...files].map(([file, { content }]) => [file, content]));
  const digest = digestHex(digestOf(whole)).slice(0, DIGEST_CHARACTERS);
  const assets = `assets/${digest}`;
  const imports = [...packages.values()].map(({ specifier, file }) => [specifier, `./${assets}/${PACKAGES}/${file}`]);
  const importMap = JSON.stringify({ imports: Object.fromEntries(imports) });
  const firstFiles = findFirst(`${name}/main${ending}`, files, packages);
  const preloads = firstFiles.map((file) => `<link rel="modulepreload" href="${assets}/${file}" />`).join('\n    ');
  const { texts } = folders(name);
  let html = readFileSync(join(texts, `${name}.html`), 'utf8').replaceAll(MODULE_ENDING, ending);
  html = html
    .replaceAll(ASSETS, assets)
    .replace(IMPORTS, () => importMap)
    .replace(PRELOADS, () => preloads);
  for (const [word, value] of Object.entries(known)) html = html.replaceAll(`{{${word}}}`, value);
  return { digest, html, files, importMap, firstFiles };
}

/** The modules that are loaded before the page runs, in the order in which they are met. */
function findFirst(
  main: string,
  files: ReadonlyMap<string, PageFile>,
  packages: ReadonlyMap<string, PackageModule>,
): string[] {
  const reached = new Set([main]);
  for (const file of reached) {
    for (const specifier of findImports(files.get(file)?.content ?? '').first) {
      const found = packages.get(specifier);
      reached.add(found === undefined ? join(file, '..', specifier) : `${PACKAGES}/${found.file}`);
    }
  }
  return [...reached];
}
