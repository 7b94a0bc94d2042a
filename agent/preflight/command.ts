/**
 * Owns the command `preflight`: arguments in, rows out, an exit code. Never starts an agent, and changes this machine only by --contest --fix and
 * --undo. 0: nothing is to be mended; 1: something is; 64: arguments that make no sense.
 */
import { parseArgs } from 'node:util';
import { type Clock, stayAlive } from '../../shared/clock.ts';
import { EXIT_USAGE } from '../../shared/config.ts';
import { SystemError } from '../../shared/errors.ts';
import type { Sandbox } from '../../shared/sandbox/sandbox.ts';
import type { AgentConfig } from '../config.ts';
import { type AgentSubject, agentRequirements } from './agent-requirements.ts';
import { configurationRequirement } from './configuration-requirement.ts';
import { fixSettings, undoSettings } from './contest-fixes.ts';
import { ContestRecord } from './contest-record.ts';
import { contestRequirements } from './contest-requirements.ts';
import { toContestSubject } from './contest-subject.ts';
import type { CoordinatorAnswer } from './coordinator-answer.ts';
import type { Machine } from './machine.ts';
import { toStartSubject } from './preflight.ts';
import { isAmiss, type RequirementRow, toChangeLines, toLines, toRow } from './report.ts';
import { type Requirement, unknown } from './requirement.ts';
import { startRequirements } from './start-requirements.ts';

/** What the command works with. */
export interface PreflightWorld {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly settings: Readonly<AgentConfig> | { readonly problems: readonly string[] };
  /** What can't work although each setting is valid; it hinders neither --fix nor --undo. */
  readonly flaws: readonly string[];
  readonly connect: (socketPath: string) => Promise<Sandbox>;
  readonly ask: (url: string) => Promise<CoordinatorAnswer>;
  readonly say: (text: string) => void;
  readonly complain: (text: string) => void;
}

const EXIT_AMISS = 1;

/** How it is called. */
export const usage = `usage: preflight [--contest [--fix]] [--json]
       preflight --undo [--json]

  --contest  also what makes times repeatable
  --fix      with --contest: look at that only, and change settings that can be put back
  --undo     put back what --fix changed
  --json     an array instead of lines (docs/preflight.md)
`;

interface Asked {
  readonly contest: boolean;
  readonly fix: boolean;
  readonly undo: boolean;
  readonly json: boolean;
}

/** Runs the command and resolves with its exit code. */
export async function runPreflight(args: readonly string[], world: PreflightWorld): Promise<number> {
  if (args.includes('--help')) {
    world.say(usage);
    return 0;
  }
  const asked = readArguments(args);
  if (typeof asked === 'string') {
    world.complain(`preflight: ${asked}\n${usage}`);
    return EXIT_USAGE;
  }
  const alive = stayAlive();
  try {
    if (asked.undo) return await undo(asked, world);
    if (asked.fix) return await fix(asked, world);
    return await check(asked, world);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    world.complain(`preflight: ${error.message}\n`);
    return EXIT_AMISS;
  } finally {
    alive.cancel();
  }
}

/** What is asked for, or why that makes no sense. */
function readArguments(args: readonly string[]): Asked | string {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({ args: [...args], options: { contest: flag, fix: flag, undo: flag, json: flag } });
    if (values.undo && (values.contest || values.fix)) return '--undo goes with --json only';
    if (values.fix && !values.contest) return '--fix changes settings for contests only: give --contest --fix';
    return values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function check({ contest, json }: Asked, world: PreflightWorld): Promise<number> {
  const { settings } = world;
  const problems = 'problems' in settings ? settings.problems : world.flaws;
  const rows = [await toRow(configurationRequirement, { problems })];
  if ('problems' in settings) rows.push(...(await unknownRows([...startRequirements, ...agentRequirements])));
  else rows.push(...(await agentRows(settings, world)));
  if (contest) rows.push(...(await contestRows(world)));
  return tell(rows, json, world);
}

async function agentRows(settings: Readonly<AgentConfig>, world: PreflightWorld): Promise<RequirementRow[]> {
  const { machine, clock, connect, ask } = world;
  // Who asks now wants to know how it is now.
  const options = { ...settings, launcherWaitMs: 0, connect: () => connect(settings.launcherSocketPath) };
  const start = toStartSubject({ ...options, machine, clock }, false);
  const answers = new Map<string, Promise<CoordinatorAnswer>>();
  const askOnce = (url: string) => {
    const answer = answers.get(url) ?? ask(url);
    answers.set(url, answer);
    return answer;
  };
  const subject: AgentSubject = { ...settings, ...start, clock, ask: askOnce };
  const rows: RequirementRow[] = [];
  try {
    for (const requirement of [...startRequirements, ...agentRequirements])
      rows.push(await toRow<AgentSubject>(requirement, subject));
    return rows;
  } finally {
    await start.sandbox().then(
      (sandbox) => sandbox.close(),
      () => undefined,
    );
  }
}

function unknownRows(requirements: readonly Requirement<never>[]): Promise<RequirementRow[]> {
  const finding = unknown('the configuration is not valid');
  return Promise.all(requirements.map((requirement) => toRow({ ...requirement, look: () => finding }, null)));
}

async function contestRows(world: PreflightWorld): Promise<RequirementRow[]> {
  const subject = subjectOf(world);
  return await Promise.all(contestRequirements.map((requirement) => toRow(requirement, subject)));
}

function subjectOf({ machine, clock, settings }: PreflightWorld) {
  return toContestSubject(machine, clock, 'problems' in settings ? { slots: 0, slotCpus: 'none' } : settings);
}

async function fix({ json }: Asked, world: PreflightWorld): Promise<number> {
  const record = await openRecord(world);
  const changes = await fixSettings(contestRequirements, subjectOf(world), record);
  if (!json) world.say(toChangeLines(changes));
  const rows = await contestRows(world);
  const told = rows.map((row) => ({ ...row, changes: changes.filter(({ requirement }) => requirement === row.id) }));
  return tell(told, json, world);
}

async function undo({ json }: Asked, world: PreflightWorld): Promise<number> {
  const changes = await undoSettings(world.machine, await openRecord(world));
  world.say(json ? `${JSON.stringify(changes, null, 2)}\n` : toChangeLines(changes) || 'nothing was recorded\n');
  return changes.some(({ outcome }) => outcome === 'refused') ? EXIT_AMISS : 0;
}

function openRecord({ settings, machine }: PreflightWorld): Promise<ContestRecord> {
  if ('problems' in settings) throw new SystemError('configuration-invalid', settings.problems.join('; '));
  return ContestRecord.open(settings.contestDirectory, machine);
}

function tell(rows: readonly RequirementRow[], json: boolean, { say }: PreflightWorld): number {
  say(json ? `${JSON.stringify(rows, null, 2)}\n` : toLines(rows));
  return rows.some(isAmiss) ? EXIT_AMISS : 0;
}
