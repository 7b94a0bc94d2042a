/**
 * Owns how numbers, times and digests are written for people. Never rounds away that something is there.
 * Pure: what time it is, is given.
 */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes, in the largest unit of which there is one. */
export function toBytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${amount < 10 && power > 0 ? amount.toFixed(1) : Math.round(amount)} ${units[power]}`;
}

/** A time in milliseconds. */
export function toTimeText(ms: number): string {
  if (ms === 0) return '0 ms';
  if (ms < 10) return `${ms < 0.1 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

const ages = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
] as const;

/** How long ago something was. */
export function toAgeText(timestamp: string | null, nowMs: number): string {
  if (timestamp === null) return '–';
  const ageMs = Math.max(0, nowMs - Date.parse(timestamp));
  const [ms, unit] = ages.find(([each]) => ageMs >= each) ?? [1000, 's'];
  return `${Math.floor(ageMs / ms)} ${unit} ago`;
}

/** The beginning of a digest or id, enough to tell it from others. */
export function toShort(text: string): string {
  const bare = text.replace(/^sha256:/, '');
  return bare.length <= 16 ? bare : `${bare.slice(0, 12)}…`;
}

/** A part of a whole, as a percentage. */
export function toPercentText(part: number): string {
  const percent = 100 * part;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}
