/**
 * Owns the logger: the only importer of pino. Messages are constant lower-case phrases, data goes into fields.
 * Never logs user code, input, output or secrets.
 */
import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** A JSON-lines logger on standard output, or on standard error where standard output carries data. */
export function createLogger(
  component: string,
  options: { level?: string; stream?: 'stdout' | 'stderr' } = {},
): Logger {
  const settings = { level: options.level ?? 'info', base: { component }, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(settings, pino.destination({ dest: options.stream === 'stderr' ? 2 : 1, sync: true }));
}

/** A logger that says nothing, for embedding and tests. */
export const silentLogger: Logger = pino({ level: 'silent' });
