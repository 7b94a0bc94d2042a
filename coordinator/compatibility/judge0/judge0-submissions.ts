/**
 * Owns the routes by which Judge0's clients submit: one, waited for or not, and many at once. Never judges: the answer is made of the execution's.
 * Invariants: what is not waited for is durable before its token is given; of a batch what is valid is accepted together, and what is not is told in
 * its place.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SystemError } from '../../../shared/errors.ts';
import type { ExecutionId } from '../../../shared/ids.ts';
import type { Execution, ExecutionRequest } from '../../../shared/model/execution.ts';
import { toUuid } from '../execution-uuid.ts';
import { type Room, readMembers, readParameter } from '../room.ts';
import type { Judge0 } from './judge0.ts';
import { readFields, toAnswer, UnwritableText } from './judge0-answer.ts';
import { type Problems, readSubmission } from './judge0-asked.ts';
import { toRequest } from './judge0-request.ts';
import { BATCH_MAX } from './judge0-settings.ts';

const UNPROCESSABLE = 422;

/** Attributes of the wire, by where the native request has their values. */
const attributeOf: readonly (readonly [pointer: RegExp, name: string])[] = [
  [/^\/additional_files|^\/files\/[1-9]/, 'additional_files'],
  [/^\/files/, 'source_code'],
  [/^\/run\/stdin/, 'stdin'],
  [/^\/tests/, 'expected_output'],
  [/^\/run\/arguments/, 'command_line_arguments'],
  [/^\/(compile|run)\/variables/, 'compiler_options'],
  [/^\/webhook/, 'callback_url'],
];

/** What the native rules say of a translated request, by attribute; anything else is no fault of the submission's. */
function toProblems(error: unknown): Problems {
  if (!(error instanceof SystemError) || !['request-invalid', 'limit-above-maximum'].includes(error.code)) throw error;
  const problems: Problems = {};
  for (const { pointer, detail } of error.errors) {
    const name = attributeOf.find(([pattern]) => pattern.test(pointer))?.[1] ?? 'base';
    problems[name] = [...(problems[name] ?? []), detail];
  }
  return Object.keys(problems).length > 0 ? problems : { base: [error.message] };
}

/** The request of a submission, or what is wrong with it. */
async function translate(
  judge0: Judge0,
  members: unknown,
  isBase64: boolean,
): Promise<{ readonly request: ExecutionRequest } | { readonly problems: Problems }> {
  const isObject = typeof members === 'object' && members !== null && !Array.isArray(members);
  const { languages, settings, receivers, executions, options } = judge0;
  const said = isObject ? (members as Readonly<Record<string, unknown>>) : {};
  const asked = readSubmission(said, isBase64, { languages, settings, receivers });
  if ('problems' in asked) return asked;
  try {
    const terms = { languages, maxima: options.limitMaxima };
    const request = await toRequest(asked.submission, asked.language, terms);
    executions.check(request);
    return { request };
  } catch (error) {
    return { problems: toProblems(error) };
  }
}

/** Is the answer to be in base64? */
export function isBase64Asked(request: FastifyRequest): boolean {
  return readParameter(request, 'base64_encoded') === 'true';
}

/** The names of `fields`; null when some are none, and that was answered. */
export function readNames(request: FastifyRequest, reply: FastifyReply): readonly string[] | null {
  const fields = readFields(readParameter(request, 'fields'));
  if ('names' in fields) return fields.names;
  reply.code(400).send({ error: `invalid fields: [${fields.invalid.join(', ')}]` });
  return null;
}

function answerWaited(judge0: Judge0, execution: Execution, names: readonly string[], isBase64: boolean) {
  try {
    return toAnswer(execution, judge0.languages, { names, isBase64 });
  } catch (error) {
    if (!(error instanceof UnwritableText)) throw error;
    return { error: error.message, token: toUuid(execution.id as ExecutionId) };
  }
}

/** Adds the routes. */
export function addSubmissions(room: Room, judge0: Judge0): void {
  room.add('POST', '/submissions', 'execute', async (request, reply) => {
    const names = readNames(request, reply);
    if (names === null) return reply;
    const isBase64 = isBase64Asked(request);
    const translated = await translate(judge0, readMembers(request), isBase64);
    if ('problems' in translated) return reply.code(UNPROCESSABLE).send(translated.problems);
    const { executions } = judge0;
    const tenantId = request.tenant.id;
    if (readParameter(request, 'wait') === 'true') {
      const execution = await executions.run(tenantId, translated.request, reply);
      return reply.code(201).send(answerWaited(judge0, execution, names, isBase64));
    }
    const [id] = await executions.acceptAll(tenantId, [translated.request]);
    return reply.code(201).send({ token: id === undefined ? null : toUuid(id) });
  });
  room.add('POST', '/submissions/batch', 'execute', (request, reply) => submitBatch(judge0, request, reply));
}

async function submitBatch(judge0: Judge0, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const said = readMembers(request)?.['submissions'];
  const all: readonly unknown[] = Array.isArray(said) ? said : [];
  const why = whyNoBatch(all.length);
  if (why !== null) return reply.code(400).send({ error: why });
  const isBase64 = isBase64Asked(request);
  const translated = [];
  // One after the other: archives are unpacked in memory, together into no more than a body may be.
  let bytes = 0;
  for (const members of all) {
    const one = bytes > judge0.options.bodyBytesMax ? tooMuch : await translate(judge0, members, isBase64);
    if ('request' in one) bytes += weigh(one.request);
    translated.push(one);
  }
  const valid = translated.flatMap((one) => ('request' in one ? [one.request] : []));
  const ids = valid.length === 0 ? [] : [...(await judge0.executions.acceptAll(request.tenant.id, valid))];
  const answers = translated.map((one) => {
    if ('problems' in one) return one.problems;
    const id = ids.shift();
    return { token: id === undefined ? null : toUuid(id) };
  });
  return reply.code(valid.length === 0 ? UNPROCESSABLE : 201).send(answers);
}

const tooMuch = { problems: { additional_files: ['is too much, with what is before it in this batch'] } };

/** Of what a request carries in files; bytes of text. */
function weigh({ files = [] }: ExecutionRequest): number {
  return files.reduce((sum, file) => sum + ('content' in file ? file.content.length : 0), 0);
}

/** Why so many are no batch, in the wire's words; null: they are one. */
export function whyNoBatch(count: number): string | null {
  if (count === 0) return 'there should be at least one submission in a batch';
  if (count <= BATCH_MAX) return null;
  return `number of submissions in a batch should be less than or equal to ${BATCH_MAX}`;
}
