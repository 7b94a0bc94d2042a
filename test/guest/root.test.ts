/**
 * Owns the proof that the sandbox holds on a host with a unified cgroup v2, its launcher started by root: the whole suite, in a guest.
 * Never skips silently: what this kernel can't show is listed with its reason.
 */
import { test } from 'node:test';
import { retellSuite } from './retell.ts';

test('the sandbox suite in a guest with a unified cgroup, as root', (context) => retellSuite(context, 'root'));
