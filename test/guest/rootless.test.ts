/**
 * Owns the proof that an ordinary user with a delegated cgroup gets the same sandbox: the whole suite, in a guest.
 * Never skips silently: what this kernel can't show is listed with its reason.
 */
import { test } from 'node:test';
import { retellSuite } from './retell.ts';

test('the sandbox suite in a guest with a unified cgroup, as an ordinary user', (context) =>
  retellSuite(context, 'person'));
