/**
 * Owns what the owner of a pool says about its use: who may, with what, how much, when; and finding what a piece of work has against it. The same rules
 * hold at the coordinator, which does not place what would be refused, and at the agent, which believes its owner and not its coordinator. Pure.
 * Never knows a pool's agents. Invariant: what a policy does not speak of is allowed to its owner, and to nobody else.
 */
import { type Static, Type } from '@sinclair/typebox';
import { Closed, OneOf } from './closed.ts';
import { baseNames } from './environment.ts';
import { type AllLimits, Limits, limitNames } from './limits.ts';

/** Days of the week, the first as Date.getUTCDay has it. */
export const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const timeOfDay = { pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' };

/** When others may use a pool; UTC. */
export const Hours = Closed(
  {
    days: Type.Array(OneOf(days), { minItems: 1, maxItems: 7, description: 'On which days it begins.' }),
    from: Type.String({ ...timeOfDay, description: 'Such as 18:00; UTC.' }),
    to: Type.String({ ...timeOfDay, description: 'Not this minute any more; at or before `from`: on the next day.' }),
  },
  { title: 'Hours', description: 'When others may use a pool; UTC.' },
);
export type Hours = Static<typeof Hours>;

/** The policy of one pool. */
export const SitePolicy = Closed(
  {
    owner: Type.String({ minLength: 1, maxLength: 64, description: 'Tenant whose machines these are.' }),
    tenants: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      maxItems: 1000,
      description: 'Others that may use them; `*`: everybody. The owner always may.',
    }),
    environments: Type.Optional(
      Closed(
        {
          scopes: Type.Optional(
            Type.Array(OneOf(['shared', 'tenant']), {
              description: "Whose layers others may run on: everybody's, their own; absent: both.",
            }),
          ),
          bases: Type.Optional(Type.Array(OneOf(baseNames), { description: 'Bases of them; absent: any.' })),
          egress: Type.Optional(
            Type.Array(Type.String(), {
              description: 'Ids of the rules of the build network under which they may have been built; absent: any.',
            }),
          ),
        },
        { title: 'SiteEnvironments', description: 'On which layers others may run; absent: on any.' },
      ),
    ),
    limits: Type.Optional(Limits),
    hours: Type.Optional(
      Type.Array(Hours, { maxItems: 100, description: 'When others may use them; absent: always.' }),
    ),
    sharePercentMax: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description: 'Part of the slots that others may have at a time, in hundredths; absent: all.',
      }),
    ),
  },
  { title: 'SitePolicy', description: "What a pool's owner says about its use." },
);
export type SitePolicy = Static<typeof SitePolicy>;

/** A layer of a piece of work, as its manifest and specification say. */
export interface PolicyLayer {
  readonly scope: string;
  readonly base: string;
  readonly egress: string;
}

/** A piece of work as a policy sees it. */
export interface PolicyCase {
  readonly tenantId: string;
  readonly layers: readonly PolicyLayer[];
  /** Of each script. */
  readonly limits: readonly AllLimits[];
  readonly nowMs: number;
}

/** Is this moment within hours? */
export function isWithin(hours: readonly Hours[], nowMs: number): boolean {
  const now = new Date(nowMs);
  const minute = now.getUTCHours() * 60 + now.getUTCMinutes();
  const today = now.getUTCDay();
  const yesterday = (today + 6) % 7;
  return hours.some(({ days: on, from, to }) => {
    const [begin, end] = [toMinute(from), toMinute(to)];
    const isOn = (day: number) => on.includes(days[day] as (typeof days)[number]);
    if (begin < end) return isOn(today) && minute >= begin && minute < end;
    return (isOn(today) && minute >= begin) || (isOn(yesterday) && minute < end);
  });
}

function toMinute(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
}

/** Why this work may not run there, as a sentence, or null. The share is whoever's who counts slots. */
export function findObjection(policy: SitePolicy, work: PolicyCase): string | null {
  return findLastingObjection(policy, work) ?? findPassingObjection(policy, work);
}

/** The part of it that another hour changes. */
export function findPassingObjection(
  { owner, hours }: SitePolicy,
  { tenantId, nowMs }: Pick<PolicyCase, 'tenantId' | 'nowMs'>,
): string | null {
  if (tenantId === owner || hours === undefined || isWithin(hours, nowMs)) return null;
  return `others may not use machines of ${owner} at this hour`;
}

/** The part of it that is the same at any hour. */
export function findLastingObjection(
  policy: SitePolicy,
  { tenantId, layers, limits }: Omit<PolicyCase, 'nowMs'>,
): string | null {
  const { owner, tenants, environments = {}, limits: maxima = {} } = policy;
  if (tenantId === owner) return null;
  if (!tenants.includes(tenantId) && !tenants.includes('*'))
    return `tenant ${tenantId} may not use machines of ${owner}`;
  for (const { scope, base, egress } of layers) {
    const kind = scope === 'shared' ? 'shared' : 'tenant';
    if (environments.scopes?.includes(kind) === false)
      return `layers of scope ${kind} may not run on machines of ${owner}`;
    if (environments.bases?.some((name) => name === base) === false)
      return `base ${base} may not run on machines of ${owner}`;
    if (environments.egress?.includes(egress) === false)
      return `what was built under egress rules ${egress} may not run on machines of ${owner}`;
  }
  for (const name of limitNames) {
    const max = maxima[name];
    const asked = Math.max(0, ...limits.map((each) => each[name]));
    if (max !== undefined && asked > max) return `${name} is ${asked} and machines of ${owner} allow others ${max}`;
  }
  return null;
}

/** Slots of so many that others may have at a time. */
export function sharedSlots({ sharePercentMax = 100 }: SitePolicy, slots: number): number {
  return Math.floor((slots * sharePercentMax) / 100);
}
