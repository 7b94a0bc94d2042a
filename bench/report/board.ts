/**
 * Owns the top of a page: what was measured where, what is wrong with the recording as a whole, and every question with its answer in one sentence.
 * Never adds up what does not belong together: goals of noisy answers and of quick runs are said to be so beside their count.
 */

import { describeMachine } from '../recording/machine.ts';
import type { RecordedAnswer, Recording } from '../recording/recording.ts';
import { toDuration } from '../wording.ts';
import { type Markup, markup, prose } from './markup.ts';
import { answerOf, marksOf } from './section.ts';

/** A question with where its section is. */
export interface Asked {
  readonly id: string;
  readonly answered: RecordedAnswer;
}

/** Shorter spans are said in seconds. */
const MINUTES_FROM_MS = 120_000;

const toCount = (count: number, one: string, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

/** How long all took: minutes say more of it than many seconds. */
function toSpan(ms: number): string {
  return ms < MINUTES_FROM_MS ? toDuration(ms) : `${Math.round(ms / 60_000)} minutes`;
}

/** What a reader must know before the first figure. */
function banners({ isQuick, isComplete, scenarios }: Recording): Markup[] {
  const known = scenarios.length === 0 ? 'nothing was answered by then' : `below is what was known by then`;
  return [
    ...(isComplete
      ? []
      : [
          markup`<p class="banner" role="note"><b>Interrupted.</b> This run was not finished: ${known}; the questions after it were not asked.</p>\n`,
        ]),
    ...(isQuick
      ? [
          markup`<p class="banner" role="note"><b>A quick run.</b> It shows the shape of the answers. With so few rounds its figures are of no weight, and neither is which goals it reached.</p>\n`,
        ]
      : []),
  ];
}

/** The counts, each with what takes away from it. */
function counts({ scenarios, isQuick }: Recording): Markup {
  const goals = scenarios.flatMap(({ goals, noise }) => goals.map((goal) => ({ ...goal, isNoisy: noise.length > 0 })));
  const reached = goals.filter(({ isReached }) => isReached);
  const missed = goals.filter(({ isReached }) => !isReached);
  const doubtful = (list: typeof goals) => {
    const noisy = list.filter(({ isNoisy }) => isNoisy).length;
    if (isQuick) return 'in a quick run';
    return noisy === 0 ? '' : `${noisy === list.length ? 'all' : noisy} on a noisy machine`;
  };
  const answeredCount = scenarios.filter(({ answer }) => answer !== null).length;
  const noisyCount = scenarios.filter(({ noise }) => noise.length > 0).length;
  const tiles: readonly [number, string, string][] = [
    [
      answeredCount,
      `of ${toCount(scenarios.length, 'question')} answered`,
      noisyCount === 0 ? '' : `${noisyCount} of them noisy`,
    ],
    [reached.length, `of ${toCount(goals.length, 'goal')} reached`, doubtful(reached)],
    [missed.length, `${missed.length === 1 ? 'goal' : 'goals'} not reached`, doubtful(missed)],
  ];
  return markup`<ul class="counts">${tiles.map(([count, what, but]) => markup`<li><b>${count}</b> ${what}${but === '' ? null : markup` <span>${but}</span>`}</li>\n`)}</ul>\n`;
}

function goalsOf({ goals }: RecordedAnswer): Markup | null {
  if (goals.length === 0) return null;
  const reached = goals.filter(({ isReached }) => isReached).length;
  return markup`<span class="tally">${reached} of ${toCount(goals.length, 'goal')} reached</span>`;
}

/** One line of the board. */
function entry({ id, answered }: Asked): Markup {
  const { question } = answered;
  return markup`<li><h3><a href="#${id}">${prose(question)}</a>${marksOf(answered)}</h3><p>${answerOf(answered)}</p>${goalsOf(answered)}</li>\n`;
}

function facts({ machine, commit, command, startedAt, scenarios }: Recording): Markup {
  const tookMs = scenarios.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const lines: readonly [string, Markup][] = [
    ['Machine', markup`${describeMachine(machine)}`],
    [
      'Asked',
      markup`${startedAt.slice(0, 16).replace('T', ' ')} UTC by <code>${command}</code>, for ${toSpan(tookMs)}`,
    ],
    ['Commit', markup`<code>${commit}</code>${commit.endsWith('+') ? ', with changes that are not in it' : null}`],
  ];
  return markup`<dl class="facts">${lines.map(([name, what]) => markup`<div><dt>${name}</dt><dd>${what}</dd></div>\n`)}</dl>\n`;
}

/** All that is above the first section. */
export function toBoard(recording: Recording, asked: readonly Asked[]): Markup {
  return markup`<header>
<p class="kind">Benchmarks</p>
<h1>Envicutor, measured</h1>
<p class="lead">What it costs to run strangers’ code in a sandbox: each question beside its rivals, taken in turn in the same run on the same machine. Medians and tails, never a mean alone.</p>
${banners(recording)}${facts(recording)}</header>
<section id="answers" aria-labelledby="answers-q">
<h2 id="answers-q">Answers</h2>
${counts(recording)}<ol class="board">${asked.map(entry)}</ol>
</section>
`;
}

/** The table of contents. */
export function toContents(asked: readonly Asked[]): Markup {
  const entries = asked.map(({ id, answered }) => {
    const { name, noise, problem } = answered;
    const mark = problem === null ? noise.length > 0 && 'noisy' : 'did not finish';
    return markup`<li><a href="#${id}">${name}</a>${mark === false ? null : markup` <span>${mark}</span>`}</li>\n`;
  });
  return markup`<nav aria-label="Contents"><p>Contents</p><ol><li><a href="#answers">Answers</a></li>\n${entries}</ol></nav>\n`;
}
