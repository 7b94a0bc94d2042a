/**
 * Owns the stages of an execution and what moves it between them.
 * queued: waits for an agent · building: waits for its environment · preparing: leased, the agent fetches and mounts ·
 * running: the agent runs compile, run or tests · finished: there is a verdict · cancelled: its client did not want it any more, or was not at its
 * terminal for too long (unattended) · failed: our own fault.
 */
import { Lifecycle } from './lifecycle.ts';

export const stages = ['queued', 'building', 'preparing', 'running', 'finished', 'cancelled', 'failed'] as const;
export type Stage = (typeof stages)[number];

export type StageCause =
  | 'environment-missing'
  | 'environment-ready'
  | 'environment-failed'
  | 'placed'
  | 'started'
  | 'completed'
  | 'requeued'
  | 'cancelled'
  | 'unattended'
  | 'gave-up';

// biome-ignore format: a transition table is read by column
export const executionLifecycle = new Lifecycle<Stage, StageCause>('execution', {
  queued:    { 'environment-missing': 'building', placed: 'preparing', cancelled: 'cancelled', 'gave-up': 'failed' },
  building:  { 'environment-ready': 'queued', 'environment-failed': 'finished', cancelled: 'cancelled', 'gave-up': 'failed' },
  preparing: { started: 'running', completed: 'finished', requeued: 'queued', cancelled: 'cancelled', 'gave-up': 'failed' },
  running:   { completed: 'finished', requeued: 'queued', cancelled: 'cancelled', unattended: 'cancelled', 'gave-up': 'failed' },
  finished:  {},
  cancelled: {},
  failed:    {},
});
