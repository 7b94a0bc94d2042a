/**
 * Owns the facts about the machine that a figure was taken on; a figure without them is not a figure.
 */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** Ticks that the hypervisor took from this machine since boot. */
function stealTicks(): number {
  return Number(/^cpu +(?:\d+ +){7}(\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
}

/** Facts for the head of a report. */
export interface MachineFacts {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly governor: string;
  readonly stealTicks: number;
  /** Of the last minute: what ran here before us. */
  readonly load: number;
}

/** Reads the facts now; steal is a running total, to be read before and after. */
export function machineFacts(): MachineFacts {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    governor: readOr('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', 'none'),
    stealTicks: stealTicks(),
    load: loadavg()[0] ?? 0,
  };
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return otherwise;
  }
}

/** How the figures between two looks were got, as Markdown. */
export function toProvenance(before: MachineFacts, after: MachineFacts, command: string, at: Date): string {
  const { processor, cores, memoryGiB, kernel, node, governor } = before;
  return [
    `- Asked by \`${command}\`, ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- ${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, governor ${governor}`,
    `- Steal during the run: ${after.stealTicks - before.stealTicks} ticks; load of the minute before it: ${before.load.toFixed(2)}`,
    '',
  ].join('\n');
}
