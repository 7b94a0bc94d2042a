/**
 * Owns what `preflight` tells: one row for each requirement, as a line for people and as JSON for programs; and what it ends with. Never looks.
 * Invariant: names of fields are for good; others may come beside them.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from '../../shared/model/closed.ts';
import { type ChangeMade, ChangeOutcome } from './contest-fixes.ts';
import { type ContestRequirement, findingStates, type Requirement, severities } from './requirement.ts';

/** One setting that was touched. */
export const ChangeRow = Closed({
  requirement: Type.String({ description: 'Id of the requirement.' }),
  path: Type.String({ description: 'The file.' }),
  before: Type.String({ description: 'What was there.' }),
  after: Type.String({ description: 'What is wanted for a contest.' }),
  outcome: ChangeOutcome,
  detail: Type.String({ description: 'Why it was refused or left; else empty.' }),
});
export type ChangeRow = Static<typeof ChangeRow>;

/** One requirement and what was found. */
export const RequirementRow = Closed({
  id: Type.String({ description: 'Stable name.' }),
  about: Type.String({ description: 'What it is, and why it matters.' }),
  severity: OneOf(severities, {
    description:
      '`must`: the agent does not start without; `should`: it works badly; `timing`: times are not to be relied on; `information`: told for comparison.',
  }),
  state: OneOf(findingStates, { description: '`unknown`: the machine does not tell; that is never taken for `ok`.' }),
  found: Type.String({ description: 'What is there.' }),
  needed: Type.String({ description: 'What should be.' }),
  remedy: Type.String({ description: 'What mends it, a command where there is one; told also when all is well.' }),
  isFixable: Type.Boolean({ description: 'May --fix apply it?' }),
  changes: Type.Array(ChangeRow, { description: 'What --fix touched; else empty.' }),
});
export type RequirementRow = Static<typeof RequirementRow>;

const FOUND_WIDTH_MAX = 40;

/** The row of a requirement of this subject. */
export async function toRow<Subject>(requirement: Requirement<Subject>, subject: Subject): Promise<RequirementRow> {
  const { id, about, severity } = requirement;
  const finding = await requirement.look(subject);
  const { state, found, needed = requirement.needed, remedy = requirement.remedy } = finding;
  return { ...{ id, about, severity, state, found, needed, remedy }, isFixable: isFixable(requirement), changes: [] };
}

function isFixable(requirement: Requirement<never> | ContestRequirement): boolean {
  return 'fix' in requirement && 'files' in requirement.fix;
}

/** Must it be mended? */
export function isAmiss({ state, severity }: Pick<RequirementRow, 'state' | 'severity'>): boolean {
  return state === 'wrong' && severity !== 'information';
}

/** One aligned line for each row; the remedy where something is wrong. */
export function toLines(rows: readonly RequirementRow[]): string {
  const idWidth = widest(rows.map(({ id }) => id));
  const foundWidth = Math.min(FOUND_WIDTH_MAX, widest(rows.map(({ found }) => found)));
  const neededWidth = Math.min(FOUND_WIDTH_MAX, widest(rows.map(({ needed }) => needed)));
  return rows
    .map(({ id, state, found, needed, remedy }) => {
      const columns = `${state.padEnd(7)}  ${id.padEnd(idWidth)}  ${found.padEnd(foundWidth)}  needed: ${needed.padEnd(neededWidth)}`;
      return `${state === 'wrong' ? `${columns}  remedy: ${remedy}` : columns.trimEnd()}\n`;
    })
    .join('');
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length));
}

/** One line for each setting that was touched. */
export function toChangeLines(changes: readonly ChangeMade[]): string {
  return changes
    .map(({ outcome, path, before, after, detail }) => {
      const way = outcome === 'restored' ? `${after} -> ${before}` : `${before} -> ${after}`;
      return `${outcome.padEnd(9)}  ${path}  ${way}${detail === '' ? '' : ` (${detail})`}\n`;
    })
    .join('');
}
