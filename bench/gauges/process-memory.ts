/**
 * Owns what processes hold of memory, by /proc: the proportional set size, in which a page that n processes share counts 1/n in each.
 * Never counts a process that ended while it was looked at. Also the kernel's own books, since a namespace lives there, not in any process.
 */
import { parentOf, processIds, readText } from './proc.ts';

/** Proportional set size in bytes; 0 when the process is gone. */
export function proportionalBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** Of these, what no file is behind: heaps and stacks, whoever else on the machine runs the same program; 0 when the process is gone. */
export function anonymousBytes(pid: number): number {
  return Number(/^Pss_Anon:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** Resident bytes, shared pages with them; 0 when the process is gone. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** All descendants, parents before children. */
export function descendantsOf(pid: number): number[] {
  const children = Map.groupBy(processIds(), parentOf);
  const found = [...(children.get(pid) ?? [])];
  for (const each of found) found.push(...(children.get(each) ?? []));
  return found;
}

/** Bytes that the kernel holds for itself and can't give back on demand: slabs, stacks, page tables, per-cpu areas. */
export function kernelBytes(): number {
  const text = readText('/proc/meminfo');
  const names = ['SUnreclaim', 'KernelStack', 'PageTables', 'Percpu'];
  return names.reduce(
    (sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024,
    0,
  );
}
