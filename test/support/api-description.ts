/**
 * Owns holding what went over HTTP against the API's description, by a validator that knows nothing of ours: answers, events, and whether requests and
 * description agree. Never asks anybody. Invariant: what the description does not allow is an error that names operation and place.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Json = Record<string, unknown>;
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<Record<string, Json>>;
}
interface EventSchema {
  readonly properties: {
    readonly event: { readonly const: string };
    readonly data: { readonly contentSchema: object };
  };
}
interface Content {
  readonly schema: { readonly oneOf?: readonly EventSchema[] };
}

/** A request as it was sent. */
export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers?: Headers;
  readonly body?: string | undefined;
}

/** An answer to it; the body of a stream is left out. */
export interface Answered {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: string | null;
}

/** What the schemas' own checks say, as against what only code can know: paths, base64, maxima. */
const saidBySchema =
  /^(is missing|is not a known field|is not a valid name here|must (be|match) |needs (array|string|object) )/;

/** The API as it describes itself. */
export class ApiDescription {
  readonly #document: {
    paths: Record<string, Record<string, Operation>>;
    components: Record<string, Record<string, Json>>;
  };
  readonly #ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
  readonly #validators = new Map<object, ValidateFunction>();
  readonly #places: readonly { readonly pattern: RegExp; readonly path: string }[];

  constructor(text: string) {
    // Each named schema is one of its own: the validator then refuses every keyword that it does not know.
    this.#document = JSON.parse(text.replaceAll('"#/components/schemas/', '"schema:'));
    for (const [name, schema] of Object.entries(this.#document.components['schemas'] ?? {}))
      this.#ajv.addSchema(schema, `schema:${name}`);
    this.#places = Object.keys(this.#document.paths)
      .sort((one, other) => one.split('{').length - other.split('{').length)
      .map((path) => ({
        path,
        pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
      }));
  }

  /** Every schema with its examples, by name. */
  get examples(): readonly { readonly name: string; readonly example: unknown }[] {
    const schemas = Object.entries(this.#document.components['schemas'] ?? {});
    return schemas.flatMap(([name, { examples = [] }]) =>
      (examples as unknown[]).map((example) => ({ name, example })),
    );
  }

  /** What is wrong with a value of this name; none: nothing. */
  findInValue(name: string, value: unknown): string[] {
    return this.#find({ $ref: `schema:${name}` }, value, name);
  }

  #place({ path }: Asked) {
    const plain = path.split('?', 1)[0] ?? '';
    return this.#places.find(({ pattern }) => pattern.test(plain));
  }

  #operation(asked: Asked): Operation | null {
    const { method } = asked;
    const place = this.#place(asked);
    if (place === undefined) return null;
    // HEAD is answered as GET is, without a body.
    return this.#document.paths[place.path]?.[method === 'HEAD' ? 'get' : method.toLowerCase()] ?? null;
  }

  #find(schema: object, value: unknown, what: string): string[] {
    let validate = this.#validators.get(schema);
    if (validate === undefined) {
      validate = this.#ajv.compile(schema);
      this.#validators.set(schema, validate);
    }
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) => {
      return `${what}: ${instancePath || 'the whole'} ${message} ${JSON.stringify(params)}`;
    });
  }

  #resolve(response: Json): Json {
    const { $ref: reference } = response;
    if (typeof reference !== 'string') return response;
    const [, , kind = '', name = ''] = reference.split('/');
    return this.#document.components[kind]?.[name] ?? {};
  }

  #responseOf(operation: Operation, status: number): Json | null {
    const found = operation.responses[status] ?? operation.responses[`${Math.floor(status / 100)}XX`];
    return found === undefined ? null : this.#resolve(found);
  }

  /** What is wrong with an answer; none: nothing. What is not in the description at all may only be refused. */
  findInAnswer(asked: Asked, answered: Answered): string[] {
    const operation = this.#operation(asked);
    const { status, body } = answered;
    const where = `${operation?.operationId ?? asked.method} ${asked.path.slice(0, 100)} answered ${status}`;
    if (operation === null) {
      if (status < 400) return [`${where}, and is not in the description`];
      return body === null || body === '' ? [] : this.#find({ $ref: 'schema:Problem' }, parse(body), where);
    }
    const response = this.#responseOf(operation, status);
    if (response === null) return [`${where}, which its description does not list: ${body?.slice(0, 300)}`];
    const found = this.#findInHeaders(response, answered, where);
    const content = response['content'] as Record<string, Content> | undefined;
    const type = toMediaType(answered);
    if (asked.method === 'HEAD' || body === null) return found;
    if (content === undefined) return body === '' ? found : [...found, `${where} with a body`];
    const described = content[type];
    if (described === undefined) return [...found, `${where} as '${type}', and not ${Object.keys(content)}`];
    const value = type.endsWith('json') ? parse(body) : body;
    return [...found, ...this.#find(described.schema, value, where)];
  }

  #findInHeaders(response: Json, { headers }: Answered, where: string): string[] {
    const described = Object.entries((response['headers'] ?? {}) as Record<string, Json>);
    return described.flatMap(([name, reference]) => {
      const { schema, required } = this.#resolve(reference) as { schema: object; required?: boolean };
      const value = headers.get(name);
      if (value === null) return required === true ? [`${where} without ${name}`] : [];
      return this.#find(schema, value, `${where}, ${name}`);
    });
  }

  /** What is wrong with one event of a stream. */
  findInEvent(asked: Asked, name: string, data: string): string[] {
    const operation = this.#operation(asked);
    const response = operation === null ? null : this.#responseOf(operation, 200);
    const content = response?.['content'] as Record<string, Content> | undefined;
    const where = `${operation?.operationId ?? asked.path}, event ${name}`;
    const events = content?.['text/event-stream']?.schema.oneOf ?? [];
    const schema = events.find(({ properties }) => properties.event.const === name)?.properties.data.contentSchema;
    if (schema === undefined) return [`${where}, which its description does not list`];
    return this.#find(schema, parse(data), where);
  }

  /** Where description and server disagree about a request: what was taken must be right by the description, what a schema refused wrong. */
  findInRequest(asked: Asked, answered: Answered): string[] {
    const operation = this.#operation(asked);
    if (operation === null) return [];
    const wrong = this.#findInAsked(operation, asked);
    if (answered.status < 300)
      return wrong.map((sentence) => `${operation.operationId} took what its description does not allow: ${sentence}`);
    if (wrong.length > 0 || answered.status !== 400 || answered.body === null) return [];
    const { code, errors = [] } = (parse(answered.body) ?? {}) as { code?: string; errors?: { detail: string }[] };
    const isSchemas = code === 'request-invalid' && errors.some(({ detail }) => saidBySchema.test(detail));
    return isSchemas
      ? [`${operation.operationId} refused what its description allows: ${answered.body.slice(0, 500)}`]
      : [];
  }

  /** Values of the path and of headers; a header that is not described may be sent. */
  #findInPlaces({ parameters = [] }: Operation, asked: Asked): string[] {
    const { path, headers } = asked;
    const named = this.#place(asked)?.pattern.exec(path.split('?', 1)[0] ?? '')?.groups ?? {};
    return parameters.flatMap(({ name, in: place, schema }) => {
      const text = place === 'path' ? named[name] : place === 'header' ? (headers?.get(name) ?? undefined) : undefined;
      return text === undefined ? [] : this.#find(schema, decode(text), `${name} in ${place}`);
    });
  }

  #findInAsked(operation: Operation, asked: Asked): string[] {
    const { parameters = [], requestBody, operationId } = operation;
    const { path, body } = asked;
    const found = this.#findInPlaces(operation, asked);
    const query = new URLSearchParams(path.split('?')[1] ?? '');
    for (const [name, value] of query) {
      const parameter = parameters.find((one) => one.in === 'query' && one.name === name);
      if (parameter === undefined) found.push(`there is no ?${name}`);
      else found.push(...this.#find(parameter.schema, value, `?${name}`));
    }
    if (body === undefined || body === '') return found;
    const schema = requestBody?.content['application/json']?.schema;
    // Bytes: whatever they are.
    if (requestBody !== undefined && schema === undefined) return found;
    if (schema === undefined) return [...found, 'it takes no body'];
    const value = parse(body);
    return [...found, ...(value === undefined ? ['it is not JSON'] : this.#find(schema, value, operationId))];
  }
}

function toMediaType({ headers }: Answered): string {
  return (headers.get('content-type') ?? '').split(';', 1)[0] ?? '';
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
