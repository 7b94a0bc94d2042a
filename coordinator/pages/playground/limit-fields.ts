/**
 * Owns how limits are written by people: in seconds, mebibytes and numbers, each by its name. Pure; never knows a default or a maximum: the API does.
 * Invariant: a field that is empty is no limit of the request.
 */
import type { LimitName, Limits } from '../../../shared/model/limits.ts';

/** One limit as people write it. */
export interface LimitField {
  readonly name: LimitName;
  readonly label: string;
  readonly unit: string;
  /** Of the unit in one of the limit's own. */
  readonly factor: number;
}

const MIB = 1024 * 1024;

export const limitFields: readonly LimitField[] = [
  { name: 'cpuTimeMs', label: 'Processor time', unit: 's', factor: 1000 },
  { name: 'wallTimeMs', label: 'Real time', unit: 's', factor: 1000 },
  { name: 'idleTimeMs', label: 'Waiting', unit: 's', factor: 1000 },
  { name: 'memoryBytes', label: 'Memory', unit: 'MiB', factor: MIB },
  { name: 'processes', label: 'Processes', unit: '', factor: 1 },
  { name: 'outputBytes', label: 'Output', unit: 'KiB', factor: 1024 },
  { name: 'fileSizeBytes', label: 'File size', unit: 'MiB', factor: MIB },
  { name: 'diskBytes', label: 'Disk', unit: 'MiB', factor: MIB },
  { name: 'diskInodes', label: 'Files', unit: '', factor: 1 },
  { name: 'openFiles', label: 'Open files', unit: '', factor: 1 },
  { name: 'stackBytes', label: 'Stack', unit: 'MiB', factor: MIB },
];

/** What stands in a field for this amount. */
export function toFieldText({ factor }: LimitField, amount: number | undefined): string {
  return amount === undefined ? '' : String(amount / factor);
}

/** The amount that a field says: undefined for nothing, null for what is no number above 0. */
export function fromFieldText({ factor }: LimitField, text: string): number | undefined | null {
  const bare = text.trim().replace(',', '.');
  if (bare === '') return undefined;
  const amount = Math.round(Number(bare) * factor);
  return /^\d*\.?\d+$/.test(bare) && amount >= 1 && Number.isSafeInteger(amount) ? amount : null;
}

/** What the API says of a limit, in the unit of its field; of anything else as it is. */
export function toFieldDetail(pointer: string, detail: string): string {
  const name = /^\/(?:compile|run)\/limits\/(\w+)$/.exec(pointer)?.[1];
  const field = limitFields.find((each) => each.name === name);
  if (field === undefined || field.factor === 1) return detail;
  return detail.replace(/\d+/g, (amount) => `${Number(amount) / field.factor} ${field.unit}`);
}

/** Limits with one of them changed, or without it. */
export function withLimit(limits: Limits, name: LimitName, amount: number | undefined): Limits {
  const { [name]: _, ...others } = limits;
  return amount === undefined ? others : { ...others, [name]: amount };
}
