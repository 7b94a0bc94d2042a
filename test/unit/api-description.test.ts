/**
 * Owns what the API's description is to be: whole, named, and true of itself; and the proof that holding answers against it finds what is wrong with them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { Components } from '../../coordinator/http/openapi-components.ts';
import { describeApi } from '../../ops/docs/api-description.ts';
import { Closed } from '../../shared/model/closed.ts';
import { ApiDescription } from '../support/api-description.ts';

interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
  readonly security?: readonly unknown[];
}

const text = describeApi(true);
const document = JSON.parse(text) as {
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** Places below a schema that say nothing of themselves. */
function findSilent(schema: Schema, place: string): string[] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const isSilent = member.description === undefined && member.$ref === undefined;
    return [...(isSilent ? [`${place}.${name}`] : []), ...findSilent(member, `${place}.${name}`)];
  });
  const below = [...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])];
  return [...members, ...below.flatMap((one) => findSilent(one, place))];
}

test('every schema and every field says what it means', () => {
  const silent = Object.entries(document.components.schemas).flatMap(([name, schema]) => [
    ...(schema.description === undefined ? [name] : []),
    ...findSilent(schema, name),
  ]);
  assert.deepEqual(silent, []);
});

test('every operation has a name that reads well, a sentence, a known tag, and lists its errors by their codes', () => {
  const tags = new Set(document.tags.map(({ name }) => name));
  const wrong = operations.flatMap(({ path, method, operation }) => {
    const { operationId, summary, tags: own, parameters = [], responses } = operation;
    const found = [
      ...(/^[a-z]+[A-Z][A-Za-z]+$/.test(operationId) ? [] : ['its operationId']),
      ...(summary.length > 10 || path.startsWith('/v1') === false ? [] : ['its summary']),
      ...(own.every((tag) => tags.has(tag)) ? [] : ['a tag that is not explained']),
      ...parameters.filter(({ description }) => description === undefined).map(({ name }) => `parameter ${name}`),
      ...Object.keys(responses).filter((status) => /XX$/.test(status)),
    ];
    return found.map((what) => `${method} ${path}: ${what}`);
  });
  assert.deepEqual(wrong, []);
});

test('only what asks for no key says so', () => {
  const open = operations.filter(({ operation }) => operation.security !== undefined).map(({ path }) => path);
  assert.deepEqual(open, ['/healthz', '/readyz', '/metrics', '/openapi.json']);
});

test('every example follows its schema', () => {
  const description = new ApiDescription(text);
  assert.ok(description.examples.length > 0);
  for (const { name, example } of description.examples) assert.deepEqual(description.findInValue(name, example), []);
});

test('two schemas of one name end the start', () => {
  const components = new Components();
  const schema = (member: string) => Closed({ [member]: Type.String() }, { title: 'Same' });
  components.toSchema(schema('one'));
  components.toSchema(schema('one'));
  assert.throws(() => components.toSchema(schema('other')), /two schemas are called Same/);
});

const asked = { method: 'GET', path: '/v1/bases' };
const headers = new Headers({ 'content-type': 'application/json; charset=utf-8', 'x-request-id': 'req_1' });
const good = { items: [{ name: 'debian-13', isDefault: true }] };
const answered = (body: unknown, status = 200, more: Record<string, string> = {}) => {
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return { status, headers: all, body: JSON.stringify(body) };
};

test('an answer that the description does not allow is told with operation and place', () => {
  const description = new ApiDescription(text);
  const find = (...answer: Parameters<typeof answered>) => description.findInAnswer(asked, answered(...answer)).join();
  assert.equal(find(good), '');
  assert.match(find({ ...good, more: 1 }), /listBases .* the whole must NOT have additional .*more/);
  assert.match(find({}), /listBases .* the whole must have required property 'items'/);
  assert.match(find({ items: [{ name: 5, isDefault: true }] }), /\/items\/0\/name must be string/);
  assert.match(find(good, 201), /listBases .* 201, which its description does not list/);
  assert.match(find(good, 200, { 'content-type': 'text/html' }), /as 'text\/html', and not application\/json/);
  const problem = { type: 'a', title: 'b', detail: 'c', errors: [], requestId: 'd' };
  const asProblem = { 'content-type': 'application/problem+json' };
  const unknown = find({ ...problem, status: 403, code: 'conflict' }, 403, asProblem);
  assert.match(unknown, /\/code must be equal to one of the allowed values/);
  const silent = find({ ...problem, status: 503, code: 'state-store-unavailable' }, 503, asProblem);
  assert.match(silent, /503 without retry-after/);
  assert.match(
    description.findInAnswer({ ...asked, path: '/v1/none' }, answered(good)).join(),
    /not in the description/,
  );
});

test('an event that the description does not allow is told as well', () => {
  const description = new ApiDescription(text);
  const stream = { method: 'GET', path: '/v1/executions/exec_1/events' };
  assert.deepEqual(description.findInEvent(stream, 'stage', '{"stage":"queued","cause":null}'), []);
  assert.match(description.findInEvent(stream, 'stage', '{"stage":"gone","cause":null}').join(), /\/stage must be/);
  assert.match(description.findInEvent(stream, 'surprise', '{}').join(), /does not list/);
});

test('a server and a description that disagree about a request are told', () => {
  const description = new ApiDescription(text);
  const run = { method: 'POST', path: '/v1/executions' };
  const right = JSON.stringify({ environment: {}, run: { script: '' } });
  const find = (path: string, body: string, status: number, errors: readonly object[] = []) =>
    description.findInRequest({ ...run, path, body }, answered({ code: 'request-invalid', errors }, status)).join();
  assert.equal(find('/v1/executions', right, 202), '');
  assert.match(find('/v1/executions', '{"run":{}}', 202), /createExecution took what .* required property/);
  assert.match(find('/v1/executions?wiat=1', right, 202), /there is no \?wiat/);
  assert.equal(find('/v1/executions', '{"run":{}}', 400, [{ detail: 'is missing' }]), '');
  assert.match(find('/v1/executions', right, 400, [{ detail: 'is missing' }]), /refused what its description allows/);
  const pool = { method: 'PUT', path: '/v1/pools/A', body: '{}' };
  const refused = answered({ code: 'request-invalid', errors: [{ detail: 'must match ^' }] }, 400);
  assert.deepEqual(description.findInRequest(pool, refused), []);
  assert.match(description.findInRequest(pool, answered({})).join(), /putPool took .* name in path/);
  const tooLong = new Headers({ 'idempotency-key': 'x'.repeat(256) });
  assert.match(
    description.findInRequest({ ...run, headers: tooLong, body: right }, answered({}, 202)).join(),
    /idempotency-key in header/,
  );
  // What only code can know is no disagreement.
  assert.equal(find('/v1/executions', right, 400, [{ detail: 'is absolute' }]), '');
});
