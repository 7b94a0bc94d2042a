/**
 * Owns the Sandbox port over the launcher's socket: numbers for launches, the current connection, a new one when that was lost.
 * Never retries a launch: whoever launched is told `launcher-unavailable` and decides.
 * Invariant: a launch number is never used twice, not even on another connection, so that a kept layer of a lost connection is
 * recognised and refused here instead of being mistaken for another's.
 */
import { constants } from 'node:os';
import { SystemError } from '../errors.ts';
import { CollectedStream } from './collected-stream.ts';
import { names, numbers } from './contract.ts';
import { toFailureSentence } from './launch-failure.ts';
import { toErrnoName, toStepName } from './launch-report.ts';
import { toLaunchFields } from './launch-spec.ts';
import { BytesStdin, type LaunchStdin, type SendInput, StreamStdin } from './launch-stdin.ts';
import { type Answer, LauncherConnection, type LauncherTarget, type RunningLaunch } from './launcher-connection.ts';
import type {
  KeptLayer,
  Launch,
  LaunchListener,
  LaunchReport,
  LaunchSpec,
  LayerStore,
  Sandbox,
  SandboxFacts,
  SandboxGauges,
} from './sandbox.ts';

export type { LauncherTarget } from './launcher-connection.ts';

/** Connects to a running launcher; rejects with SystemError `launcher-unavailable`, which names the socket and the remedy. */
export async function connectLauncher(target: LauncherTarget): Promise<Sandbox> {
  const connection = new LauncherConnection(target, 1);
  return new LauncherClient(target, connection, await connection.welcomed);
}

const silence: LaunchListener = {};

class LauncherClient implements Sandbox {
  readonly facts: SandboxFacts;
  readonly store: LayerStore;
  readonly #target: LauncherTarget;
  #connection: LauncherConnection;
  #launchNumber = 0;
  #isClosed = false;

  constructor(target: LauncherTarget, connection: LauncherConnection, facts: SandboxFacts) {
    this.#target = target;
    this.#connection = connection;
    this.facts = facts;
    this.store = {
      create: (layer) => this.#done('creating', layer, (request) => this.#send('LAYER_CREATE', { request, layer })),
      commit: async (layer, to) => {
        const outcome = await this.#commit(layer, to, 'TREE');
        return outcome === 'made';
      },
      commitImage: (layer, to) => this.#commit(layer, to, 'IMAGE'),
      remove: (layer) => this.#done('removing', layer, (request) => this.#send('LAYER_REMOVE', { request, layer })),
      list: async () => {
        const answer = await this.#connected().request((request) => this.#send('LAYER_LIST', { request }));
        if (answer.name === 'LAYERS') return answer.fields.layers;
        throw storeError('listing', 'the layers', answer);
      },
    };
  }

  launch(spec: LaunchSpec, listener: LaunchListener = silence): Launch {
    const connection = this.#connected();
    const launch = ++this.#launchNumber;
    const { promise, resolve, reject } = Promise.withResolvers<LaunchReport>();
    const started: Launch = {
      report: promise,
      kept: { launch: BigInt(launch) },
      kill: () => connection.send('KILL', { launch }),
      resize: (size) => connection.send('RESIZE', { launch, ...size }),
      signal: (name) => connection.send('SIGNAL', { launch, signal: constants.signals[`SIG${name}`] }),
      taken: (bytes) => connection.send('OUTPUT_CREDIT', { launch, bytes }),
    };
    const collected = spec.collect === null ? null : new CollectedStream(listener);
    const running: RunningLaunch = { listener, stdin: null, collected, resolve, reject, failure: null };
    try {
      assertCurrent(connection, spec);
      connection.joined(() => {
        connection.send('LAUNCH', toLaunchFields(launch, spec));
        connection.follow(launch, running);
        running.stdin = createStdin(connection, launch, spec.stdin);
        running.stdin?.credit(numbers.STDIN_CREDIT_BYTES);
      });
    } catch (cause) {
      reject(cause instanceof SystemError ? cause : new SystemError('sandbox-failed', String(cause), { cause }));
    }
    return started;
  }

  release(kept: KeptLayer): void {
    const launch = Number(kept.launch);
    if (launch >= this.#connection.firstLaunch) this.#connection.send('RELEASE', { launch });
  }

  async gauges(): Promise<SandboxGauges> {
    const answer = await this.#connected().request((request) => this.#send('GAUGES_ASK', { request }));
    if (answer.name !== 'GAUGES') throw storeError('reading', 'the gauges', answer);
    const { request: _, ...gauges } = answer.fields;
    return gauges;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connection.close();
  }

  readonly #send: LauncherConnection['send'] = (name, fields) => this.#connection.send(name, fields);

  #connected(): LauncherConnection {
    if (this.#connection.isLost && !this.#isClosed)
      this.#connection = new LauncherConnection(this.#target, this.#launchNumber + 1);
    return this.#connection;
  }

  async #done(doing: string, layer: string, ask: (request: number) => void): Promise<void> {
    const answer = await this.#connected().request(ask);
    if (answer.name !== 'DONE' || answer.fields.step !== names.STEP.NONE) throw storeError(doing, layer, answer);
  }

  async #commit(
    layer: string,
    to: string,
    form: keyof typeof names.FORM,
  ): Promise<'made' | 'exists' | 'not-mountable'> {
    const fields = { layer, to, form: names.FORM[form] };
    const answer = await this.#connected().request((request) => this.#send('LAYER_COMMIT', { request, ...fields }));
    if (answer.name === 'DONE' && answer.fields.step === names.STEP.NONE) return 'made';
    const { EEXIST, ENOTEMPTY } = constants.errno;
    if (answer.name === 'DONE' && [EEXIST, ENOTEMPTY].includes(answer.fields.errorNumber)) return 'exists';
    const isUnmountable = answer.name === 'DONE' && unmountable.has(toErrnoName(answer.fields.errorNumber));
    if (form === 'IMAGE' && isUnmountable) return 'not-mountable';
    throw storeError('committing', layer, answer);
  }
}

/** No EROFS; none on a file of this kernel or disk (15: ENOTBLK) or an index that it does not like (117: EUCLEAN), which Node does not name; none in blocks of 512 bytes; not this user. */
const unmountable: ReadonlySet<string> = new Set(['ENODEV', 'errno-15', 'EINVAL', 'EPERM', 'EOPNOTSUPP', 'errno-117']);

function storeError(doing: string, what: string, answer: Answer): SystemError {
  const why =
    answer.name === 'DONE'
      ? toFailureSentence({ step: toStepName(answer.fields.step), errno: toErrnoName(answer.fields.errorNumber) })
      : `the launcher answered ${answer.name}`;
  return new SystemError('sandbox-failed', `${doing} '${what}': ${why}`);
}

function assertCurrent(connection: LauncherConnection, spec: LaunchSpec): void {
  if (connection.isLost) throw new SystemError('launcher-unavailable', 'this client of the launcher is closed');
  const needed = spec.capture === null ? spec.kept : [...spec.kept, spec.capture];
  if (needed.some((kept) => Number(kept.launch) < connection.firstLaunch))
    throw new SystemError('launcher-unavailable', 'the launcher that kept a writable layer was lost; launch again');
}

function createStdin(connection: LauncherConnection, launch: number, stdin: LaunchSpec['stdin']): LaunchStdin | null {
  if (stdin === null) return null;
  const send: SendInput = (data, isLast) => connection.send('STDIN', { launch, last: isLast ? 1 : 0, data });
  if (stdin instanceof Uint8Array) return new BytesStdin(stdin, send);
  return new StreamStdin(stdin, send, (cause) => connection.fail(launch, cause));
}
