/**
 * Owns one client of Piston's WebSocket protocol: what it says becomes an interactive execution with pipes, whose events it is told in Piston's words.
 * Never opens a socket (connect-gateway). Invariants: a client that goes away takes its execution with it; each stage is begun and ended once, and all
 * of its output is told before its end.
 */
import { StringDecoder } from 'node:string_decoder';
import type { Clock, Timer } from '../../../shared/clock.ts';
import { SystemError } from '../../../shared/errors.ts';
import type { LoggedEvent } from '../../../shared/http/event-log.ts';
import { parseJsonBody } from '../../../shared/http/json-body.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { Execution } from '../../../shared/model/execution.ts';
import type { AllLimits } from '../../../shared/model/limits.ts';
import type { TerminalAnswer, TerminalClosing } from '../../../shared/model/terminal.ts';
import { decodeInput, type Report } from '../../../shared/model/verdict.ts';
import type { EnvironmentService } from '../../environments/environment-service.ts';
import type { ExecutionService } from '../../executions/execution-service.ts';
import type { LiveExecution } from '../../executions/live-execution.ts';
import type { TerminalClient } from '../../terminals/terminal.ts';
import { checkFinished, checkNative, keepBuilding } from '../native-execution.ts';
import { PistonRefusal, readExecuteRequest } from './execute-request.ts';
import { toNativeRequest, UnwritableName } from './native-request.ts';
import type { PistonTerms } from './piston-room.ts';
import { isSignal, toEnding } from './stage-answer.ts';

/** The connection as it is used here. */
export interface ConnectSocket {
  send(text: string): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
}

/** What a session talks to. */
export interface ConnectDeps extends PistonTerms {
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
  readonly executions: Pick<ExecutionService, 'submit' | 'cancel'>;
  readonly environments: Pick<EnvironmentService, 'declare'>;
  readonly limitMaxima: AllLimits;
}

/** Why a connection is closed; Piston's codes and words. */
const closings = {
  initialized: [4000, 'Already Initialized'],
  late: [4001, 'Initialization Timeout'],
  notified: [4002, 'Notified Error'],
  early: [4003, 'Not yet initialized'],
  notInput: [4004, 'Can only write to stdin'],
  noSignal: [4005, 'Invalid signal'],
  completed: [4999, 'Job Completed'],
} as const;

type Stage = 'compile' | 'run';
type Stream = 'stdout' | 'stderr';

/** How long a client may take to say what it wants. */
const INIT_MS_MAX = 1000;
/** Signals that end a program here: a program with pipes can't be sent any other. */
const endingSignals = new Set(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGTERM']);

/** See the head of this file. */
export class ConnectSession implements TerminalClient {
  readonly #deps: ConnectDeps;
  readonly #tenantId: string;
  readonly #socket: ConnectSocket;
  readonly #patience: Timer;
  readonly #told: Record<Stage, Record<Stream, { readonly decoder: StringDecoder; readonly bytes: Buffer[] }>>;
  #isInitialized = false;
  #isOver = false;
  #execution: LiveExecution | null = null;
  #unfollow: (() => void) | null = null;
  #stage: Stage | null = null;
  #isRuntimeTold = false;

  constructor(deps: ConnectDeps, tenantId: string, socket: ConnectSocket) {
    this.#deps = deps;
    this.#tenantId = tenantId;
    this.#socket = socket;
    const stream = () => ({ decoder: new StringDecoder('utf8'), bytes: [] as Buffer[] });
    const both = () => ({ stdout: stream(), stderr: stream() });
    this.#told = { compile: both(), run: both() };
    this.#patience = deps.clock.after(INIT_MS_MAX, () => {
      if (!this.#isInitialized) this.#close('late');
    });
  }

  /** A message. */
  received(data: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#hear(parseJsonBody(data));
    } catch (error) {
      this.#refuse(error);
    }
  }

  #hear(said: unknown): void {
    const { type, stream, data, signal } = (said ?? {}) as Readonly<Record<string, unknown>>;
    if (type === 'init') {
      if (this.#isInitialized) this.#close('initialized');
      else this.#begin(said).catch((error: unknown) => this.#refuse(error));
    } else if (type === 'data' || type === 'signal' || type === 'eof') {
      if (!this.#isInitialized) this.#close('early');
      else if (type === 'eof') this.#execution?.terminal?.ask(this, { type: 'end' });
      else if (type === 'data') this.#type(stream, data);
      else if (!isSignal(signal)) this.#close('noSignal');
      else if (endingSignals.has(signal)) this.#cancel();
    }
  }

  #type(stream: unknown, data: unknown): void {
    if (stream !== 'stdin') this.#close('notInput');
    else if (typeof data !== 'string') throw new PistonRefusal('data must be a string');
    else this.#execution?.terminal?.type(this, Buffer.from(data));
  }

  async #begin(said: unknown): Promise<void> {
    const { runtimes, limits, executions, limitMaxima } = this.#deps;
    this.#isInitialized = true;
    const asked = readExecuteRequest(said, runtimes, limits);
    const native = toNativeRequest(asked, limits, true);
    checkNative(native, limitMaxima);
    const how = { isWaited: true, isStreamed: true, isPiped: true, key: null };
    const submitted = await executions.submit(native, { tenantId: this.#tenantId, ...how });
    if (!('done' in submitted)) throw new PistonRefusal('nobody answers for it any more; ask again');
    this.#execution = submitted;
    keepBuilding(this.#deps.environments, submitted);
    if (this.#isOver) {
      this.#cancel();
      return;
    }
    submitted.terminal?.attach(this, null);
    const { language, version, recipe } = asked.runtime;
    const begun = () => {
      if (this.#isRuntimeTold) return;
      this.#isRuntimeTold = true;
      this.#send({ type: 'runtime', language, version });
      if (recipe.compile !== null) this.#enter('compile');
    };
    this.#unfollow = submitted.log.follow(0, (event) => this.#happened(event, begun));
  }

  #happened({ name, data }: LoggedEvent, begun: () => void): void {
    if (name === 'stage') {
      const { stage } = data as { stage: string };
      if (stage === 'preparing' || stage === 'running') begun();
    } else if (name === 'stdout' || name === 'stderr') {
      const { script, data: text } = data as { script: Stage; data: string };
      begun();
      this.#enter(script);
      this.#write(script, name, Buffer.from(text, 'base64'));
    } else if (name === 'finished') this.#end(data as Execution, begun);
  }

  /** A stage begins, once; that compiling is over is known by it. */
  #enter(stage: Stage): void {
    if (this.#stage === stage || this.#stage === 'run') return;
    if (this.#stage === 'compile') this.#exit('compile', { code: 0, signal: null });
    this.#stage = stage;
    this.#send({ type: 'stage', stage });
  }

  #exit(stage: Stage, { code, signal }: { readonly code: number | null; readonly signal: string | null }): void {
    this.#send({ type: 'exit', stage, code, signal });
  }

  #write(stage: Stage, stream: Stream, bytes: Buffer): void {
    const told = this.#told[stage][stream];
    told.bytes.push(bytes);
    const data = told.decoder.write(bytes);
    if (data !== '') this.#send({ type: 'data', stream, data });
  }

  #conclude(stage: Stage, report: Report): void {
    this.#complete(stage, report);
    this.#exit(stage, toEnding(report));
  }

  /** What was lost on its way the report has: from the first byte that is missing on, all is told. */
  #complete(stage: Stage, report: Report): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const all = decodeInput(report[stream], report[`${stream}Encoding`]);
      const told = Buffer.concat(this.#told[stage][stream].bytes);
      this.#write(stage, stream, all.subarray(commonBytes(all, told)));
      const rest = this.#told[stage][stream].decoder.end();
      if (rest !== '') this.#send({ type: 'data', stream, data: rest });
    }
  }

  #end(answer: Execution, begun: () => void): void {
    const { compile, run, stage, endedIn, verdict } = answer;
    try {
      if (stage !== 'cancelled') checkFinished(answer, this.#deps.clock.nowMs());
      if (stage === 'finished' && run === null && compile === null)
        throw new PistonRefusal(`its environment can't be built: its ${endedIn} script failed (${verdict})`);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    begun();
    if (stage === 'cancelled') this.#exit(this.#stage ?? 'run', { code: null, signal: 'SIGKILL' });
    else if (run === null && compile !== null) this.#conclude('compile', compile);
    else if (run !== null) {
      if (this.#stage === 'compile' && compile !== null) this.#complete('compile', compile);
      this.#enter('run');
      this.#conclude('run', run);
    }
    this.#close('completed');
  }

  tell(answer: TerminalAnswer): void {
    if (answer.type === 'started' && this.#isRuntimeTold) this.#enter('run');
  }

  /** Output comes by the log. */
  output(): void {}

  wantInput(isWanted: boolean): void {
    if (this.#isOver) return;
    if (isWanted) this.#socket.resume();
    else this.#socket.pause();
  }

  /** The end is told by the log. */
  close(why: TerminalClosing): void {
    if (why !== 'exited')
      this.#refuse(new PistonRefusal(`the execution goes on without this client (${why}); ask again`));
  }

  #cancel(): void {
    const { executions } = this.#deps;
    if (this.#execution !== null) executions.cancel(this.#tenantId, this.#execution.id).catch(() => undefined);
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    if (!this.#isOver) this.#socket.send(JSON.stringify(message));
  }

  #refuse(error: unknown): void {
    this.#send({ type: 'error', message: this.#toMessage(error) });
    this.#close('notified');
  }

  #toMessage(error: unknown): string {
    if (error instanceof PistonRefusal) return error.message;
    if (error instanceof UnwritableName) return `a file can't be called ${error.message}`;
    if (error instanceof SystemError && error.code !== 'internal') return error.message;
    this.#deps.log.error({ err: error, executionId: this.#execution?.id }, 'piston session failed');
    return "something went wrong here; it is in the coordinator's log";
  }

  #close(why: keyof typeof closings): void {
    if (this.#isOver) return;
    this.#socket.resume();
    const [code, reason] = closings[why];
    this.#socket.close(code, reason);
    this.gone();
  }

  /** The coordinator stops. */
  leave(): void {
    this.#refuse(new PistonRefusal('this instance is stopping; ask again'));
  }

  /** The socket is gone, or is about to be: nobody waits for the rest. Idempotent. */
  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#patience.cancel();
    this.#unfollow?.();
    const execution = this.#execution;
    if (execution === null) return;
    execution.terminal?.detach(this);
    if (!execution.isOver) this.#cancel();
  }
}

/** How many bytes both begin with. */
function commonBytes(one: Buffer, other: Buffer): number {
  const most = Math.min(one.length, other.length);
  if (one.subarray(0, most).equals(other.subarray(0, most))) return most;
  let count = 0;
  while (one[count] === other[count]) count += 1;
  return count;
}
