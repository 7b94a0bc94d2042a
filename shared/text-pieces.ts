/**
 * Owns cutting a long text into short ones, for whoever would otherwise hold up everybody else while it works on all of it at once; short ones also find
 * memory that was used before, where a long one makes the kernel give as many bytes afresh. Pure.
 * Invariant: the pieces together are the text, and each of them has a UTF-8 form of its own if the text has one: no piece ends between surrogates.
 */

/** What is worth cutting, in UTF-16 code units. */
export const PIECE_LENGTH = 262_144;

/** The text in pieces of at most `lengthMax` + 1 code units, in order; none of an empty text. */
export function* textPieces(text: string, lengthMax = PIECE_LENGTH): Generator<string, void, undefined> {
  for (let from = 0; from < text.length; ) {
    const to = from + lengthMax;
    const end = isBetweenSurrogates(text, to) ? to + 1 : to;
    yield text.slice(from, end);
    from = end;
  }
}

function isBetweenSurrogates(text: string, at: number): boolean {
  return isIn(text.charCodeAt(at - 1), 0xd800, 0xdbff) && isIn(text.charCodeAt(at), 0xdc00, 0xdfff);
}

function isIn(unit: number, first: number, last: number): boolean {
  return unit >= first && unit <= last;
}
