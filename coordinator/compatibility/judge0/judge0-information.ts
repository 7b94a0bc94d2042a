/**
 * Owns what Judge0's clients are told of an instance: languages, statuses, settings, machines, queue, statistics, release. Figures are those of this
 * instance, and statistics those of the asking tenant. Never shows another tenant's.
 */
import { LRUCache } from 'lru-cache';
import { toTimestamp } from '../../../shared/clock.ts';
import { SystemError } from '../../../shared/errors.ts';
import { RELEASE } from '../../../shared/protocol/version.ts';
import { type Room, readParameter } from '../room.ts';
import { isAuthorized, type Judge0 } from './judge0.ts';
import { fromMetadata } from './judge0-attributes.ts';
import { toLanguageAnswer } from './judge0-languages.ts';
import { toOutcome } from './judge0-outcome.ts';
import { LISTED_MAX } from './judge0-records.ts';
import { toConfigInfo } from './judge0-settings.ts';
import { allStatuses } from './judge0-statuses.ts';

/** The release whose contract is kept: clients choose their ids of languages by it. */
const CONTRACT = '1.13.1';
const HOME = '/openapi.json';
const GIB = 1024 ** 3;
const DAYS = 30;
const DAY_CHARACTERS = 'YYYY-MM-DD'.length;
const STATISTICS_TTL_MS = 600_000;
const STATISTICS_KEPT_MAX = 1000;

/** Adds the routes. */
export function addInformation(room: Room, judge0: Judge0): void {
  addLanguages(room, judge0);
  addInstance(room, judge0);
  addStatistics(room, judge0);
  room.add('POST', '/authenticate', 'any', (_request, reply) => reply.send());
  room.add('POST', '/authorize', 'any', async (request, reply) =>
    reply.code((await isAuthorized(judge0, request)) ? 200 : 403).send(),
  );
}

function addLanguages(room: Room, { languages }: Judge0): void {
  room.add('GET', '/languages', 'any', () => languages.all().map(({ id, name }) => ({ id, name })));
  room.add('GET', '/languages/all', 'any', () =>
    languages.all().map(({ id, name }) => ({ id, name, is_archived: false })),
  );
  room.add('GET', '/languages/:id', 'any', (request) => {
    const { id } = request.params as { id: string };
    const language = /^\d{1,9}$/.test(id) ? languages.get(Number(id)) : undefined;
    if (language === undefined) throw new SystemError('not-found', `there is no language ${id.slice(0, 64)}`);
    return toLanguageAnswer(language);
  });
  room.add('GET', '/statuses', 'any', () => allStatuses);
}

function addInstance(room: Room, judge0: Judge0): void {
  const { settings, options, fleet, waiting } = judge0;
  const configInfo = toConfigInfo(settings, options);
  const about = { version: CONTRACT, homepage: HOME, source_code: HOME, maintainer: `Envicutor ${RELEASE}` };
  room.add('GET', '/config_info', 'any', () => configInfo);
  room.add('GET', '/system_info', 'any', () => toSystemInfo(judge0));
  room.add('GET', '/workers', 'any', () => {
    const { total, free } = fleet.slots();
    const counts = { available: total, idle: free, working: total - free, paused: 0, failed: 0 };
    return [{ queue: CONTRACT, size: waiting(), ...counts }];
  });
  room.add('GET', '/about', 'any', () => about);
  const say = (path: string, text: string) =>
    room.add('GET', path, 'any', (_request, reply) => reply.type('text/plain; charset=utf-8').send(text));
  say('/version', CONTRACT);
  say('/license', 'Envicutor is under the Apache License 2.0; see LICENSE in its repository.\n');
  say('/isolate', `Envicutor ${RELEASE}: programs run in its own launcher, see docs/sandbox.md.\n`);
}

/** The machines that run programs, together. */
function toSystemInfo({ fleet }: Judge0): Record<string, string> {
  const facts = [...fleet.all()].map((agent) => agent.facts);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const all = (values: readonly string[]) => [...new Set(values)].join(', ');
  return {
    Architecture: all(facts.map(({ architecture }) => architecture)),
    'CPU(s)': String(sum(facts.map(({ cores }) => cores))),
    Kernel: all(facts.map(({ kernel }) => kernel)),
    Mem: `${(sum(facts.map(({ memoryBytes }) => memoryBytes)) / GIB).toFixed(1)}G`,
  };
}

function addStatistics(room: Room, judge0: Judge0): void {
  const known = new LRUCache<string, { readonly answer: object; readonly untilMs: number }>({
    max: STATISTICS_KEPT_MAX,
  });
  room.add('GET', '/statistics', 'execute', async (request) => {
    const tenantId = request.tenant.id;
    const nowMs = judge0.clock.nowMs();
    const kept = known.get(tenantId);
    const isFresh = readParameter(request, 'invalidate_cache') !== 'true';
    if (isFresh && kept !== undefined && nowMs < kept.untilMs) return kept.answer;
    const untilMs = nowMs + STATISTICS_TTL_MS;
    const answer = await toStatistics(judge0, tenantId, { nowMs, untilMs });
    known.set(tenantId, { answer, untilMs });
    return answer;
  });
}

function toCounts<Key>(keys: readonly Key[]): [key: Key, count: number][] {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts];
}

/** Over the newest submissions that are kept. */
async function toStatistics(
  { executions, languages, storedBytes }: Judge0,
  tenantId: string,
  { nowMs, untilMs }: { readonly nowMs: number; readonly untilMs: number },
): Promise<object> {
  const all = await executions.newest(tenantId, LISTED_MAX);
  const ours = all.flatMap((execution) => {
    const submission = fromMetadata(execution.metadata);
    if (submission === null) return [];
    const day = execution.createdAt.slice(0, DAY_CHARACTERS);
    return [{ day, language: submission.language_id, status: toOutcome(execution, submission).status.id }];
  });
  const days = toCounts(ours.map(({ day }) => day)).slice(0, DAYS);
  const today = toTimestamp(nowMs).slice(0, DAY_CHARACTERS);
  const perStatus = new Map(toCounts(ours.map(({ status }) => status)));
  const bytes = await storedBytes(tenantId);
  return {
    ...{ created_at: toTimestamp(nowMs), cached_until: toTimestamp(untilMs) },
    submissions: {
      total: ours.length,
      today: days.find(([day]) => day === today)?.[1] ?? 0,
      last_30_days: Object.fromEntries(days),
    },
    languages: toCounts(ours.map(({ language }) => language)).map(([id, count]) => ({
      language: languages.told(id),
      count,
    })),
    statuses: allStatuses.map((status) => ({ status, count: perStatus.get(status.id) ?? 0 })),
    database: { size_pretty: `${Math.round(bytes / 1024)} kB`, size_in_bytes: bytes },
  };
}
