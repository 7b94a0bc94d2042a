/**
 * Owns asking a coordinator as clients of other systems' protocols do, whose contracts are not in our description: any type, form or method.
 * Never checks an answer.
 */

/** What came back. */
export interface ForeignAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text read as JSON; undefined where there is none. */
  readonly body: ReturnType<typeof JSON.parse>;
}

/** A client of one server, with headers that it always sends. */
export function foreignClient(url: () => string, always: Readonly<Record<string, string>> = {}) {
  return async (
    method: string,
    path: string,
    body?: object | string | null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ForeignAnswer> => {
    const isText = typeof body === 'string';
    const type: Record<string, string> = body && !isText ? { 'content-type': 'application/json' } : {};
    const content = body === undefined || body === null ? {} : { body: isText ? body : JSON.stringify(body) };
    const answer = await fetch(`${url()}${path}`, { method, headers: { ...type, ...always, ...headers }, ...content });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '') && text !== '';
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined };
  };
}
