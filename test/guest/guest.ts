/**
 * Owns a run of test files inside a guest (test/guest/boot, test/guest-arm64/boot.ts), seen from the host: what ended and how, what the console said.
 * Never judges an outcome: the tests beside this file do. Needs root, and the system packages that ops/local/prepare names.
 * Invariant: the guest is gone when a run returns, or this process is; only a panic that is known as the guest kernel's own fault
 * makes it boot again, and go on where it stopped.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { compilers } from '../../ops/release/architectures.ts';
import { compileAttacks } from '../support/attack-programs.ts';
import { kernelFaults } from '../support/guest.ts';

/** What test/guest/inside/main.ts writes. */
export type GuestEvent =
  | { readonly kind: 'began'; readonly name: string; readonly file: string }
  | {
      readonly kind: 'ended';
      readonly name: string;
      readonly file: string;
      /** Null: it passed, or was left out. */
      readonly failure: string | null;
      /** Why it was left out, or null. */
      readonly skip: string | null;
      readonly ms: number;
    };

const boot = new URL('boot', import.meta.url).pathname;
const bootArm = new URL('../guest-arm64/boot.ts', import.meta.url).pathname;

/**
 * Who runs the tests, what boots the guest for them, and how long one boot may take: four times what the slowest takes on a busy machine of two cores.
 * The guest's root, an ordinary user with a cgroup delegated to them, root of a Debian that systemd started, root of an emulated arm64.
 */
const guests = {
  root: { boot: [boot], secondsMax: 900 },
  person: { boot: [boot, '--user'], secondsMax: 900 },
  systemd: { boot: [boot, '--systemd'], secondsMax: 1800 },
  arm64: { boot: [process.execPath, bootArm], secondsMax: 5400 },
} as const;

/** One of them. */
export type GuestUser = keyof typeof guests;

/** What became of one test. */
export type Outcome = Extract<GuestEvent, { kind: 'ended' }>;

/** All boots of one run. */
export interface GuestRun {
  readonly outcomes: readonly Outcome[];
  /** Name of the test in which the guest ended for good, or null. */
  readonly unfinished: string | null;
  /** Tests in which the guest's kernel panicked by its own fault, in order. */
  readonly panics: readonly string[];
  /** Of test/guest/inside/main.ts; 137 when the guest was killed at its time limit. */
  readonly exitCode: number | null;
  /** The end of what kernel and runner said. */
  readonly console: string;
}

interface Boot {
  readonly events: readonly GuestEvent[];
  readonly exitCode: number | null;
  readonly console: string;
}

const CONSOLE_CHARACTERS = 3000;
/** Of one run: more would take too long. */
const PANICS_MAX = 8;
/** Boots that one test may cost; then it is left out, and listed. */
const TRIES_MAX = 2;
/**
 * A fork that is killed in the middle leaves marks in the new process's map of memory, which user-mode Linux 6.12 takes for
 * areas (flush_tlb_mm below exit_mmap below copy_process).
 */
const ownFault = /Kernel mode fault at addr 0x40e[\s\S]*exit_mmap[\s\S]*copy_process/;

/** Runs these files of the checkout in a guest; `fill` lays what they need into a folder that is /outgoing there. */
export async function runInGuest(
  user: GuestUser,
  files: readonly string[],
  fill: typeof layAttacks = layAttacks,
): Promise<GuestRun> {
  const outcomes: Outcome[] = [];
  const panics: string[] = [];
  let left = files;
  for (;;) {
    const { events, exitCode, console } = await bootOnce(user, outcomes, left, fill);
    outcomes.push(...events.filter((event) => event.kind === 'ended'));
    const ended = new Set(outcomes.map(({ name }) => name));
    const last = events.findLast((event) => event.kind === 'began' && !ended.has(event.name)) ?? events.at(-1);
    const isOver = exitCode === 0 || exitCode === 1;
    const unfinished = isOver ? null : (last?.name ?? 'the first');
    const isKnown = unfinished !== null && ownFault.test(console);
    if (isKnown) panics.push(unfinished);
    if (!isKnown || panics.length > PANICS_MAX)
      return { outcomes, unfinished, panics, exitCode, console: console.slice(-CONSOLE_CHARACTERS) };
    if (panics.filter((name) => name === unfinished).length === TRIES_MAX)
      outcomes.push(toLeftOut(unfinished, last?.file));
    left = left.slice(Math.max(0, left.indexOf(last?.file ?? '')));
  }
}

function toLeftOut(name: string, file = ''): Outcome {
  return {
    kind: 'ended',
    name,
    file,
    failure: null,
    skip: `${kernelFaults.forkKilled} It did ${TRIES_MAX} times.`,
    ms: 0,
  };
}

async function layAttacks(outgoing: string, user: GuestUser): Promise<void> {
  const attacks = await compileAttacks(user === 'arm64' ? compilers.arm64 : undefined);
  await writeFile(join(outgoing, 'attacks'), attacks, { mode: 0o644 });
}

async function bootOnce(
  user: GuestUser,
  done: readonly Outcome[],
  files: readonly string[],
  fill: typeof layAttacks,
): Promise<Boot> {
  const outgoing = await mkdtemp(join(tmpdir(), 'envicutor-guest-'));
  try {
    await fill(outgoing, user);
    const titles = JSON.stringify(done.filter(({ file }) => files.includes(file)).map(({ name }) => name));
    const command = ['node', 'test/guest/inside/main.ts', '/outgoing/events', titles, ...files];
    // Whatever ends this process ends the guest.
    const words = ['--pdeathsig', 'KILL', ...guests[user].boot, ...command];
    const own = {
      GUEST_OUTGOING: outgoing,
      GUEST_SECONDS: String(guests[user].secondsMax),
      ENVICUTOR_TEST_ATTACKS: '/outgoing/attacks',
    };
    const guest = spawn('setpriv', words, { env: { ...process.env, ...own }, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = Promise.all([text(guest.stdout), text(guest.stderr)]);
    const [exitCode] = (await once(guest, 'close')) as [number | null];
    return { events: await readEvents(join(outgoing, 'events')), exitCode, console: (await said).join('') };
  } finally {
    await rm(outgoing, { recursive: true, force: true });
  }
}

/** A guest that was killed may have left half a line. */
async function readEvents(path: string): Promise<GuestEvent[]> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n');
  return lines.slice(0, -1).map((line): GuestEvent => JSON.parse(line));
}
