/**
 * Owns the timing certificate: what was seen of the processors while a program ran, and whether its times can be shown to be its own; and what is told
 * of an execution that was run again because they were not.
 * Never judges (agent/timing/judgement) and never says that a time is right: an agent that lies is told by its receipts, which don't state this.
 * Invariant: every reason has its sentence here, and is there exactly when something was seen (dirty) or can't be seen (unprovable).
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, Nullable, OneOf, Timestamp } from './closed.ts';
import { ExecutionVerdict } from './judging.ts';

// biome-ignore format: a catalog is read by column
const reasons = {
  'steal':                { makes: 'dirty',      sentence: 'The hypervisor gave time of its processors to others.' },
  'throttled':            { makes: 'dirty',      sentence: 'The kernel held it back for its share of processors.' },
  'thermal-throttling':   { makes: 'dirty',      sentence: 'Its processors were slowed down because they were hot.' },
  'frequency-changed':    { makes: 'dirty',      sentence: 'Its processors had another frequency at its end than at its beginning.' },
  'processor-shared':     { makes: 'dirty',      sentence: 'Its processors also did something else.' },
  'sibling-busy':         { makes: 'dirty',      sentence: 'Another thread of the same core was busy.' },
  'virtual-machine':      { makes: 'unprovable', sentence: 'The machine is virtual and has no control of its frequency.' },
  'frequency-unknown':    { makes: 'unprovable', sentence: 'The frequency of its processors can not be read.' },
  'frequency-not-fixed':  { makes: 'unprovable', sentence: 'The frequency may change: the governor is not performance, or boost is not off.' },
  'steal-unknown':        { makes: 'unprovable', sentence: 'What the hypervisor gave of its processors to others can not be read.' },
  'not-pinned':           { makes: 'unprovable', sentence: 'It had no processors of its own.' },
  'several-slots':        { makes: 'unprovable', sentence: 'Its tests ran on several slots, of which one was looked at.' },
  'uncalibrated':         { makes: 'unprovable', sentence: 'Its processors have not been calibrated.' },
  'calibration-unsteady': { makes: 'unprovable', sentence: 'The calibration of its processors came out differently each time.' },
} as const satisfies Record<string, { readonly makes: 'dirty' | 'unprovable'; readonly sentence: string }>;

/** Why a time is not clean. */
export type TimingReason = keyof typeof reasons;

/** Every reason: what it makes of a certificate, and its sentence. */
export const timingReasons: Readonly<
  Record<TimingReason, { readonly makes: 'dirty' | 'unprovable'; readonly sentence: string }>
> = reasons;

const reasonNames = Object.keys(reasons) as TimingReason[];
const milliseconds = (description: string) => Type.Number({ minimum: 0, description });
const count = (description: string) => Type.Integer({ minimum: 0, description });

/** The same fixed work, done several times in a sandbox on the processors of one slot. */
export const TimingCalibration = Closed(
  {
    at: Timestamp,
    runs: count('How often it was done.'),
    cpuTimeMs: milliseconds('The median of its processor times.'),
    coefficientOfVariation: Type.Number({
      minimum: 0,
      description: 'Their standard deviation as a part of their mean; above 0.01 nothing is shown by them.',
    }),
  },
  { title: 'TimingCalibration', description: 'Fixed work done several times on the processors of one slot.' },
);
export type TimingCalibration = Static<typeof TimingCalibration>;

/** Its processors at one moment. */
export const TimingMoment = Closed(
  {
    stealMs: Nullable(Type.Number({ minimum: 0 }), {
      description: 'What the hypervisor has given to others since the start of the machine; null: not known.',
    }),
    frequencyKhz: Nullable(Type.Integer({ minimum: 0 }), { description: 'Of the slowest of them; null: not known.' }),
    thermalThrottles: Nullable(Type.Integer({ minimum: 0 }), {
      description: 'How often they were slowed down since the start of the machine; null: not known.',
    }),
  },
  { title: 'TimingMoment', description: 'The processors of a slot at one moment.' },
);
export type TimingMoment = Static<typeof TimingMoment>;

/** What was seen: all that a judgement is made from. */
export const timingFacts = {
  cpus: Nullable(Type.String(), { description: 'Processors that were its own, as the kernel lists them; null: none.' }),
  isAddressSpaceFixed: Type.Boolean({ description: 'Was its address space laid out without randomness?' }),
  areHugePagesOff: Type.Boolean({ description: 'Were transparent huge pages off for it?' }),
  isVirtual: Type.Boolean({ description: 'Does the machine have a hypervisor?' }),
  governor: Nullable(Type.String(), { description: 'Who sets the frequency; null: there is no control of it.' }),
  isBoosted: Nullable(Type.Boolean(), { description: 'May the frequency rise above its base? Null: not known.' }),
  before: TimingMoment,
  after: TimingMoment,
  cpuTimeMs: milliseconds('Of all scripts that it is about.'),
  wallTimeMs: milliseconds('From the first look to the second.'),
  elsewhereMs: Nullable(Type.Number({ minimum: 0 }), {
    description: 'What its own processors did besides, to a tick of the kernel; null: not known.',
  }),
  siblingsMs: Nullable(Type.Number({ minimum: 0 }), {
    description: 'What other threads of the same cores did meanwhile; null: not known, or there are none.',
  }),
  voluntarySwitches: count('How often it waited for something.'),
  involuntarySwitches: count('How often another program had its turn.'),
  throttledMs: milliseconds('How long the kernel held it back for its share of processors.'),
  neighbours: count('Executions that had other slots of this agent at any time meanwhile.'),
  slots: count('Slots that it had.'),
  calibration: Nullable(TimingCalibration, { description: 'The last one before it; null: there was none.' }),
};
const TimingFacts = Closed(timingFacts);
export type TimingFacts = Static<typeof TimingFacts>;

/** See the head of this file. */
export const TimingCertificate = Closed(
  {
    clean: Type.Union([Type.Boolean(), Type.Literal('unprovable')], {
      description:
        'True: nothing was seen that changes its times, and all that would can be seen. False: something was seen.',
    }),
    reasons: Type.Array(OneOf(reasonNames, { title: 'TimingReason', description: 'Why it is not clean.' }), {
      description: 'All that hold; of a clean one none.',
    }),
    ...timingFacts,
  },
  {
    title: 'TimingCertificate',
    description: 'What was seen of the processors while the run script, or all tests, ran. Not signed.',
  },
);
export type TimingCertificate = Static<typeof TimingCertificate>;

/** What became of the wish to run something again. */
export const rerunOutcomes = ['repeated', 'no-other-agent', 'not-repeated'] as const;

/** An execution whose first result was dirty and near a limit. */
export const Rerun = Closed(
  {
    reason: Type.Literal('dirty-near-limit', {
      description: 'Its certificate was not clean, and a time near its limit.',
    }),
    outcome: OneOf(rerunOutcomes, {
      description:
        '`repeated`: this is the result of another agent. `no-other-agent`: nobody else could. `not-repeated`: nobody else did in time, or all that tried failed; in both this is the first result.',
    }),
    first: Closed(
      {
        agent: Type.String({ description: 'Who gave the first result.' }),
        verdict: Nullable(ExecutionVerdict, { description: 'Of the first result.' }),
        limit: OneOf(['cpuTimeMs', 'wallTimeMs'], { description: 'The limit that was near.' }),
        allowed: milliseconds('That limit.'),
        observed: milliseconds('What was used of it.'),
        reasons: Type.Array(OneOf(reasonNames), { description: 'Why its certificate was not clean.' }),
      },
      { title: 'FirstResult', description: 'What is remembered of the first result.' },
    ),
  },
  { title: 'Rerun', description: 'An execution whose first result was dirty and near a limit.' },
);
export type Rerun = Static<typeof Rerun>;
