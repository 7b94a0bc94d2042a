/**
 * Owns changing settings for a contest and putting them back. Never touches one that is right, that is not listed, or that somebody changed since.
 * Invariants: what was there is recorded, for good, before it is changed, so that whoever is killed at any moment has changed nothing that `undo`
 * does not put back; both may be repeated.
 */
import { OneOf } from '../../shared/model/closed.ts';
import type { ContestRecord, RecordedChange } from './contest-record.ts';
import type { ContestSubject } from './contest-subject.ts';
import type { Machine } from './machine.ts';
import type { ContestRequirement } from './requirement.ts';
import { readSetting, type WantedFile } from './setting-files.ts';

/**
 * What became of one setting. `refused`: the kernel did not take it; `unchanged`: it had its value already; `left`: somebody else changed it
 * since, so that it is not ours to put back.
 */
export const ChangeOutcome = OneOf(['changed', 'restored', 'unchanged', 'left', 'refused']);

/** One setting and what became of it. */
export interface ChangeMade extends RecordedChange {
  readonly outcome: 'changed' | 'restored' | 'unchanged' | 'left' | 'refused';
  /** Why it was refused, else empty. */
  readonly detail: string;
}

/** Makes right what can be made right; tells every setting that it touched. */
export async function fixSettings(
  requirements: readonly ContestRequirement[],
  subject: ContestSubject,
  record: ContestRecord,
): Promise<readonly ChangeMade[]> {
  const made: ChangeMade[] = [];
  for (const { id, fix } of requirements) {
    if (!('files' in fix)) continue;
    for (const file of fix.files(subject)) {
      const change = toChange(id, file, subject.machine);
      if (change === null) continue;
      await record.add(change);
      const refusal = write(subject.machine, change.path, change.after);
      const isTaken = file.isRight(readSetting(subject.machine, change.path) ?? '');
      const detail = refusal ?? (isTaken ? '' : 'it kept its value');
      made.push({ ...change, outcome: detail === '' ? 'changed' : 'refused', detail });
    }
  }
  return made;
}

function toChange(requirement: string, { path, value, isRight }: WantedFile, machine: Machine): RecordedChange | null {
  const before = readSetting(machine, path);
  if (before === null || value === null || isRight(before)) return null;
  return { requirement, path, before, after: value };
}

/** Puts back what is recorded, last first; what is refused stays recorded. */
export async function undoSettings(machine: Machine, record: ContestRecord): Promise<readonly ChangeMade[]> {
  const made = [...record.changes].reverse().map((change) => putBack(machine, change));
  const refused = new Set(made.filter(({ outcome }) => outcome === 'refused').map(({ path }) => path));
  await record.keepOnly(record.changes.filter(({ path }) => refused.has(path)));
  return made;
}

function putBack(machine: Machine, change: RecordedChange): ChangeMade {
  const { path, before, after } = change;
  const now = readSetting(machine, path);
  if (now === before) return { ...change, outcome: 'unchanged', detail: '' };
  if (now !== null && now !== after) return { ...change, outcome: 'left', detail: `it is ${now} now` };
  const refusal = write(machine, path, before);
  const detail = refusal ?? (readSetting(machine, path) === before ? '' : 'it kept its value');
  return { ...change, outcome: detail === '' ? 'restored' : 'refused', detail };
}

function write(machine: Machine, path: string, value: string): string | null {
  try {
    machine.write(path, value);
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
