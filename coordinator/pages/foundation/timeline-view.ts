/**
 * Owns how the parts of an execution's time are shown: as a bar, and as a table that says the same in words. Never asks for them.
 */
import type { Timing } from '../../../shared/model/execution.ts';
import { make } from './elements.ts';
import { toPercentText, toTimeText } from './formats.ts';
import { toTimeline } from './timeline.ts';

/** A bar of parts, and a table that says the same. */
export function makeTimeline(timing: Timing): HTMLElement {
  const { totalMs, parts } = toTimeline(timing);
  const bar = make('div', { class: 'timeline', 'aria-hidden': 'true' });
  for (const { name, ms, share } of parts) {
    if (ms === 0) continue;
    const piece = make('span', { class: `piece ${name}`, title: `${name}: ${toTimeText(ms)}` });
    piece.style.flexGrow = String(share);
    bar.append(piece);
  }
  const rows = parts.flatMap(({ name, sentence, ms, share, parts: finer }) => [
    makeTimeRow(name, sentence, ms, share, `key ${name}`),
    ...finer.map((part) =>
      makeTimeRow(part.name, part.sentence, part.ms, totalMs === 0 ? 0 : part.ms / totalMs, 'finer'),
    ),
  ]);
  const head = make(
    'tr',
    {},
    ...['Part', 'Time', 'Share', 'What it is'].map((title, at) =>
      make('th', { scope: 'col', ...(at === 1 || at === 2 ? { class: 'number' } : {}) }, title),
    ),
  );
  const table = make(
    'table',
    { class: 'times' },
    make('caption', {}, `${toTimeText(totalMs)} from request to result`),
    make('thead', {}, head),
    make('tbody', {}, ...rows),
  );
  return make('div', {}, bar, make('div', { class: 'scroll' }, table));
}

function makeTimeRow(name: string, sentence: string, ms: number, share: number, kind: string): HTMLElement {
  return make(
    'tr',
    { class: kind },
    make('th', { scope: 'row' }, name),
    make('td', { class: 'number' }, toTimeText(ms)),
    make('td', { class: 'number' }, toPercentText(share)),
    make('td', {}, sentence),
  );
}
