/**
 * Owns the files of a page as a browser gets them: its HTML, its style and its modules, which in a checkout lose their types as they are read (Node's
 * own stripping; nothing is bundled or built) and in the package are what tsc made of them. Never serves anything.
 * Invariants: what is served is what lay there when it was first asked for; a file's address holds the digest of all of them, so that it never changes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { digestHex, digestOf } from '../../shared/digest.ts';

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
  readonly files: ReadonlyMap<string, PageFile>;
}

const isCheckout = import.meta.filename.endsWith('.ts');
const ending = isCheckout ? '.ts' : '.js';
/** Stand in the HTML for what is only known here. */
const ASSETS = '{{assets}}';
const MODULE_ENDING = '{{ending}}';
const DIGEST_CHARACTERS = 16;

/** Modules lie beside this file; of the package's, style and HTML lie where the sources had them. */
function folders(name: string): { modules: string; texts: string } {
  const modules = join(import.meta.dirname, name);
  return { modules, texts: isCheckout ? modules : join(import.meta.dirname, '../../../coordinator/pages', name) };
}

function readModule(path: string): string {
  const text = readFileSync(path, 'utf8');
  return isCheckout ? stripTypeScriptTypes(text) : text;
}

/** Reads a page of this folder; `known`: what stands in its HTML between double braces. */
export function readPage(name: string, known: Readonly<Record<string, string>>): PageFiles {
  const { modules, texts } = folders(name);
  const files = new Map<string, PageFile>();
  for (const file of readdirSync(modules).sort()) {
    if (!file.endsWith(ending) || file.endsWith('.d.ts')) continue;
    files.set(file, { type: 'text/javascript; charset=utf-8', content: readModule(join(modules, file)) });
  }
  for (const file of readdirSync(texts).sort()) {
    if (!file.endsWith('.css')) continue;
    files.set(file, { type: 'text/css; charset=utf-8', content: readFileSync(join(texts, file), 'utf8') });
  }
  const whole = JSON.stringify([...files].map(([file, { content }]) => [file, content]));
  const digest = digestHex(digestOf(whole)).slice(0, DIGEST_CHARACTERS);
  let html = readFileSync(join(texts, `${name}.html`), 'utf8').replaceAll(MODULE_ENDING, ending);
  html = html.replaceAll(ASSETS, `assets/${digest}`);
  for (const [word, value] of Object.entries(known)) html = html.replaceAll(`{{${word}}}`, value);
  return { digest, html, files };
}
