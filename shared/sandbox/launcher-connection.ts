/**
 * Owns one connection to the launcher: the handshake, frames out, frames in, and the launches and requests that wait for an answer.
 * Never reconnects (launcher-client does) and never interprets a report.
 * Invariant: when the connection is lost, whatever waits on it is rejected with `launcher-unavailable`, once.
 * Theory: bytes are read into one buffer that is used again and again; a listener that returns a promise stops the reading until it settles.
 */
import { createConnection, type Socket } from 'node:net';
import { SystemError } from '../errors.ts';
import type { CollectedStream } from './collected-stream.ts';
import { CONTRACT_VERSION, names } from './contract.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { encodeFrame, type FieldsOf, type Frame, type MessageName } from './frames.ts';
import { toLaunchReport } from './launch-report.ts';
import type { LaunchStdin } from './launch-stdin.ts';
import type { LaunchListener, LaunchReport, SandboxFacts } from './sandbox.ts';

/** Where the launcher is found. */
export interface LauncherTarget {
  /** Path of the launcher's Unix socket; with `open` only its name in errors. */
  readonly socketPath: string;
  /** Gives the socket of a launcher that was started for us alone, instead of dialling `socketPath`. */
  readonly open?: () => Socket;
}

/** A launch that has no report yet. */
export interface RunningLaunch {
  readonly listener: LaunchListener;
  stdin: LaunchStdin | null;
  /** What comes as stream 4, if the launch asked for files. */
  readonly collected: CollectedStream | null;
  resolve(report: LaunchReport): void;
  reject(cause: unknown): void;
  /** Why the report is to be rejected although it came: a listener or the input's source failed. */
  failure: { readonly cause: unknown } | null;
}

/** What answers a request. */
export type Answer = Extract<Frame, { name: 'DONE' | 'LAYERS' | 'GAUGES' }>;

interface PendingRequest {
  resolve(answer: Answer): void;
  reject(cause: unknown): void;
}

const RECEIVE_BUFFER_BYTES = 262_144;

const cgroupModes: Readonly<Record<number, SandboxFacts['cgroup']>> = {
  [names.CGROUP.V1]: 'v1',
  [names.CGROUP.V2]: 'v2',
};

/** One connection, from dialling to its loss. */
export class LauncherConnection {
  /** Resolves with the first frame's facts; rejects with `launcher-unavailable`. */
  readonly welcomed: Promise<SandboxFacts>;
  /** Launches with a smaller number, and what they kept, belong to an earlier connection. */
  readonly firstLaunch: number;
  isLost = false;
  readonly #target: LauncherTarget;
  readonly #socket: Socket;
  readonly #launches = new Map<number, RunningLaunch>();
  readonly #requests = new Map<number, PendingRequest>();
  readonly #settleWelcome: (facts: SandboxFacts | SystemError) => void;
  #queued: Buffer[] | null = [];
  #holds = 0;
  #requestNumber = 0;

  constructor(target: LauncherTarget, firstLaunch: number) {
    this.#target = target;
    this.firstLaunch = firstLaunch;
    const { promise, resolve, reject } = Promise.withResolvers<SandboxFacts>();
    this.welcomed = promise;
    // Whoever launches hears of a failed connection by the launch; nobody has to await `welcomed`.
    promise.catch(() => undefined);
    this.#settleWelcome = (facts) => (facts instanceof SystemError ? reject(facts) : resolve(facts));
    this.#socket = this.#open();
  }

  /** Sends a frame, in order; before the welcome it waits for it. */
  send<Name extends MessageName>(name: Name, fields: FieldsOf<Name>): void {
    if (this.isLost) return;
    const frame = encodeFrame(name, fields);
    if (this.#queued === null) this.#socket.write(frame);
    else this.#queued.push(frame);
  }

  /** Joins what is sent during `action` into one write. */
  joined(action: () => void): void {
    this.#socket.cork();
    try {
      action();
    } finally {
      this.#socket.uncork();
    }
  }

  /** Routes the frames of this launch to it, until its report. */
  follow(launch: number, running: RunningLaunch): void {
    this.#launches.set(launch, running);
  }

  /** Ends a launch whose listener or input failed: it is killed, and its report is rejected with the cause when it comes. */
  fail(launch: number, cause: unknown): void {
    const running = this.#launches.get(launch);
    if (running === undefined || running.failure !== null) return;
    running.failure = { cause };
    this.send('KILL', { launch });
  }

  /** Asks and waits for the answer that carries the same number. */
  request(ask: (request: number) => void): Promise<Answer> {
    const request = ++this.#requestNumber;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (this.isLost) return Promise.reject(this.#unavailable('the connection is lost'));
    this.#requests.set(request, { resolve, reject });
    ask(request);
    return promise;
  }

  /** Ends the connection; the launcher kills what runs on it and drops what it kept. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#socket.closed) resolve();
    else this.#socket.once('close', () => resolve());
    this.#lose(this.#unavailable('it was closed here'));
    return promise;
  }

  #open(): Socket {
    const decoder = new FrameDecoder((frame) => this.#receive(frame));
    const mayReadOn = (bytes: Buffer): boolean => {
      try {
        decoder.push(bytes);
      } catch (cause) {
        this.#lose(this.#unavailable('it does not follow the contract', cause));
      }
      return this.#holds === 0;
    };
    const socket = this.#target.open?.() ?? this.#dial(mayReadOn);
    if (this.#target.open !== undefined) {
      socket.on('data', (bytes: Buffer) => {
        if (!mayReadOn(bytes)) socket.pause();
      });
    }
    socket.on('error', (cause) => this.#lose(this.#unavailable(cause.message, cause)));
    socket.on('close', () => this.#lose(this.#unavailable('it closed the connection')));
    socket.write(encodeFrame('HELLO', { version: CONTRACT_VERSION }));
    return socket;
  }

  #dial(mayReadOn: (bytes: Buffer) => boolean): Socket {
    const buffer = Buffer.allocUnsafeSlow(RECEIVE_BUFFER_BYTES);
    const callback = (count: number): boolean => mayReadOn(buffer.subarray(0, count));
    return createConnection({ path: this.#target.socketPath, onread: { buffer, callback } });
  }

  #receive(frame: Frame): void {
    switch (frame.name) {
      case 'OUTPUT':
        this.#output(frame.fields);
        break;
      case 'STARTED':
        this.#guarded(frame.fields.launch, (listener) => listener.started?.(frame.fields.startedAtNs / 1e6));
        break;
      case 'STDIN_CREDIT':
        this.#launches.get(frame.fields.launch)?.stdin?.credit(frame.fields.bytes);
        break;
      case 'REPORT':
        this.#report(frame.fields);
        break;
      case 'DONE':
      case 'LAYERS':
      case 'GAUGES':
        this.#requests.get(frame.fields.request)?.resolve(frame);
        this.#requests.delete(frame.fields.request);
        break;
      case 'WELCOME':
        this.#welcome(frame.fields);
        break;
      default:
        throw new RangeError(`the launcher sent ${frame.name}, a client's message`);
    }
  }

  #welcome(fields: FieldsOf<'WELCOME'>): void {
    if (fields.version !== CONTRACT_VERSION) {
      const said = `it speaks contract ${fields.version}, this program ${CONTRACT_VERSION}: build both from the same source`;
      this.#lose(this.#unavailable(said));
      return;
    }
    const { cores, memoryBytes, kernel, release, missing } = fields;
    const queued = this.#queued ?? [];
    this.#queued = null;
    this.joined(() => {
      for (const frame of queued) this.#socket.write(frame);
    });
    const cgroup = cgroupModes[fields.cgroup] ?? 'none';
    this.#settleWelcome({ cgroup, cores, memoryBytes, kernel, release, isRootless: fields.rootless === 1, missing });
  }

  #output(fields: FieldsOf<'OUTPUT'>): void {
    this.#guarded(fields.launch, (listener, { collected }) => {
      if (fields.stream === 1) return listener.stdout?.(fields.data);
      if (fields.stream === 2) return listener.stderr?.(fields.data);
      if (fields.stream === 3) return listener.network?.(fields.data);
      return collected?.push(fields.data);
    });
  }

  #guarded(launch: number, tell: (listener: LaunchListener, running: RunningLaunch) => void | Promise<void>): void {
    const running = this.#launches.get(launch);
    if (running === undefined || running.failure !== null) return;
    try {
      const held = tell(running.listener, running);
      if (held !== undefined) this.#hold(launch, held);
    } catch (cause) {
      this.fail(launch, cause);
    }
  }

  #hold(launch: number, held: Promise<void>): void {
    this.#holds++;
    const release = (): void => {
      this.#holds--;
      if (this.#holds === 0 && !this.isLost) this.#socket.resume();
    };
    held.then(release, (cause) => {
      this.fail(launch, cause);
      release();
    });
  }

  #report(fields: FieldsOf<'REPORT'>): void {
    const running = this.#launches.get(fields.launch);
    if (running === undefined) return;
    const report = toLaunchReport(fields);
    this.#launches.delete(fields.launch);
    running.stdin?.stop();
    const settle = (): void => {
      if (running.failure === null) running.resolve(report);
      else running.reject(running.failure.cause);
    };
    if (running.collected === null || running.failure !== null || report.startedAtMs === null) settle();
    else running.collected.end().then(settle, running.reject);
  }

  #lose(error: SystemError): void {
    if (this.isLost) return;
    this.isLost = true;
    this.#socket.destroy();
    this.#settleWelcome(error);
    for (const running of this.#launches.values()) {
      running.stdin?.stop();
      running.reject(error);
    }
    for (const request of this.#requests.values()) request.reject(error);
    this.#launches.clear();
    this.#requests.clear();
  }

  #unavailable(why: string, cause?: unknown): SystemError {
    const detail = `the launcher at ${this.#target.socketPath} can't be used: ${why}; see that it runs and that this user may open its socket`;
    return new SystemError('launcher-unavailable', detail, { cause });
  }
}
