/**
 * Owns a network of a test's own: a namespace that is its switch, which this machine reaches by one address, and a namespace for each machine
 * beyond, whose cable can be cut. Needs root and iproute2. What is sent over a cut cable arrives nowhere and neither end is told.
 * Invariant: interfaces go with their namespaces, these with the processes that hold them, and those with the test's process, however it ends.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ATTEMPTS_MAX = 50;
/** Of 198.18.0.0/15, which is nobody's but such tests'; the lower half is the build networks'. */
const prefixOf = (number: number) => `198.19.${number}`;

/** A network namespace, and the process that holds it. */
class Namespace {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async open(): Promise<Namespace> {
    const held = ['unshare', '--net', 'sh', '-ec', 'ip link set lo up; echo held; exec sleep infinity'];
    const holder = spawn('setpriv', ['--pdeathsig', 'KILL', ...held], { stdio: ['ignore', 'pipe', 'inherit'] });
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(([code]) => {
        throw new Error(`a network namespace could not be made: ${code}; it needs root, unshare and ip`);
      }),
    ]);
    return new Namespace(holder);
  }

  get holderId(): number {
    return this.#holder.pid ?? 0;
  }

  /** What makes a command run in here. */
  get prefix(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.holderId}/ns/net`];
  }

  /** Runs each of the lines, in turn. */
  async do(...lines: readonly string[]): Promise<void> {
    const [command = '', ...rest] = [...this.prefix, 'sh', '-ec', lines.join('\n')];
    await run(command, rest);
  }

  /** Its interfaces and their other ends are gone a moment later. */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await ended;
  }
}

/** A machine of the network, as far as it is one: programs that are started by its prefix see nothing but its end of the cable. */
export class CabledMachine {
  readonly #switch: Namespace;
  readonly #namespace: Namespace;
  readonly #port: string;

  constructor(center: Namespace, namespace: Namespace, port: string) {
    this.#switch = center;
    this.#namespace = namespace;
    this.#port = port;
  }

  get prefix(): readonly string[] {
    return this.#namespace.prefix;
  }

  cut(): Promise<void> {
    return this.#switch.do(`ip link set ${this.#port} down`);
  }

  /** Connections that neither end has given up go on. */
  mend(): Promise<void> {
    return this.#switch.do(`ip link set ${this.#port} up`);
  }
}

/** See the head of this file. */
export class CuttableNetwork {
  /** This machine's, as those beyond reach it; it is never cut off. */
  readonly address: string;
  readonly #prefix: string;
  readonly #switch: Namespace;
  readonly #machines: Namespace[] = [];

  private constructor(prefix: string, center: Namespace) {
    this.#prefix = prefix;
    this.address = `${prefix}.1`;
    this.#switch = center;
  }

  static async open(): Promise<CuttableNetwork> {
    const center = await Namespace.open();
    try {
      const prefix = await plugIn(center);
      // Whoever is cut off has no route here: what is sent to him goes nowhere, and is not answered either.
      await center.do(
        `ip addr add ${prefix}.2/30 dev up0`,
        `ip link set up0 up`,
        `ip route add blackhole ${prefix}.0/24 metric 1000`,
        'echo 1 >/proc/sys/net/ipv4/ip_forward',
      );
      return new CuttableNetwork(prefix, center);
    } catch (error) {
      await center.close();
      throw error;
    }
  }

  /** One machine more, which can reach this one. */
  async attach(): Promise<CabledMachine> {
    const machine = await Namespace.open();
    this.#machines.push(machine);
    const [port, first] = [`port${this.#machines.length}`, 4 * this.#machines.length];
    const [here, there] = [`${this.#prefix}.${first + 1}`, `${this.#prefix}.${first + 2}`];
    await this.#switch.do(
      `ip link add ${port} type veth peer name cable netns ${machine.holderId}`,
      `ip addr add ${here}/30 dev ${port}`,
      `ip link set ${port} up`,
    );
    await machine.do(`ip addr add ${there}/30 dev cable`, 'ip link set cable up', `ip route add default via ${here}`);
    return new CabledMachine(this.#switch, machine, port);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#machines, this.#switch].map((namespace) => namespace.close()));
  }
}

/** Leads a cable from this machine into the namespace, with addresses that nobody here has; their first three numbers. Its name is the claim to them. */
async function plugIn({ holderId }: Namespace): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const number = randomInt(256);
    const [prefix, name] = [prefixOf(number), `envicutor-${number}`];
    const link = ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'up0', 'netns', String(holderId)];
    try {
      const { stdout: routes } = await run('ip', ['route', 'show', 'root', `${prefix}.0/24`]);
      if (routes !== '') throw new Error(`somebody has a route to ${prefix}.0/24: ${routes}`);
      await run('ip', link);
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error;
      continue;
    }
    await run('ip', ['addr', 'add', `${prefix}.1/30`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    await run('ip', ['route', 'add', `${prefix}.0/24`, 'via', `${prefix}.2`]);
    return prefix;
  }
}
