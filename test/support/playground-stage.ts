/**
 * Owns the instance that the playground's tests look at: a coordinator with the recipes that come with a release and one with a hostile name, a scripted
 * agent that writes what each script's last word asks for, builds that are held or fail. Never needs root: nothing is sandboxed.
 */
import { join } from 'node:path';
import { createKeyRing } from '../../coordinator/tenants/keys.ts';
import type { Report } from '../../shared/model/verdict.ts';
import type { CoordinatorMessage } from '../../shared/protocol/coordinator-messages.ts';
import { ownRecipesFolder, readRecipe } from '../../shared/recipes/recipe-folder.ts';
import { hostile, listed } from './console-stage.ts';
import { startCoordinator } from './coordinator-fixture.ts';
import { builds } from './fake-build-services.ts';
import { makeReport, makeResult } from './lease-results.ts';
import type { ScriptedAgent } from './scripted-agent.ts';

export const runnersKey = 'the-key-of-a-runner';
/** Makes keys of tenants. */
export const operatorsKey = 'the-key-of-an-operator';

type Offer = Extract<CoordinatorMessage, { type: 'lease.offer' }>;

const MIB = 1024 * 1024;
const timing = { fetchMs: 12, prepareMs: 9, executeMs: 240, collectMs: 4 };
const usage = {
  ...{ ...makeReport().usage, cpuTimeMs: 210, wallTimeMs: 240, memoryPeakBytes: 40 * MIB, processesPeak: 3 },
  ...{ outputBytes: 512, diskBytes: 2 * MIB },
};

/** Reports by the word that a source holds. */
const reports: Readonly<Record<string, Partial<Report>>> = {
  'exit-7': { verdict: 'nonzero-exit', exitCode: 7, stdout: '', stderr: 'nothing came of it\n' },
  'loop-forever': {
    ...{ verdict: 'cpu-time-exceeded', exitCode: null, signal: 'SIGKILL', stdout: '' },
    ...{ exceeded: { limit: 'cpuTimeMs', allowed: 10_000, observed: 10_004 } },
    usage: { ...usage, cpuTimeMs: 10_004, wallTimeMs: 10_011 },
  },
  'write-bytes': { stdout: Buffer.from([0, 159, 146, 150, 255, 1, 2]).toString('base64'), stdoutEncoding: 'base64' },
  'write-markup': { stdout: `${hostile}\u001b[31mred\u001b[0m\n`, stderr: hostile },
};

const failsToCompile = { verdict: 'nonzero-exit', exitCode: 1, stderr: "main.cpp:3: expected ';'\n" } as const;

/** Ends a lease as its sources say; what is to be held ends when `letGo` resolves. */
function answer({ lease, fence, order }: Offer, agent: ScriptedAgent, letGo: Promise<void>): void {
  const sources = JSON.stringify([order.run, order.files]);
  const write = (bytes: Buffer) =>
    agent.say({ type: 'lease.output', lease, script: 'run', stream: 'stdout', data: bytes.toString('base64') });
  const end = () => {
    const [, found] = Object.entries(reports).find(([word]) => sources.includes(word)) ?? [];
    const stdout = `${order.run.stdin ?? ''}Hello, world!\n`;
    const run = makeReport({ usage, stdout, ...found });
    const compile = order.compile === null ? null : makeReport({ usage, stdout: '' });
    const refused = makeReport({ ...failsToCompile, stdout: '' });
    const result = sources.includes('no-semicolon')
      ? makeResult({ verdict: 'nonzero-exit', endedIn: 'compile', compile: refused, run: null, timing })
      : makeResult({ verdict: run.verdict, endedIn: 'run', compile, run, timing });
    agent.say({ type: 'lease.completed', lease, fence, result });
  };
  agent.say({ type: 'lease.stage', lease, stage: 'running' });
  if (!sources.includes('hold-it')) {
    end();
    return;
  }
  // A piece may end within a character.
  const text = Buffer.from('while it runs: caf\u00e9\n');
  write(text.subarray(0, -2));
  write(text.subarray(-2));
  void letGo.then(end);
}

/** See the head of this file; everything ends with the test. `isKeyed`: does it take keys? */
export async function setPlaygroundStage(test: Parameters<typeof startCoordinator>[0], isKeyed = false) {
  const read = (name: string) => readRecipe(join(ownRecipesFolder, name));
  const strange = { ...read('bash'), name: 'strange', title: hostile, aliases: [], language: 'strange' };
  const recipes = [...['bash', 'cpp', 'python'].map(read), strange];
  const keys = createKeyRing({
    tenants: [listed('runner', runnersKey, false), listed('operator', operatorsKey, true)],
  });
  // A scripted agent reports once; a browser on a machine that is busy takes longer than three intervals.
  const coordinator = await startCoordinator(test, { reportIntervalMs: 600_000 }, isKeyed ? keys : null, { recipes });
  const building = Promise.withResolvers<void>();
  const running = Promise.withResolvers<void>();
  coordinator.services.script = async function* (order) {
    const told = JSON.stringify(order);
    if (told.includes('slow-packages')) {
      yield { type: 'phase', phase: 'running' };
      yield { type: 'log', stream: 'stdout', text: `Get:1 ${hostile}\nUnpacking\n` };
      yield { type: 'progress', phase: 'capturing', bytes: 5 * MIB, fraction: 0.4 };
      await building.promise;
    }
    if (!told.includes('no-such-package') || order.kind !== 'setup') {
      yield* builds(order);
      return;
    }
    yield { type: 'log', stream: 'stderr', text: 'E: Unable to locate package no-such-package\n' };
    const report = makeReport({ verdict: 'nonzero-exit', exitCode: 100, stdout: '', stderr: 'E: Unable to locate\n' });
    const nothing = { verify: null, layer: null, materials: [], isNetworkUnreachable: false, isPrivate: false };
    yield { type: 'finished', endedIn: 'setup', report, ...nothing };
  };
  const agent = await coordinator.join({
    ...{ name: 'alpha', slots: 4 },
    offered: (offer, self) => answer(offer, self, running.promise),
  });
  return { coordinator, agent, letBuild: () => building.resolve(), letEnd: () => running.resolve() };
}
