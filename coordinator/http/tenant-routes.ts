/**
 * Owns the routes of tenants, their keys and the audit. Never decides who may (tenants/tenant-service) and never keeps a key.
 * Invariant: a key is in one answer, the one that issues it.
 */
import { type Static, Type } from '@sinclair/typebox';
import { toTimestamp } from '../../shared/clock.ts';
import { PageOf, PageQuery, problems, toPageAnswer, toPageRequest } from '../../shared/http/answers.ts';
import { Closed, Nullable, OneOf, Timestamp } from '../../shared/model/closed.ts';
import { KeyDescription, Quotas, Scope, TenantId, TenantSettings } from '../../shared/model/tenant.ts';
import type { AuditStore } from '../executions/tenant-store.ts';
import type { KnownTenant, TenantService } from '../tenants/tenant-service.ts';
import { requireOperator } from './authentication.ts';
import type { HttpServer } from './server.ts';

/** What the routes talk to. */
export interface TenantRoutesDeps {
  readonly service: TenantService;
  readonly audit: AuditStore;
}

const Tenant = Closed(
  {
    id: TenantId,
    source: OneOf(['file', 'store'], {
      description: 'file: the tenants file says what it is, and is where to change it.',
    }),
    weight: Type.Number({ description: 'Share in relation to others.' }),
    isOperator: Type.Boolean({ description: 'May it operate this instance?' }),
    quotas: Quotas,
    foreignPools: Type.Array(Type.String(), { description: 'Pools of others in which its work may run.' }),
    privatePools: Type.Array(Type.String(), { description: 'Pools besides its own for its private environments.' }),
    edgeAgents: Type.Array(Type.String(), { description: 'Agents that may record for it.' }),
    createdAt: Nullable(Timestamp, { description: 'Null: it stands in the tenants file.' }),
  },
  { title: 'Tenant', description: 'A tenant.' },
);

const KeyRequest = Closed(
  {
    name: Type.String({ minLength: 1, maxLength: 100, description: 'For people; need not be unique.' }),
    scopes: Type.Array(Scope, { minItems: 1, maxItems: 3, uniqueItems: true, description: 'What it may be used for.' }),
    expiresAt: Type.Optional(Timestamp),
  },
  { title: 'KeyRequest', description: 'A key to be given out.' },
);

const IssuedKey = Closed(
  {
    ...KeyDescription.properties,
    key: Type.String({ description: 'Shown this once.' }),
  },
  { title: 'IssuedKey', description: 'A key, shown this once.' },
);

const Entry = Closed(
  {
    at: Timestamp,
    tenant: Type.String({ description: 'Who did it.' }),
    key: Closed(
      { id: Type.String({ description: 'Of the key.' }), name: Type.String({ description: 'For people.' }) },
      { description: 'By which key.' },
    ),
    address: Type.String({ description: 'From where.' }),
    requestId: Type.String({ description: 'As the answer named it.' }),
    action: Type.String({ description: 'Method and route.' }),
    target: Type.String({ description: 'What of the path is an id or a name.' }),
    detail: Type.String({ description: 'The body, cut after 1000 characters.' }),
    outcome: Nullable(Type.Integer(), { description: 'Status of the answer; null: not over, or cut off.' }),
  },
  { title: 'AuditEntry', description: 'What somebody did.' },
);

const Tenants = Closed(
  { items: Type.Array(Tenant, { description: 'All of them.' }) },
  { title: 'Tenants', description: 'Tenants of this instance.' },
);
const Keys = Closed(
  { items: Type.Array(KeyDescription, { description: 'All of them.' }) },
  { title: 'Keys', description: 'Keys of a tenant.' },
);
const RevokedKey = Closed(
  { id: Type.String({ description: 'Of the key.' }) },
  { title: 'RevokedKey', description: 'A key that is no more.' },
);

const TenantParams = Closed({ id: TenantId });
const KeyParams = Closed({
  ...TenantParams.properties,
  keyId: Type.String({ maxLength: 100, description: 'Of the key.' }),
});

function toAnswer({ tenant, isListed, createdAtMs }: KnownTenant): Static<typeof Tenant> {
  const { id, weight, isOperator, quotas, queueDepthMax, foreignPools, privatePools, edgeAgents } = tenant;
  return {
    ...{ id, source: isListed ? 'file' : 'store', weight, isOperator },
    quotas: { ...(queueDepthMax === undefined ? {} : { queueDepthMax }), ...quotas },
    ...{ foreignPools: [...(foreignPools ?? [])], privatePools: [...(privatePools ?? [])] },
    edgeAgents: [...(edgeAgents ?? [])],
    createdAt: createdAtMs === null ? null : toTimestamp(createdAtMs),
  };
}

/** Adds the routes. */
export function addTenantRoutes(server: HttpServer, deps: TenantRoutesDeps): void {
  addTenants(server, deps);
  addKeys(server, deps);
  addAudit(server, deps);
}

const config = { scope: 'operate' } as const;

function addTenants(server: HttpServer, { service }: TenantRoutesDeps): void {
  server.get(
    '/v1/tenants',
    {
      config,
      schema: {
        operationId: 'listTenants',
        errors: [],
        summary: 'All tenants; for a tenant itself',
        response: { 200: Tenants, ...problems },
      },
    },
    async (request) => ({ items: service.list(request).map(toAnswer) }),
  );

  server.get(
    '/v1/tenants/:id',
    {
      config,
      schema: {
        operationId: 'getTenant',
        errors: ['not-found'],
        summary: 'What a tenant may',
        params: TenantParams,
        response: { 200: Tenant, ...problems },
      },
    },
    async (request) => toAnswer(service.get(request, request.params.id)),
  );

  server.put(
    '/v1/tenants/:id',
    {
      config,
      schema: {
        operationId: 'putTenant',
        errors: ['conflict', 'limit-above-maximum', 'not-found'],
        summary: 'Make a tenant, or say anew what it may (operators); what is absent has its default',
        params: TenantParams,
        body: TenantSettings,
        response: { 200: Tenant, ...problems },
      },
    },
    async (request) => toAnswer(await service.save(request, request.params.id, request.body)),
  );
}

function addKeys(server: HttpServer, { service }: TenantRoutesDeps): void {
  server.get(
    '/v1/tenants/:id/keys',
    {
      config,
      schema: {
        operationId: 'listKeys',
        errors: ['not-found'],
        summary: 'Keys of a tenant, never the keys themselves',
        params: TenantParams,
        response: { 200: Keys, ...problems },
      },
    },
    async (request) => ({ items: [...service.keysOf(request, request.params.id)] }),
  );

  server.post(
    '/v1/tenants/:id/keys',
    {
      config,
      schema: {
        operationId: 'issueKey',
        errors: ['not-found', 'conflict'],
        summary: 'Give out a key; it is shown this once',
        params: TenantParams,
        body: KeyRequest,
        response: { 201: IssuedKey, ...problems },
      },
    },
    async (request, reply) => {
      const issued = await service.issue(request, request.params.id, request.body);
      return reply.code(201).header('cache-control', 'no-store').send(issued);
    },
  );

  server.delete(
    '/v1/tenants/:id/keys/:keyId',
    {
      config,
      schema: {
        operationId: 'revokeKey',
        errors: ['not-found', 'conflict'],
        summary: 'Revoke a key',
        params: KeyParams,
        response: { 200: RevokedKey, ...problems },
      },
    },
    async (request) => {
      const { id, keyId } = request.params;
      await service.revoke(request, id, keyId);
      return { id: keyId };
    },
  );
}

function addAudit(server: HttpServer, { audit }: TenantRoutesDeps): void {
  server.get(
    '/v1/audit',
    {
      config,
      schema: {
        operationId: 'listActions',
        errors: [],
        summary: 'What operators and owners of pools did, newest first',
        querystring: PageQuery,
        response: { 200: PageOf(Entry), ...problems },
      },
    },
    async (request) => {
      requireOperator(request.tenant);
      const { cursor, limit } = toPageRequest(request.query);
      const { items, next } = await audit.list(cursor, limit);
      const entries = items.map(({ atMs, tenantId, keyId, keyName, sequence: _, ...entry }) => ({
        ...{ ...entry, at: toTimestamp(atMs), tenant: tenantId, key: { id: keyId, name: keyName } },
      }));
      return toPageAnswer({ items: entries, next });
    },
  );
}
