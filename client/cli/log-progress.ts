/**
 * Owns how far a build's script is, as far as what it writes tells: packages of apt that were fetched, unpacked and set up, of as many as it announced; percentages
 * that cmake and ninja write. Pure; what nobody announced is not known.
 */

const announced = /^(\d+) upgraded, (\d+) newly installed/;
const step = /^(Get:\d+ |Unpacking |Setting up )/;
/** What happens to each package. */
const STEPS = 3;
const percentage = /^\[ *(\d{1,3})%\]|^\[(\d+)\/(\d+)\] /;

/** The progress of one script. */
export class LogProgress {
  #steps = 0;
  #stepsAll = 0;
  #fraction: number | null = null;

  /** Of the whole, 0 to 1; null: it is not known. */
  get fraction(): number | null {
    return this.#fraction;
  }

  /** Takes a line. */
  hear(line: string): void {
    const found = announced.exec(line);
    if (found !== null) this.#announce(Number(found[1]) + Number(found[2]));
    else if (this.#stepsAll > 0 && step.test(line)) {
      this.#steps += 1;
      this.#fraction = Math.min(1, this.#steps / this.#stepsAll);
    }
    const [, percent, done, all] = percentage.exec(line) ?? [];
    if (percent !== undefined) this.#fraction = Math.min(1, Number(percent) / 100);
    else if (all !== undefined && Number(all) > 0) this.#fraction = Math.min(1, Number(done) / Number(all));
  }

  /** A second installation begins anew: how long a script is nobody knows. */
  #announce(packages: number): void {
    this.#steps = 0;
    this.#stepsAll = packages * STEPS;
    this.#fraction = packages === 0 ? null : 0;
  }
}
