/**
 * Owns asking the API in tests: fetch, and everything that goes over it held against the description that the same server serves. Never repeats a
 * request. Invariant: an answer, or an event, that the description does not allow fails the test that asked.
 */
import assert from 'node:assert/strict';
import { describeApi } from '../../ops/docs/api-description.ts';
import { ApiDescription, type Asked } from './api-description.ts';

const DESCRIPTION_MS_MAX = 5000;

const descriptions = new Map<string, ApiDescription>();
const own = new Map<string, ApiDescription>();

/** What the code describes, for a server that can't answer just now; an edge describes nothing, and serves executions alone. */
function ownDescription(who: 'coordinator' | 'edge'): ApiDescription {
  const known = own.get(who);
  if (known !== undefined) return known;
  const whole = JSON.parse(describeApi(true));
  const isServed = (path: string) => who === 'coordinator' || path.startsWith('/v1/executions');
  const paths = Object.entries(whole.paths).filter(([path]) => isServed(path));
  const description = new ApiDescription(JSON.stringify({ ...whole, paths: Object.fromEntries(paths) }));
  own.set(who, description);
  return description;
}

/** What a server says that it serves. */
export async function descriptionOf(origin: string): Promise<ApiDescription> {
  const known = descriptions.get(origin);
  if (known !== undefined) return known;
  try {
    const answer = await fetch(`${origin}/openapi.json`, { signal: AbortSignal.timeout(DESCRIPTION_MS_MAX) });
    const text = await answer.text();
    if (answer.status !== 200) return ownDescription('edge');
    const description = new ApiDescription(text);
    descriptions.set(origin, description);
    return description;
  } catch {
    return ownDescription('coordinator');
  }
}

function check(found: readonly string[]): void {
  assert.deepEqual(found, [], 'what went over HTTP is not what the description says');
}

/** Passes events on, each after it was held against the description. */
function checkEvents(description: ApiDescription, asked: Asked): TransformStream<string, string> {
  let text = '';
  return new TransformStream({
    transform(chunk, controller) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const name = /^event: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (name !== undefined && data !== undefined) check(description.findInEvent(asked, name, data));
      }
      controller.enqueue(chunk);
    },
  });
}

/** fetch, checked. */
export async function checkedFetch(input: string | URL, init: RequestInit = {}): Promise<Response> {
  const { origin, pathname, search } = new URL(input);
  const description = await descriptionOf(origin);
  const answer = await fetch(input, init);
  const body = typeof init.body === 'string' ? init.body : undefined;
  const asked = { method: init.method ?? 'GET', path: pathname + search, headers: new Headers(init.headers), body };
  if (pathname.startsWith('/internal/')) return answer;
  const type = answer.headers.get('content-type') ?? '';
  const isStream = type.startsWith('text/event-stream');
  const { status, headers } = answer;
  const answered = { status, headers, body: isStream ? null : await answer.clone().text() };
  check(description.findInAnswer(asked, answered));
  if (init.body === undefined || body !== undefined) check(description.findInRequest(asked, answered));
  if (!isStream || answer.body === null) return answer;
  const checked = answer.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(checkEvents(description, asked))
    .pipeThrough(new TextEncoderStream());
  return new Response(checked, { status, headers });
}
