/**
 * Owns whether the times of a run can be shown to be its own: from what was seen to `clean` with its reasons. Pure.
 * Never looks at a machine. Invariants: what was seen to disturb a run makes it dirty whatever else is known; what would show a disturbance and can't be
 * seen makes it unprovable; so a virtual machine without control of its frequency is never clean.
 */
import {
  type TimingCertificate,
  type TimingFacts,
  type TimingReason,
  timingReasons,
} from '../../shared/model/timing-certificate.ts';

/** Calibrations that differ by more than this show nothing. */
const VARIATION_MAX = 0.01;
/** A frequency that is read twice differs by as much without having changed. */
const FREQUENCY_CHANGE_MAX = 0.05;
/** Other work of so many milliseconds is below what ticks of the kernel can tell; longer runs bear as much as this part of them. */
const OTHER_WORK_MS = 20;
const OTHER_WORK_PART = 0.02;

const hasGrown = (before: number | null, after: number | null) => before !== null && after !== null && after > before;

const isNotable = (otherMs: number | null, { wallTimeMs }: TimingFacts) =>
  otherMs !== null && otherMs > Math.max(OTHER_WORK_MS, wallTimeMs * OTHER_WORK_PART);

function hasFrequencyChanged({ before, after }: TimingFacts): boolean {
  const [from, to] = [before.frequencyKhz, after.frequencyKhz];
  return from !== null && to !== null && Math.abs(to - from) > from * FREQUENCY_CHANGE_MAX;
}

/** When each reason holds. */
const holds: Readonly<Record<TimingReason, (facts: TimingFacts) => boolean>> = {
  steal: ({ before, after }) => hasGrown(before.stealMs, after.stealMs),
  throttled: ({ throttledMs }) => throttledMs > 0,
  'thermal-throttling': ({ before, after }) => hasGrown(before.thermalThrottles, after.thermalThrottles),
  'frequency-changed': hasFrequencyChanged,
  'processor-shared': (facts) => facts.cpus !== null && isNotable(facts.elsewhereMs, facts),
  'sibling-busy': (facts) => facts.cpus !== null && isNotable(facts.siblingsMs, facts),
  'virtual-machine': ({ isVirtual, governor }) => isVirtual && governor === null,
  'frequency-unknown': ({ governor, before, after }) =>
    governor === null || before.frequencyKhz === null || after.frequencyKhz === null,
  'frequency-not-fixed': ({ governor, isBoosted }) =>
    governor !== null && (governor !== 'performance' || isBoosted !== false),
  'steal-unknown': ({ before, after }) => before.stealMs === null || after.stealMs === null,
  'not-pinned': ({ cpus }) => cpus === null,
  'several-slots': ({ slots }) => slots > 1,
  uncalibrated: ({ calibration }) => calibration === null,
  'calibration-unsteady': ({ calibration }) =>
    calibration !== null && calibration.coefficientOfVariation > VARIATION_MAX,
};

/** The certificate of what was seen. */
export function toCertificate(facts: TimingFacts): TimingCertificate {
  const reasons = (Object.keys(holds) as TimingReason[]).filter((reason) => holds[reason](facts));
  const isDirty = reasons.some((reason) => timingReasons[reason].makes === 'dirty');
  return { clean: isDirty ? false : reasons.length === 0 ? true : 'unprovable', reasons, ...facts };
}
