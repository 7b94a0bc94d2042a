/**
 * Owns holding a page against axe-core's rules for accessible pages, in the browser that shows it. Never mends one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChromiumPage } from './chromium.ts';

const path = join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js');

/** Rules that the page breaks, each with where. */
export async function findBrokenRules(
  page: ChromiumPage,
): Promise<readonly (readonly [rule: string, where: string])[]> {
  if (!(await page.evaluate<boolean>('"axe" in globalThis'))) await page.evaluate(`${readFileSync(path, 'utf8')};0`);
  return await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 160)).slice(0, 3).join(' | ')]))`);
}
