/**
 * Owns what tests say was seen of a machine's processors: all known and nothing bad, with what a test changes.
 */
import { toCertificate } from '../../agent/timing/judgement.ts';
import type { TimingCertificate, TimingFacts } from '../../shared/model/timing-certificate.ts';

/** Processors of which all is known, at both looks. */
export const calm = { stealMs: 70, frequencyKhz: 3_000_000, thermalThrottles: 4 };
/** As steady as it has to be. */
export const calibration = { at: '2026-01-01T00:00:00.000Z', runs: 10, cpuTimeMs: 20, coefficientOfVariation: 0.01 };

/** A machine of which all is known, and nothing bad. */
export const cleanFacts: TimingFacts = {
  ...{ cpus: '3', isAddressSpaceFixed: true, areHugePagesOff: true, isVirtual: false },
  ...{ governor: 'performance', isBoosted: false, before: calm, after: calm, cpuTimeMs: 990, wallTimeMs: 1000 },
  ...{ elsewhereMs: 20, siblingsMs: 20, voluntarySwitches: 9, involuntarySwitches: 2, throttledMs: 0 },
  ...{ neighbours: 3, slots: 1, calibration },
};

/** A certificate that is clean, dirty or unprovable. */
export function makeCertificate(clean: TimingCertificate['clean']): TimingCertificate {
  if (clean === true) return toCertificate(cleanFacts);
  return toCertificate({ ...cleanFacts, ...(clean === false ? { throttledMs: 3 } : { isBoosted: null }) });
}
