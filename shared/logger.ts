/**
 * Owns the port for log lines and its adapter: the only importer of pino. Messages are constant lower-case phrases, data goes into fields.
 * Never logs user code, input, output or secrets.
 */
import { pino } from 'pino';

/** Severities of lines, and what is above all of them. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Says one thing: data first, then a constant phrase. */
export type LogLine = (fields: object, message: string) => void;

/** Who hears what goes on, by severity; a pino logger is one, and so is `console`. */
export interface Logger {
  debug: LogLine;
  info: LogLine;
  warn: LogLine;
  error: LogLine;
}

/** A JSON-lines logger on standard output, or on standard error where standard output carries data. */
export function createLogger(
  component: string,
  options: { level?: string; stream?: 'stdout' | 'stderr' } = {},
): Logger {
  const settings = { level: options.level ?? 'info', base: { component }, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(settings, pino.destination({ dest: options.stream === 'stderr' ? 2 : 1, sync: true }));
}

const silence: LogLine = () => undefined;

/** The same logger, which hears nothing below this level. */
export function atLeast(level: LogLevel, logger: Logger): Logger {
  const least = logLevels.indexOf(level);
  const line = (of: keyof Logger): LogLine =>
    logLevels.indexOf(of) < least ? silence : (fields, message) => logger[of](fields, message);
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}

/** A logger that says nothing, for embedding and tests. */
export const silentLogger: Logger = { debug: silence, info: silence, warn: silence, error: silence };
