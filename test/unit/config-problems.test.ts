/**
 * Owns the proof that a coordinator's settings which make no sense together are told with their remedy.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { CoordinatorConfig } from '../../coordinator/config.ts';
import { findConfigProblems } from '../../coordinator/config-problems.ts';
import { CONTENT_BYTES_MAX } from '../../shared/protocol/version.ts';

const problemsWith = (changes: Partial<CoordinatorConfig>) =>
  findConfigProblems({ ...Value.Create(CoordinatorConfig), ...changes });

test('bodies are no larger than what an agent can be told in one message', () => {
  assert.deepEqual(problemsWith({ bodyBytesMax: CONTENT_BYTES_MAX }), []);
  const [problem, ...more] = problemsWith({ bodyBytesMax: CONTENT_BYTES_MAX + 1 });
  assert.match(problem ?? '', /^bodyBytesMax may be at most 83886080: .* files$/);
  assert.deepEqual(more, []);
});
