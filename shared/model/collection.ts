/**
 * Owns what is said about files that an execution leaves: which are asked for, which came, and why others did not. Never holds a byte of one.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from './closed.ts';
import { FileIdText } from './file.ts';

/** As many as the launcher takes. */
export const COLLECT_PATTERNS_MAX = 64;
/** Parts of a pattern, as the launcher takes them. */
export const COLLECT_PARTS_MAX = 63;

/** Which files of the workspace are kept. */
export const CollectPatterns = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), {
  minItems: 1,
  maxItems: COLLECT_PATTERNS_MAX,
  description:
    'Paths in the workspace; `*`, `?` and `[a-z]` match within one name and no leading dot, a part that is `**` any number of directories.',
});

/** A file that was kept. */
export const CollectedFile = Closed(
  {
    path: Type.String({ description: 'In the workspace.' }),
    file: FileIdText,
    bytes: Type.Integer({ minimum: 0, description: 'Its size.' }),
  },
  { title: 'CollectedFile', description: 'A file that an execution left, and that is kept.' },
);
export type CollectedFile = Static<typeof CollectedFile>;

/**
 * Why a file that matched was not kept: no regular file · beyond collectBytesMax · beyond collectFilesMax, or a tree too large to walk (then without a path:
 * something may be missing) · not to be read · a path that is no UTF-8 · the tenant's room for files is used up.
 */
export const uncollectedStates = ['not-regular', 'too-large', 'too-many', 'unreadable', 'not-utf8', 'no-room'] as const;

/** A file that matched and was not kept. */
export const UncollectedFile = Closed(
  {
    path: Type.String({ description: 'What is no UTF-8 of it is replaced.' }),
    state: OneOf(uncollectedStates, { description: 'Why it was not.' }),
    bytes: Type.Integer({ minimum: 0, description: 'Its size.' }),
  },
  { title: 'UncollectedFile', description: 'A file that matched and was not kept.' },
);
export type UncollectedFile = Static<typeof UncollectedFile>;

/** How many files an operator may let an execution leave. */
export const COLLECTED_FILES_MAX = 10_000;
