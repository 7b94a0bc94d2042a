/**
 * Owns throughput: how many rounds are done per second with so many under way, during a window of fixed length.
 * Never warms anything up, and never throws a round away: the last ones are waited for and their time counts.
 */

/** Rounds per second with `inFlight` under way all the time, during `windowMs`. */
export async function perSecond(inFlight: number, windowMs: number, round: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  let done = 0;
  const lane = async () => {
    while (performance.now() - from < windowMs) {
      await round();
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return (done * 1000) / (performance.now() - from);
}

/** What was seen in a window, and what of it was the asker's own work. */
export interface SeenWindow {
  readonly perSecond: number;
  /** Of each round; milliseconds. */
  readonly latencies: readonly number[];
  /** Processor time of this process in the window, as a percentage of one processor. */
  readonly askerPercent: number;
}

/** `perSecond` with what each round took and what asking cost. */
export async function seeWindow(
  inFlight: number,
  windowMs: number,
  round: () => Promise<unknown>,
): Promise<SeenWindow> {
  const latencies: number[] = [];
  const [from, used] = [performance.now(), process.cpuUsage()];
  const rate = await perSecond(inFlight, windowMs, async () => {
    const began = performance.now();
    await round();
    latencies.push(performance.now() - began);
  });
  const { user, system } = process.cpuUsage(used);
  return { perSecond: rate, latencies, askerPercent: (user + system) / 10 / (performance.now() - from) };
}

/** How many windows, and how long, for a scenario that was told how many rounds to do. */
export function windowsFor(rounds: number): { readonly windows: number; readonly windowMs: number } {
  return rounds < 100 ? { windows: 2, windowMs: 150 } : { windows: 8, windowMs: 2000 };
}
