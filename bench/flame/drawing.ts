/**
 * Owns how folded stacks look: an SVG flame (width is weight, the root below, a tooltip each) and a short list for a terminal.
 * Never needs a script or a font of its own, so that the picture opens anywhere.
 */
import type { Folded } from './fold.ts';

const WIDTH = 1600;
const ROW = 17;
const LETTER = 6.6;
const NARROWEST = 0.4;

interface Branch {
  readonly name: string;
  weight: number;
  readonly children: Map<string, Branch>;
}

function toTree(folded: Folded): Branch {
  const root: Branch = { name: 'all', weight: 0, children: new Map() };
  for (const [stack, weight] of folded) {
    let branch = root;
    root.weight += weight;
    for (const name of stack.split(';')) {
      const child = branch.children.get(name) ?? { name, weight: 0, children: new Map() };
      branch.children.set(name, child);
      child.weight += weight;
      branch = child;
    }
  }
  return root;
}

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** A warm colour that is always the same for the same name. */
function colour(name: string): string {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 997;
  return `hsl(${sum % 55} 85% ${62 + (sum % 12)}%)`;
}

function depthOf(branch: Branch): number {
  return 1 + Math.max(0, ...[...branch.children.values()].map(depthOf));
}

/** The flame as a whole SVG file. */
export function toSvg(folded: Folded, title: string): string {
  const root = toTree(folded);
  const height = (depthOf(root) + 2) * ROW;
  const boxes: string[] = [];
  const draw = (branch: Branch, x: number, level: number): void => {
    const width = (branch.weight / root.weight) * WIDTH;
    if (width < NARROWEST) return;
    const y = height - (level + 1) * ROW;
    const share = `${((branch.weight / root.weight) * 100).toFixed(1)} %`;
    const label = branch.name.slice(0, Math.floor((width - 4) / LETTER));
    const text = label.length > 2 ? `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escaped(label)}</text>` : '';
    const box = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colour(branch.name)}"/>`;
    boxes.push(`<g><title>${escaped(branch.name)}: ${Math.round(branch.weight)} µs, ${share}</title>${box}${text}</g>`);
    let at = x;
    for (const child of [...branch.children.values()].sort((a, b) => b.weight - a.weight)) {
      draw(child, at, level + 1);
      at += (child.weight / root.weight) * WIDTH;
    }
  };
  draw(root, 0, 0);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">`,
    `<text x="4" y="13" font-size="13">${escaped(title)} (${Math.round(root.weight)} µs)</text>`,
    ...boxes,
    '</svg>\n',
  ].join('\n');
}

/** The heaviest frames of each command, counted with everything above them, in microseconds of each of `launches`, as Markdown. */
export function toSummary(folded: Folded, launches: number, most: number): string {
  const commands = new Map<string, { weight: number; frames: Map<string, number> }>();
  let all = 0;
  for (const [stack, weight] of folded) {
    const [command = '', ...frames] = stack.split(';');
    const found = commands.get(command) ?? { weight: 0, frames: new Map<string, number>() };
    commands.set(command, found);
    found.weight += weight;
    all += weight;
    for (const name of new Set(frames)) found.frames.set(name, (found.frames.get(name) ?? 0) + weight);
  }
  const each = (weight: number) => (weight / launches).toFixed(0);
  const lines = [...commands]
    .sort(([, a], [, b]) => b.weight - a.weight)
    .flatMap(([command, { weight, frames }]) => [
      `- ${command}: ${each(weight)}`,
      ...[...frames]
        .sort(([, a], [, b]) => b - a)
        .slice(0, most)
        .map(([name, part]) => `  - ${name}: ${each(part)}`),
    ]);
  return `- all: ${each(all)}\n${lines.join('\n')}\n`;
}
