/**
 * Owns the proof that the sandbox holds on arm64: the launcher that is compiled for it, on a kernel of it, under the whole suite, in an emulated machine.
 * Never skips silently. Runs in make test-deep only: what is emulated takes its time.
 */
import { test } from 'node:test';
import { retellSuite } from '../guest/retell.ts';

test('the sandbox suite on arm64, in a guest with a unified cgroup, as root', (context) =>
  retellSuite(context, 'arm64'));
