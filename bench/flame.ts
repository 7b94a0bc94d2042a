/**
 * Owns the answer to "where does the time go?": launches /bin/true again and again and has perf watch, either where processors were (default)
 * or where threads waited inside the kernel (--waits). Writes a flame as SVG, the folded stacks beside it, and prints the heaviest frames.
 * Never changes what it watches: perf samples from outside, and the launcher is the one of this checkout. Needs root and perf (linux-perf).
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { toSummary, toSvg } from './flame/drawing.ts';
import { foldSamples, foldWaits } from './flame/fold.ts';
import { SpawnTimer } from './peers/spawn-timer.ts';
import { BenchLauncher } from './workloads/bench-launcher.ts';
import { compiledProgram } from './workloads/compiled-program.ts';

const FREQUENCY = 4999;
const OUTPUT_BYTES_MAX = 1 << 30;
/** Ours by their names; kernel threads because namespaces are taken down there. */
const ours = /^(envicutor|true$|launch-over|kworker|rcu|ksoftirqd)/;

const { values } = parseArgs({
  options: {
    waits: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '4' },
    'gap-ms': { type: 'string', default: '0' },
    'in-flight': { type: 'string', default: '1' },
    launcher: { type: 'string' },
    output: { type: 'string', default: join(import.meta.dirname, 'results/flame.svg') },
  },
});

/** Launches with so many in flight until told to stop; tells each. */
async function launchUntil(launcher: BenchLauncher, stopped: () => boolean, onDone: () => void): Promise<void> {
  const frames = launcher.writeFrames(launcher.spec(['/bin/true']));
  const lane = async () => {
    const timer = new SpawnTimer(compiledProgram('programs/launch-over-socket.c'), launcher.socketPath, frames);
    while (!stopped()) {
      if (values['gap-ms'] !== '0') await pause(Number(values['gap-ms']));
      await timer.round();
      onDone();
    }
    await timer.stop();
  };
  await Promise.all(Array.from({ length: Number(values['in-flight']) }, lane));
}

/** Watches the whole machine for so long; what perf saw is in the file. */
async function watch(data: string): Promise<void> {
  const event = values.waits ? ['-e', 'sched:sched_switch'] : ['-e', 'cpu-clock', '-F', String(FREQUENCY)];
  const command = ['perf', 'record', '-q', '-a', '-g', ...event, '-o', data, '--', 'sleep', values.seconds];
  // Tracepoints are read through tracefs, which a host need not have mounted: this mount is nobody else's.
  const script = 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"';
  const perf = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', ...command], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(perf, 'exit');
  if (code !== 0)
    throw new Error(`perf record ended with ${code}; is the Debian package linux-perf installed, and are you root?`);
}

/** What perf saw, as text. */
function listed(data: string): string {
  const script = spawnSync('perf', ['script', '-i', data], { encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX });
  if (script.status !== 0) throw new Error(`perf script: ${script.stderr}`);
  return script.stdout;
}

const folder = mkdtempSync(join(tmpdir(), 'envicutor-flame-'));
const launcher = await BenchLauncher.start(values.launcher);
try {
  let isOver = false;
  let launches = 0;
  const launching = launchUntil(
    launcher,
    () => isOver,
    () => launches++,
  );
  const data = join(folder, 'perf.data');
  const watching = async (): Promise<number> => {
    await pause(300);
    launches = 0;
    await watch(data);
    isOver = true;
    return launches;
  };
  const [seen] = await Promise.all([watching(), launching]);
  const isOurs = (command: string) => ours.test(command);
  const folded = values.waits ? foldWaits(listed(data), isOurs) : foldSamples(listed(data), isOurs, 1e6 / FREQUENCY);
  const what = values.waits ? 'waiting inside the kernel' : 'on a processor';
  const title = `${what}: ${seen} launches of true in ${values.seconds} s, ${values['in-flight']} in flight, gaps of ${values['gap-ms']} ms`;
  mkdirSync(dirname(values.output), { recursive: true });
  writeFileSync(values.output, toSvg(folded, title));
  const lines = [...folded].map(([stack, weight]) => `${stack} ${weight}\n`);
  writeFileSync(`${values.output.replace(/\.svg$/, '')}.folded`, lines.join(''));
  process.stdout.write(`${title}; microseconds of each launch\n\n${toSummary(folded, seen, 25)}\n${values.output}\n`);
} finally {
  await launcher.stop();
  rmSync(folder, { recursive: true, force: true });
}
