/**
 * Owns `envicutor doctor`: findings about configuration, coordinator, key, recipes, clocks and this machine, each with its remedy. Changes nothing and starts nothing.
 */

import { isLoopback } from '../../shared/http/loopback.ts';
import { scopes } from '../../shared/model/tenant.ts';
import { type ChosenInstance, chooseInstance } from './configured-instances.ts';
import { exitCodes } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { ownRelease } from './release.ts';
import { openSession, toCommandError } from './session.ts';
import { CommandError, paintFor, type Surroundings, writeAll } from './surroundings.ts';

/** What was found of one thing. */
export interface Finding {
  readonly about: string;
  readonly state: 'good' | 'bad' | 'note';
  readonly detail: string;
}

const ANSWER_MS_MAX = 10_000;
/** The Date of an answer has whole seconds, and the answer its way. */
const SKEW_MS_MAX = 5000;

/** Looks at everything; 1 when something is bad. */
export async function doctorCommand({ flags }: Invocation, surroundings: Surroundings): Promise<number> {
  const findings = await find(surroundings, flags);
  const { stdout, variables } = surroundings;
  const paint = paintFor(stdout, variables);
  const marks = { good: paint('green', '✓'), bad: paint('red', '✗'), note: paint('yellow', '·') } as const;
  const text = findings.map(({ about, state, detail }) => `${marks[state]} ${about}: ${detail}\n`).join('');
  await writeAll(stdout, flags.has('json') ? `${JSON.stringify(findings, null, 2)}\n` : text);
  return findings.some(({ state }) => state === 'bad') ? exitCodes.notAccepted : exitCodes.ok;
}

async function find(surroundings: Surroundings, flags: Invocation['flags']): Promise<Finding[]> {
  let instance: ChosenInstance;
  try {
    instance = chooseInstance(surroundings, flags);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [{ about: 'configuration', state: 'bad', detail: error.message }];
  }
  const { url, urlFrom, key, keyFrom } = instance;
  const findings: Finding[] = [
    {
      about: 'configuration',
      state: 'good',
      detail: `${url}, since ${urlFrom === 'nothing else is configured' ? urlFrom : `${urlFrom} says so`}; ${key === null ? 'no key' : `the key of ${keyFrom}`}`,
    },
  ];
  if (key !== null && url.startsWith('http://') && !isLoopback(new URL(url).host))
    findings.push({
      about: 'encryption',
      state: 'bad',
      detail: `${url} is not encrypted: whoever is on the way can read the key; use https`,
    });
  const reached = await reach(surroundings, instance);
  findings.push(...reached.findings);
  if (reached.isThere) {
    findings.push(...(await askVersion(surroundings, url)), ...(await askReadiness(surroundings, url)));
    findings.push(...(await askKey(surroundings, instance)));
  }
  findings.push(ofThisMachine(surroundings, instance));
  return findings;
}

const within = (surroundings: Surroundings) =>
  AbortSignal.any([surroundings.signal, AbortSignal.timeout(ANSWER_MS_MAX)]);

async function reach(
  surroundings: Surroundings,
  instance: ChosenInstance,
): Promise<{ isThere: boolean; findings: Finding[] }> {
  const { clock } = surroundings;
  const fromMs = clock.monotonicMs();
  try {
    const answer = await fetch(`${instance.url}/healthz`, { signal: within(surroundings), redirect: 'error' });
    const text = await answer.text();
    const tookMs = clock.monotonicMs() - fromMs;
    if (!answer.ok || !text.includes('alive'))
      return {
        isThere: false,
        findings: [
          {
            about: 'coordinator',
            state: 'bad',
            detail: `${instance.url} answers ${answer.status}, and not as a coordinator does: is the address right?`,
          },
        ],
      };
    const skewMs = Date.parse(answer.headers.get('date') ?? '') - clock.nowMs();
    const clocks: Finding =
      Number.isNaN(skewMs) || Math.abs(skewMs) <= SKEW_MS_MAX
        ? { about: 'clocks', state: 'good', detail: 'this machine and the coordinator agree' }
        : {
            about: 'clocks',
            state: 'bad',
            detail: `the coordinator's is ${Math.round(skewMs / 1000)} s from ours: certificates and receipts may look untimely; synchronise the one that is wrong`,
          };
    return {
      isThere: true,
      findings: [{ about: 'coordinator', state: 'good', detail: `answers in ${tookMs.toFixed(0)} ms` }, clocks],
    };
  } catch (error) {
    surroundings.signal.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
    const why = cause instanceof AggregateError ? String((cause as NodeJS.ErrnoException).code) : cause.message;
    const remedy = instance.isDefault
      ? '`envicutor run` starts one here, as root in a checkout; `make run` keeps one'
      : 'is it running, is the address right, does a firewall or proxy stand between?';
    return {
      isThere: false,
      findings: [
        { about: 'coordinator', state: 'bad', detail: `${instance.url} can't be reached (${why}): ${remedy}` },
      ],
    };
  }
}

async function askVersion(surroundings: Surroundings, url: string): Promise<Finding[]> {
  const answer = await fetch(`${url}/openapi.json`, { signal: within(surroundings), redirect: 'error' });
  const text = await answer.text();
  const theirs = /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
  const ours = ownRelease();
  const isSame = theirs === ours;
  return [
    {
      about: 'version',
      state: isSame ? 'good' : 'note',
      detail: isSame
        ? `both are ${ours}`
        : `the coordinator is ${theirs}, this is ${ours}: what one of them lacks is refused by name`,
    },
  ];
}

async function askReadiness(surroundings: Surroundings, url: string): Promise<Finding[]> {
  const answer = await fetch(`${url}/readyz`, { signal: within(surroundings), redirect: 'error' });
  const { state, problems = [] } = (await answer.json()) as {
    state?: string;
    problems?: readonly { requirement: string; detail: string }[];
  };
  if (state === 'ready') return [{ about: 'readiness', state: 'good', detail: 'it can build and run' }];
  return problems.map(({ requirement, detail }) => ({ about: `readiness (${requirement})`, state: 'bad', detail }));
}

async function askKey(surroundings: Surroundings, instance: ChosenInstance): Promise<Finding[]> {
  const { quick } = openSession(instance);
  const { signal } = surroundings;
  try {
    const { tenant } = await quick.usage({ days: 1, signal });
    const may: string[] = [];
    const probes = {
      execute: () => quick.list({ signal, pageSize: 1 }).next(),
      environments: () => quick.environments.list({ signal, pageSize: 1 }).next(),
    };
    for (const scope of scopes) {
      if (scope === 'operate') continue;
      const isGiven = await probes[scope]().then(
        () => true,
        () => false,
      );
      if (isGiven) may.push(scope);
    }
    const lacking = Object.keys(probes).filter((scope) => !may.includes(scope));
    const about = instance.key === null ? 'access' : 'key';
    const whose = `${instance.key === null ? 'no key is needed; ' : ''}tenant ${tenant}`;
    const recipes = await quick.recipes.list({ signal });
    return [
      lacking.length === 0
        ? { about, state: 'good', detail: `${whose}, for ${may.join(' and ')}` }
        : {
            about,
            state: 'bad',
            detail: `${whose}, but it is not good for ${lacking.join(' and ')}: ask the operator for a key of that scope`,
          },
      recipes.length === 0
        ? {
            about: 'recipes',
            state: 'bad',
            detail:
              'the coordinator has none: its operator sets ENVICUTOR_RECIPES_DIRECTORY, or --env ./FOLDER brings your own',
          }
        : {
            about: 'recipes',
            state: 'good',
            detail: `${recipes.length}, for files ${[...new Set(recipes.flatMap(({ extensions }) => extensions))].join(' ')}`,
          },
    ];
  } catch (error) {
    const told = toCommandError(error, instance, signal);
    if (!(told instanceof CommandError)) throw told;
    return [{ about: 'key', state: 'bad', detail: told.message }];
  }
}

function ofThisMachine({ isRoot }: Surroundings, { isDefault }: ChosenInstance): Finding {
  const preflight =
    '`envicutor-agent preflight` (in a checkout: node agent/main.ts preflight) says whether this machine could run programs itself';
  if (!isDefault) return { about: 'this machine', state: 'note', detail: `it only asks; ${preflight}` };
  return {
    about: 'this machine',
    state: 'note',
    detail: `${isRoot ? 'root: an instance can be started here' : 'not root: no instance can be started here'}; ${preflight}`,
  };
}
