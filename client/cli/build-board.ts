/**
 * Owns what is shown of a build on a terminal: a line with a bar for each of its scripts, drawn over and over; elsewhere one line for each phase.
 * Never a clock of its own: it draws when something happens, and a moment later what came too soon after that. Invariant: what a build says reaches the terminal without control characters.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { EnvironmentEvent, ExecutionEvent } from '../typescript/events.ts';
import { LogProgress } from './log-progress.ts';
import { type Paint, paintFor, type Surroundings } from './surroundings.ts';

type AnyEvent = EnvironmentEvent | ExecutionEvent;
type Phase = Extract<AnyEvent, { type: 'build.phase' }>['data']['phase'];

/** How much of a whole bar is behind when a phase begins: as such builds go, not as this one will. */
const begins: Readonly<Record<Phase, number>> = {
  ...{ 'fetching-parents': 0, running: 0.05, capturing: 0.75, 'verify-script': 0.88, publishing: 0.9, finished: 1 },
};
const order = Object.keys(begins) as readonly Phase[];
const BAR_CELLS = 24;
const DRAW_MS_MIN = 60;
const TAIL_LINES = 20;

interface Row {
  readonly layer: string;
  readonly sinceMs: number;
  phase: Phase;
  fraction: number | null;
  readonly said: LogProgress;
  bytes: number;
  line: string;
  endMs: number | null;
}

/** How much it says. */
export interface BoardOptions {
  readonly isVerbose: boolean;
  readonly isQuiet: boolean;
}

const isShown = (character: string) => character >= ' ' && !(character >= '\u007f' && character <= '\u009f');

/** Text without what a terminal obeys. */
export function toPlainText(text: string): string {
  return [...stripVTControlCharacters(text)].filter((character) => character === '\t' || isShown(character)).join('');
}

/** See the head of this file. */
export class BuildBoard {
  readonly #out: Surroundings['stderr'];
  readonly #clock: Clock;
  readonly #paint: Paint;
  readonly #options: BoardOptions;
  readonly #rows = new Map<string, Row>();
  readonly #tail: string[] = [];
  readonly #unended = new Map<string, string>();
  #drawn = 0;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #later: Timer | null = null;

  constructor({ stderr, clock, variables }: Surroundings, options: BoardOptions) {
    this.#out = stderr;
    this.#clock = clock;
    this.#options = options;
    this.#paint = paintFor(stderr, variables);
  }

  get #isDrawn(): boolean {
    return this.#out.isTTY === true && !this.#options.isQuiet && !this.#options.isVerbose;
  }

  /** The last lines that builds have said, the newest last. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  /** Shows an event of a build; others are none of its affair. */
  hear(event: AnyEvent): void {
    switch (event.type) {
      case 'build.phase':
        this.#enter(event.data.layer, event.data.phase);
        break;
      case 'build.progress': {
        const row = this.#row(event.data.layer);
        row.fraction = event.data.fraction ?? (row.phase === 'running' ? row.said.fraction : null);
        this.#draw(false);
        break;
      }
      case 'build.fetched':
        this.#row(event.data.layer).bytes = event.data.bytes;
        this.#draw(false);
        break;
      case 'build.log':
        this.#log(event.data.layer, event.data.text);
        break;
    }
  }

  #row(layer: string): Row {
    const known = this.#rows.get(layer);
    if (known !== undefined) return known;
    const sinceMs = this.#clock.monotonicMs();
    // One layer lies upon the other: when the next one begins, those before are there.
    for (const before of this.#rows.values()) this.#end(before);
    const row: Row = {
      ...{ layer, sinceMs, fraction: null, said: new LogProgress(), bytes: 0, line: '', endMs: null },
      phase: 'fetching-parents',
    };
    this.#rows.set(layer, row);
    return row;
  }

  #enter(layer: string, phase: Phase): void {
    const row = this.#row(layer);
    row.phase = phase;
    row.fraction = null;
    if (phase === 'finished') this.#end(row);
    if (this.#isDrawn) this.#draw(true);
    else if (!this.#options.isQuiet) this.#out.write(`envicutor: ${layer}: ${phase}\n`);
  }

  #end(row: Row): void {
    row.phase = 'finished';
    row.endMs ??= this.#clock.monotonicMs();
  }

  #log(layer: string, text: string): void {
    const lines = `${this.#unended.get(layer) ?? ''}${text}`.split(/\r?\n|\r/);
    this.#unended.set(layer, (lines.pop() ?? '').slice(-4096));
    for (const line of lines.map(toPlainText).filter((plain) => plain.trim() !== '')) {
      this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      const row = this.#row(layer);
      row.line = line;
      row.said.hear(line);
      if (row.phase === 'running') row.fraction = row.said.fraction;
      if (this.#options.isVerbose && !this.#options.isQuiet) this.#out.write(`${layer}: ${line}\n`);
    }
    this.#draw(false);
  }

  #draw(isWanted: boolean): void {
    if (!this.#isDrawn || this.#rows.size === 0) return;
    const nowMs = this.#clock.monotonicMs();
    if (!isWanted && nowMs - this.#drawnAtMs < DRAW_MS_MIN) {
      this.#later ??= this.#clock.after(DRAW_MS_MIN, () => this.#draw(true));
      return;
    }
    this.#later?.cancel();
    this.#later = null;
    this.#drawnAtMs = nowMs;
    const lines = [...this.#rows.values()].map((row) => this.#lineOf(row, nowMs));
    this.#out.write(
      `${this.#drawn > 0 ? `\u001b[${this.#drawn}A` : ''}${lines.map((line) => `\r\u001b[2K${line}\n`).join('')}`,
    );
    this.#drawn = lines.length;
  }

  #lineOf(row: Row, nowMs: number): string {
    const { layer, phase, fraction, bytes, line, sinceMs, endMs } = row;
    const next = begins[order[order.indexOf(phase) + 1] ?? 'finished'];
    const done = begins[phase] + (next - begins[phase]) * (fraction ?? 0);
    const cells = Math.round(done * BAR_CELLS);
    const bar = `${this.#paint(endMs === null ? 'cyan' : 'green', '█'.repeat(cells))}${this.#paint('dim', '░'.repeat(BAR_CELLS - cells))}`;
    const percent = phase === 'finished' ? '100 %' : fraction === null ? '' : `${Math.floor(fraction * 100)} %`;
    const seconds = `${(((endMs ?? nowMs) - sinceMs) / 1000).toFixed(1)} s`;
    const facts = `${phase.padEnd(16)} ${percent.padStart(5)} ${seconds.padStart(8)} ${bytes === 0 ? '' : `${(bytes / 1e6).toFixed(1)} MB `}`;
    const head = `${layer.padEnd(12)} `;
    const room = (this.#out.columns || 80) - 1 - head.length - BAR_CELLS - 1 - facts.length;
    return `${head}${bar} ${facts.slice(0, Math.max(0, facts.length + Math.min(0, room)))}${room > 8 && endMs === null ? this.#paint('dim', line.slice(0, room)) : ''}`;
  }

  /** What is drawn stays; what is written next begins below it. Did the build end well? Then every bar is full. */
  rest(isReady: boolean): void {
    if (isReady) for (const row of this.#rows.values()) this.#end(row);
    this.#draw(true);
    this.#rows.clear();
    this.#drawn = 0;
  }
}
