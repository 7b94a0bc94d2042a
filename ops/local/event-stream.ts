/**
 * Owns reading server-sent events from a URL, one by one.
 * Never reconnects: the end of the stream is the end.
 */

/** One event; `data` is its lines joined. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The events of a stream in their order. */
export async function* readEvents(url: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = [...block.matchAll(/^data: ?(.*)$/gm)].map((match) => match[1] ?? '').join('\n');
      if (data !== '') yield { event: /^event: ?(.*)$/m.exec(block)?.[1] ?? 'message', data };
    }
  }
}
