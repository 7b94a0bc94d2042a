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

/** How long an ordinary line may wait for others: they leave together, after whoever waits for the work has its answer. */
const LINGER_MS = 10;
/** So many bytes don't wait. */
const LINGERING_BYTES_MAX = 8192;

/**
 * A JSON-lines logger on standard output, or on standard error where standard output carries data. Warnings and errors, with all before them, are
 * out when the call returns; other lines at most 10 ms later, and at the process's end however it comes, but for SIGKILL.
 */
export function createLogger(
  component: string,
  options: { level?: string; stream?: 'stdout' | 'stderr' } = {},
): Logger {
  const settings = { level: options.level ?? 'info', base: { component }, timestamp: pino.stdTimeFunctions.isoTime };
  const out = pino.destination({
    dest: options.stream === 'stderr' ? 2 : 1,
    sync: true,
    minLength: LINGERING_BYTES_MAX,
  });
  const lines = pino(settings, out);
  let timer: NodeJS.Timeout | null = null;
  const flush = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    out.flushSync();
  };
  process.once('exit', flush);
  const ordinary = (of: 'debug' | 'info'): LogLine => {
    return (fields, message) => {
      lines[of](fields, message);
      timer ??= setTimeout(flush, LINGER_MS).unref();
    };
  };
  const urgent = (of: 'warn' | 'error'): LogLine => {
    return (fields, message) => {
      lines[of](fields, message);
      flush();
    };
  };
  return { debug: ordinary('debug'), info: ordinary('info'), warn: urgent('warn'), error: urgent('error') };
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
