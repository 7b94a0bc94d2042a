/**
 * Owns the part of a page that is about one question: its answer and how far to trust it, drawings, figures, goals, absent rivals, how it was measured.
 * Never judges: reached and noisy are what the recording says. Invariant: a doubt stands before the figure that it is about.
 */

import type { Goal, RecordedAnswer } from '../recording/recording.ts';
import { toDuration, toFigure } from '../wording.ts';
import { inShort } from './doubts.ts';
import { type Markup, markup, plain, prose } from './markup.ts';
import { toFigureElement } from './plots/drawing.ts';
import { toSeries } from './series.ts';
import { toTable } from './table.ts';

/** So many notes are there without asking. */
const NOTES_SHOWN = 6;

/** Why an answer is less than an answer, in two words. */
export function marksOf({ problem, noise }: RecordedAnswer): Markup {
  const marks = [
    problem === null ? null : markup` <span class="mark unfinished">did not finish</span>`,
    noise.length === 0 ? null : markup` <span class="mark noisy">noisy</span>`,
  ];
  return markup`${marks}`;
}

/** The sentence that answers, or that there is none. */
export function answerOf({ answer, noise }: RecordedAnswer): Markup {
  if (answer === null) return markup`No answer.`;
  return noise.length === 0 ? prose(answer) : markup`<span class="rough">Roughly: ${prose(answer)}</span>`;
}

/** The doubts, with their reasons. */
function doubts({ problem, noise }: RecordedAnswer): Markup[] {
  return [
    ...(problem === null ? [] : [markup`<p class="doubt unfinished"><b>Did not finish.</b> ${prose(problem)}</p>\n`]),
    ...(noise.length === 0
      ? []
      : [
          markup`<div class="doubt noisy"><p><b>Noisy.</b> The machine was not quiet: these figures give an order of magnitude, and are not to be quoted.</p><ul>${inShort(noise).map((reason) => markup`<li>${prose(reason)}</li>`)}</ul></div>\n`,
        ]),
  ];
}

function toGoal({ promise, seen, isReached }: Goal): Markup {
  const kind = isReached ? 'reached' : 'missed';
  return markup`<li class="${kind}"><b>${isReached ? 'Reached' : 'Not reached'}</b> <span>${prose(promise)}</span> <span class="seen">seen ${prose(seen)}</span></li>\n`;
}

function goals({ goals, noise }: RecordedAnswer): Markup | null {
  if (goals.length === 0) return null;
  const title = noise.length === 0 ? 'Promised, and seen' : 'Promised, and seen on a noisy machine';
  return markup`<h3>${title}</h3>\n<ul class="goals">${goals.map(toGoal)}</ul>\n`;
}

/** What every reader is told of how figures came to be, whatever the scenario says itself. */
function circumstances({ name, tookMs, loadBefore, stealShare }: RecordedAnswer): Markup {
  return markup`<li>Asked by <code>${`bench run ${name}`}</code>; it took ${toDuration(tookMs)}. In the minute before, ${toFigure(loadBefore)} programs could run; meanwhile the hypervisor took ${toFigure(100 * stealShare)} % of the processors' time.</li>`;
}

/** The circumstances and the notes; many notes wait until they are asked for. */
function howMeasured(answered: RecordedAnswer): Markup {
  const lines = answered.notes.map((note) => markup`<li>${prose(note)}</li>\n`);
  const [first, more] = [lines.slice(0, NOTES_SHOWN), lines.slice(NOTES_SHOWN)];
  const rest = markup`<details><summary>${more.length} more notes</summary><ul class="plain">${more}</ul></details>`;
  return markup`<ul class="plain">${circumstances(answered)}\n${first}</ul>${more.length === 0 ? null : rest}`;
}

/** The whole section, below this id. */
export function toSection(answered: RecordedAnswer, id: string): Markup {
  const { question, better, plots, absent, rivals, rows } = answered;
  const series = toSeries(answered);
  const drawable = { series, isMoreBetter: better === 'higher' };
  const missing = absent.map(({ name, why }) => markup`<li><b>${name}</b> is absent: ${prose(why)}</li>\n`);
  const asked = rivals.map(
    ({ name, version, source, settings }) =>
      markup`<li><b>${name}</b>, ${prose(version)} (${prose(source)}): ${settings.map((each) => markup`<code>${each}</code> `)}</li>\n`,
  );
  return markup`<section id="${id}" aria-labelledby="${id}-q">
<h2 id="${id}-q">${prose(question)}${marksOf(answered)}</h2>
<p class="answer">${answerOf(answered)}</p>
${doubts(answered)}${plots.map((plot, at) => toFigureElement(plot, drawable, `${id}-${at}`))}
${toTable(plain(question), series)}${rows.length === 0 ? null : markup`<p class="aside">${better === 'lower' ? 'Less is better.' : 'More is better.'}${series.some(({ isOurs }) => !isOurs) ? ' Our rows are in bold.' : null}</p>\n`}
${goals(answered)}${absent.length === 0 ? null : markup`<h3>Rivals that are not here</h3>\n<ul class="plain">${missing}</ul>\n`}${rivals.length === 0 ? null : markup`<details><summary>How the rivals were asked</summary>\n<ul class="plain">${asked}</ul></details>\n`}<h3>How this was measured</h3>
${howMeasured(answered)}
<p class="back"><a href="#answers">All answers</a></p>
</section>
`;
}
