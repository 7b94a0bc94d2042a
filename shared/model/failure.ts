/**
 * Owns how a failure of ours is told inside an answer that is no error itself: an execution's, an environment's, a prefetch's.
 * Never holds a verdict. Its code is one of shared/errors.ts.
 */
import { Type } from '@sinclair/typebox';
import { Closed } from './closed.ts';

/** A code and a sentence. */
export const Failure = Closed(
  {
    code: Type.String({ description: 'Stable; one of docs/errors.md.' }),
    detail: Type.String({ description: 'What was attempted and what came of it.' }),
  },
  { title: 'Failure', description: 'A fault of ours, never of the program.' },
);
