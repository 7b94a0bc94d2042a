/**
 * Owns the way from `perf script`'s text to folded stacks: the root first, with a weight in microseconds.
 * Never resolves a symbol itself; what perf could not name stays `[unknown]`, and neighbours of the same name are one frame.
 */

/** Stacks, root first and joined by `;`, with their weights in microseconds. */
export type Folded = ReadonlyMap<string, number>;

/** One record of perf script. */
interface PerfRecord {
  readonly command: string;
  readonly thread: number;
  /** Seconds. */
  readonly at: number;
  readonly header: string;
  /** Root first. */
  readonly frames: readonly string[];
}

const header = /^\s*(.+?)\s+(\d+)\s+\[\d+\]\s+([\d.]+):/;
const frame = /^\s+[0-9a-f]+\s+(.+?)(?:\+0x[0-9a-f]+)?\s+\(/;

/** The entry of every system call and fault says nothing. */
const noise = /^(entry_SYSCALL_64|do_syscall_64|asm_|x64_sys_call|ret_from_fork|\[unknown\])/;

function* records(text: string): Generator<PerfRecord> {
  for (const block of text.split('\n\n')) {
    const [first = '', ...rest] = block.split('\n').filter((line) => line !== '');
    const match = header.exec(first);
    if (match === null) continue;
    const frames = rest.map((line) => frame.exec(line)?.[1] ?? '[unknown]').filter((name) => !noise.test(name));
    yield {
      command: match[1] ?? '',
      thread: Number(match[2]),
      at: Number(match[3]),
      header: first,
      frames: frames.reverse(),
    };
  }
}

function add(into: Map<string, number>, command: string, frames: readonly string[], weight: number): void {
  const stack = [command, ...frames].filter((name, index, all) => name !== all[index - 1]).join(';');
  into.set(stack, (into.get(stack) ?? 0) + weight);
}

/** Where processors were: a sample stands for `weight` microseconds; commands that `isOurs` refuses are left out. */
export function foldSamples(text: string, isOurs: (command: string) => boolean, weight: number): Folded {
  const folded = new Map<string, number>();
  for (const { command, frames } of records(text))
    if (isOurs(command)) add(folded, command.replace(/^(kworker).*/, '$1'), frames, weight);
  return folded;
}

/**
 * Where threads waited inside the kernel and could not be interrupted (locks, grace periods, disks): microseconds from being switched out to
 * being switched in. Waiting for work, which is interruptible, is not in it.
 */
export function foldWaits(text: string, isOurs: (command: string) => boolean): Folded {
  const folded = new Map<string, number>();
  const waiting = new Map<number, PerfRecord>();
  for (const record of records(text)) {
    const [, next] = /next_pid=(\d+)/.exec(record.header) ?? [];
    const from = waiting.get(Number(next));
    if (from !== undefined) {
      add(folded, from.command.replace(/^(kworker).*/, '$1'), from.frames, Math.round((record.at - from.at) * 1e6));
      waiting.delete(Number(next));
    }
    if (/prev_state=D/.test(record.header) && isOurs(record.command)) waiting.set(record.thread, record);
  }
  return folded;
}
