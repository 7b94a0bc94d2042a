/**
 * Owns the table of tried recipes, as text for a terminal. Pure.
 */
import type { RecipeTrial } from './trial.ts';

const MiB = 1_048_576;

/** Were all its programs as they should be? */
export function isGreen({ failure, programs }: RecipeTrial): boolean {
  return failure === null && programs.every(({ differences }) => differences.length === 0);
}

/** One line for each recipe, aligned, and below it what is wrong. */
export function toTable(trials: readonly RecipeTrial[]): string {
  const rows = trials.map((trial) => {
    const hello = trial.programs.find(({ program }) => program === 'hello');
    return [
      ...[trial.recipe, isGreen(trial) ? 'ok' : 'WRONG'],
      ...[
        trial.buildMs === null ? '-' : `${(trial.buildMs / 1000).toFixed(1)} s`,
        `${(trial.bytes / MiB).toFixed(0)} MiB`,
      ],
      ...[hello === undefined ? '-' : `${hello.warmMs.toFixed(0)} ms`],
      hello?.compileMs === undefined || hello.compileMs === null ? '-' : `${hello.compileMs.toFixed(0)} ms`,
    ];
  });
  const head = ['recipe', 'result', 'built in', 'layers', 'hello, warm', 'of that compile'];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const wrong = trials.flatMap(({ recipe, failure, programs }) => [
    ...(failure === null ? [] : [`${recipe}: ${failure}`]),
    ...programs.flatMap(({ program, differences }) => differences.map((text) => `${recipe}, ${program}: ${text}`)),
  ]);
  const warm = trials.flatMap(({ programs }) => programs.filter(({ program }) => program === 'hello'));
  const medianOf = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const sum = [
    `${trials.filter(isGreen).length} of ${trials.length} recipes are as they say`,
    `median build ${(medianOf(trials.flatMap(({ buildMs }) => buildMs ?? [])) / 1000).toFixed(1)} s`,
    `median hello ${medianOf(warm.filter(({ compileMs }) => compileMs !== null).map(({ warmMs }) => warmMs)).toFixed(0)} ms with compile`,
    `${medianOf(warm.filter(({ compileMs }) => compileMs === null).map(({ warmMs }) => warmMs)).toFixed(0)} ms without`,
  ];
  return [line(head), ...rows.map(line), ...wrong, sum.join(', ')].join('\n');
}
