/**
 * Owns `make docs`: writes every generated document.
 * Never writes anything else; a document that is the same already keeps its time.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generators } from './generators.ts';

const root = join(import.meta.dirname, '../..');
for (const [path, generate] of Object.entries(generators)) {
  const target = join(root, path);
  const text = generate();
  if (readText(target) === text) continue;
  writeFileSync(target, text);
  process.stdout.write(`${path}\n`);
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
