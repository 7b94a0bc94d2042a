/**
 * Owns how rooms of other protocols take requests: JSON under any content type, or none, since clients of other systems say what they like, and a key
 * however their protocol carries it. Never looks at what is said, and lets in nobody whom the native API would not.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { parseJsonBody } from '../../shared/http/json-body.ts';
import type { HttpServer } from '../http/server.ts';

/** Adds routes whose bodies are JSON whatever their content type says. */
export function addWithAnyContent(server: HttpServer, add: (room: HttpServer) => void): void {
  server.register((room, _options, done) => {
    room.removeAllContentTypeParsers();
    room.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (_request, body, parsed) => {
      try {
        parsed(null, body.length === 0 ? undefined : parseJsonBody(body));
      } catch (error) {
        parsed(error as Error);
      }
    });
    add(room as HttpServer);
    done();
  });
}

/** A key that is sent as it is, without a word before it; undefined: there is none, or one that is borne as natively. */
export function rawKeyOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return authorization !== undefined && /^[!-~]+$/.test(authorization) ? authorization : undefined;
}

/** The same in the native API's form, for who has nothing but headers. */
export function bearRawKey(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const key = rawKeyOf(headers);
  return key === undefined ? headers : { ...headers, authorization: `Bearer ${key}` };
}
