/**
 * Owns one run of envicutor-run: streams in and out while the program runs, then report, collected files and exit status.
 * Never reads the command line (flags.ts) and never ends the process (main.ts).
 * Invariant: the sandbox is closed on every way out, so that nothing of it outlives us.
 */
import { createReadStream, writeFileSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import { Report } from '../../shared/model/verdict.ts';
import {
  type Command,
  type CommandResult,
  createSandbox,
  type RunningCommand,
} from '../../shared/sandbox/embedded-sandbox.ts';
import { toExitStatus } from './exit-status.ts';
import type { Invocation } from './flags.ts';
import { readWorkspaceFiles, writeCollectedFiles } from './workspace-files.ts';

/** The process's own streams, and what interrupts it. */
export interface RunSurroundings {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  readonly signal: AbortSignal;
}

const DEFAULT_SIZE = { rows: 24, columns: 80 };

/** Runs it and returns the exit status; rejects with what is our own failure. */
export async function runCommand(invocation: Invocation, surroundings: RunSurroundings): Promise<number> {
  const command = toCommand(invocation, surroundings);
  await using sandbox = await createSandbox({
    stock: 1,
    ...(invocation.root !== null && { root: invocation.root }),
    ...(invocation.cgroupPath !== null && { cgroupPath: invocation.cgroupPath }),
  });
  const isStreamed = !invocation.isReportPrinted;
  const stdout = new Outlet(surroundings.stdout);
  const stderr = new Outlet(surroundings.stderr);
  const running = sandbox.start({
    ...command,
    signal: surroundings.signal,
    ...(isStreamed && { onStdout: (chunk) => stdout.write(chunk) }),
    ...(isStreamed && { onStderr: (chunk) => stderr.write(chunk) }),
  });
  const letTerminalGo = invocation.isTerminal ? lendTerminal(running, surroundings) : () => undefined;
  const result = await running.result.finally(letTerminalGo);
  return finish(invocation, result, surroundings);
}

function toCommand(invocation: Invocation, { stdin, stdout }: RunSurroundings): Command {
  const { command, limits, environment, cpuShares, cpus, collect } = invocation;
  return {
    ...{ command, limits, environment, files: readWorkspaceFiles(invocation) },
    stdin: invocation.stdin === '-' ? stdin : createReadStream(invocation.stdin),
    ...(cpuShares !== null && { cpuShares }),
    ...(cpus !== null && { cpus }),
    ...(collect.length > 0 && { collect: { patterns: collect } }),
    ...(invocation.isTerminal && { terminal: sizeOf(stdout) }),
  };
}

/** One of our streams as a program's output: a slow reader holds the program back, one that is gone does not. */
class Outlet {
  readonly #stream: WriteStream;
  #held: PromiseWithResolvers<void> | null = null;

  constructor(stream: WriteStream) {
    this.#stream = stream;
    for (const event of ['drain', 'close']) stream.on(event, () => this.#letGo());
  }

  /** The chunk is good during the call only. */
  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#stream.destroyed || this.#stream.write(Buffer.from(chunk))) return;
    this.#held ??= Promise.withResolvers<void>();
    return this.#held.promise;
  }

  #letGo(): void {
    this.#held?.resolve();
    this.#held = null;
  }
}

/** Our terminal is the program's while it runs: every key goes to it, and it hears of a new size. */
function lendTerminal(running: RunningCommand, { stdin, stdout }: RunSurroundings): () => void {
  const resize = (): void => running.resize(sizeOf(stdout));
  stdout.on('resize', resize);
  if (stdin.isTTY) stdin.setRawMode(true);
  return () => {
    stdout.off('resize', resize);
    if (stdin.isTTY) stdin.setRawMode(false);
  };
}

function sizeOf(stdout: WriteStream): { rows: number; columns: number } {
  const { isTTY, rows, columns } = stdout;
  return isTTY && rows > 0 && columns > 0 ? { rows, columns } : DEFAULT_SIZE;
}

function finish(invocation: Invocation, result: CommandResult, { stdout, stderr }: RunSurroundings): number {
  const report = `${JSON.stringify(toReport(result), null, 2)}\n`;
  if (invocation.isReportPrinted) stdout.write(report);
  if (invocation.reportPath !== null) writeFileSync(invocation.reportPath, report);
  const sentences = writeCollectedFiles(invocation.collectInto, result.files);
  if (!invocation.isReportPrinted) sentences.push(...toSentences(result));
  for (const sentence of sentences) stderr.write(`envicutor-run: ${sentence}\n`);
  return toExitStatus(result);
}

/** Exactly the fields of the HTTP API's Report. */
function toReport(result: CommandResult): Report {
  const fields = result as unknown as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.keys(Report.properties).map((name) => [name, fields[name]])) as unknown as Report;
}

/** What the exit status alone could not say. */
function toSentences({ exceeded, start, verdict }: CommandResult): string[] {
  if (exceeded !== null) return [`${verdict}: ${exceeded.limit} is ${exceeded.allowed}, observed ${exceeded.observed}`];
  return start === null ? [] : [start.detail];
}
