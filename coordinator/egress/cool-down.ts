/**
 * Owns the cool-down: a release that is younger than the operator allows is refused, by the registry's own Last-Modified. Pure.
 * Never guesses an age: what happens to a release that tells none is the operator's decision.
 */
import type { EgressPolicy } from '../../shared/model/egress.ts';
import { isHostMatched, type Refusal } from './admission.ts';
import { directivesOf, headerOf, type RawHeaders } from './headers.ts';
import type { PathShapes } from './immutable-paths.ts';

const HOUR_MS = 3_600_000;
const NAME_CHARACTERS_MAX = 80;

/** An answer whose age may count. */
export interface ReleaseAnswer {
  /** The host that the build asked, not its mirror. */
  readonly host: string;
  readonly target: string;
  readonly rawHeaders: RawHeaders;
}

/** Is this one version of something, by its path or because its sender says that it never changes or is to be saved? */
function isRelease({ target, rawHeaders }: ReleaseAnswer, shapes: PathShapes): boolean {
  if (shapes.isRelease(target)) return true;
  // By its path it never changes and is no release: an index named by its digest.
  if (shapes.isImmutable(target)) return false;
  if (directivesOf(rawHeaders).has('immutable')) return true;
  return /^\s*attachment\b/i.test(headerOf(rawHeaders, 'content-disposition') ?? '');
}

function toAge(ageMs: number): string {
  const hours = Math.floor(ageMs / HOUR_MS);
  if (hours < 1) return 'less than an hour old';
  return hours < 48 ? `${hours} hours old` : `${Math.floor(hours / 24)} days old`;
}

/** Why this answer is not given to the build yet; null: it may have it. */
export function whyTooYoung(
  { name, coolDown }: Pick<EgressPolicy, 'name' | 'coolDown'>,
  shapes: PathShapes,
  answer: ReleaseAnswer,
  nowMs: number,
): Refusal | null {
  const { days, exemptHosts, whenUnknown } = coolDown;
  if (days === 0 || exemptHosts.some((pattern) => isHostMatched(pattern, answer.host))) return null;
  if (!isRelease(answer, shapes)) return null;
  const file = (answer.target.split('?')[0] ?? '').split('/').at(-1)?.slice(0, NAME_CHARACTERS_MAX) ?? '';
  const rule = `the operator's policy ${name} asks for ${days} days`;
  const modifiedMs = Date.parse(headerOf(answer.rawHeaders, 'last-modified') ?? '');
  if (Number.isNaN(modifiedMs)) {
    if (whenUnknown === 'allow') return null;
    return {
      code: 'too-young',
      sentence: `${file} does not tell its age, and ${rule}: ask the operator to exempt its host`,
    };
  }
  const ageMs = nowMs - modifiedMs;
  if (ageMs >= days * 24 * HOUR_MS) return null;
  return { code: 'too-young', sentence: `${file} is ${toAge(ageMs)}, and ${rule}: pin an older version` };
}
