/**
 * Owns how a plan is told to an operator: a few lines of text, each with its unit. Never computes anything that the plan does not hold.
 */
import type { Plan, WhatIf } from './planning.ts';

const whole = (value: number) => value.toFixed(0);
const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(0);

function machinesLine({ machines, ratePerMinute, p99Ms, mix }: Plan): string {
  const { expected, low, high, coordinators } = machines;
  const wanted = `${whole(ratePerMinute)} submissions a minute of '${mix}' at p99 ≤ ${whole(p99Ms)} ms`;
  if (expected === null)
    return `${wanted} want more machines than can be planned for: lower the rate or raise the target`;
  const range = `${low ?? '?'} to ${high ?? 'more than can be planned for'}`;
  const apart =
    expected === 1
      ? 'the coordinator on it'
      : `and ${coordinators} coordinator${coordinators === 1 ? '' : 's'} beside them`;
  return `${wanted} want ${expected} machine${expected === 1 ? '' : 's'} (${range} by the margin of the fit; buy ${high ?? '?'}), ${apart}`;
}

function whatIfLine({ more, perMinute, percent: gain, remark }: WhatIf): string {
  if (remark !== null) return `  one more ${more}: nothing, ${remark}`;
  return `  one more ${more}: ${perMinute >= 0 ? '+' : ''}${whole(perMinute)} a minute (${gain >= 0 ? '+' : ''}${gain.toFixed(1)} %)`;
}

/** The lines of a plan. */
export function toPlanText(plan: Plan): string {
  const { perMachine, machine, costs, busy, whatIf, calibrated, validated, outside } = plan;
  const cost = (name: string) => (costs[name] ?? 0).toFixed(1);
  const [cpuLow, cpuHigh] = calibrated.cpuTimeMs.map((ms) => ms.toFixed(0));
  const [rateLow, rateHigh] = calibrated.perMinute.map(whole);
  return [
    machinesLine(plan),
    `one machine (${machine.cores} cores, ${machine.slots} slots, ${gibibytes(machine.memoryBytes)} GiB) keeps the target up to ${whole(perMachine.perMinute)} a minute (${whole(perMachine.low)} to ${whole(perMachine.high)}); with nothing waiting its p99 is ${whole(perMachine.floorP99Ms)} ms`,
    `saturates first: ${plan.saturatesFirst} (at that rate busy: ${Object.entries(busy)
      .map(([name, share]) => `${name} ${percent(share)}`)
      .join(', ')})`,
    `an execution costs besides its program: coordinator ${cost('coordinatorMs')}, agent ${cost('agentMs')}, sandbox ${cost('sandboxMs')}, the kernel and what no book shows ${cost('backgroundMs')} ms of processor time, and up to ${cost('delayMs')} ms of waiting; the program's own time counts ${(costs['perCpuMs'] ?? 1).toFixed(2)} times`,
    'for one machine,',
    ...whatIf.map(whatIfLine),
    `calibrated: ${calibrated.cores} cores, programs of ${cpuLow} to ${cpuHigh} ms on average, ${rateLow} to ${rateHigh} a minute; validated: ${validated.machines} machine of ${validated.cores} cores, programs of ${validated.cpuTimeMs.join(' to ')} ms on average (bench/results/planner.md says how near)`,
    ...outside.map((sentence) => `outside the validated range: ${sentence}`),
    ...(plan.isComplete ? [] : ['this plan is not complete: it was interrupted']),
    '',
  ].join('\n');
}
