/**
 * Owns the states of an environment's build.
 * queued: waits for the builder · building: a script runs · verifying: the verifier checks, signs and writes · ready: every layer is published ·
 * failed: a client's script failed or the build could not be carried out; may be tried again.
 */
import { Lifecycle } from './lifecycle.ts';

export const buildStates = ['queued', 'building', 'verifying', 'ready', 'failed'] as const;
export type BuildState = (typeof buildStates)[number];

export type BuildCause = 'started' | 'captured' | 'published' | 'next-layer' | 'script-failed' | 'broken' | 'retried';

// biome-ignore format: a transition table is read by column
export const buildLifecycle = new Lifecycle<BuildState, BuildCause>('build', {
  queued:    { started: 'building', published: 'ready', broken: 'failed' },
  building:  { captured: 'verifying', 'script-failed': 'failed', broken: 'failed' },
  verifying: { published: 'ready', 'next-layer': 'building', broken: 'failed' },
  ready:     {},
  failed:    { retried: 'queued' },
});
