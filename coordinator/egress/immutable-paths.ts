/**
 * Owns what a path alone says about an answer: that its URL never changes, and that it is one release of something. Pure.
 * Never knows a host, so that a mirror's paths mean what the registry's do.
 * Invariant: a path that a server could read as another one (dot segments, doubled slashes, a query) says nothing.
 */
import type { ImmutablePath } from '../../shared/model/egress.ts';

/** Longer paths say nothing: expressions with references take their time over them, and a build chooses its paths. */
const PATH_CHARACTERS_MAX = 1024;

/** What the shapes of the operator's policy say about request targets. */
export interface PathShapes {
  /** Does this URL never change? */
  isImmutable(target: string): boolean;
  /** Is it one release, so that its age counts? */
  isRelease(target: string): boolean;
}

/** The pattern as an expression over whole paths; null when it is none. */
export function toPathExpression(pattern: string): RegExp | null {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch {
    return null;
  }
}

function isPlain(target: string): boolean {
  if (target.length > PATH_CHARACTERS_MAX || target.includes('?')) return false;
  return !/\/\/|\/(\.|%2e){1,2}(\/|$)|%2f|%5c|\\/i.test(target);
}

/** Compiles shapes; throws an Error for one that is no expression. */
export function createPathShapes(shapes: readonly ImmutablePath[]): PathShapes {
  const compile = (wanted: readonly ImmutablePath[]): RegExp[] =>
    wanted.map(({ pattern }) => {
      const expression = toPathExpression(pattern);
      if (expression === null) throw new Error(`not a regular expression: ${pattern}`);
      return expression;
    });
  const all = compile(shapes);
  const releases = compile(shapes.filter(({ isRelease }) => isRelease));
  const matches = (expressions: readonly RegExp[], target: string): boolean =>
    isPlain(target) && expressions.some((expression) => expression.test(target));
  return {
    isImmutable: (target) => matches(all, target),
    isRelease: (target) => matches(releases, target),
  };
}
