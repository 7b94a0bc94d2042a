/**
 * Owns copies of a PostgreSQL database by its own programs, pg_dump, pg_restore and psql: one snapshot, while coordinators go on.
 * Never puts the password where others see it (an argument), and never restores a part: one transaction brings everything back, or nothing.
 */
import { execFile } from 'node:child_process';
import { chmod, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '../../shared/config.ts';
import { SystemError } from '../../shared/errors.ts';
import { postgresMigrations } from '../executions/postgres-database.ts';
import type { DatabaseCopies } from './database-copies.ts';

const run = promisify(execFile);
/** What PostgreSQL's programs look for in their environment besides the password. */
const inherited = ['PATH', 'HOME', 'LANG', 'PGSSLROOTCERT', 'PGSSLCERT', 'PGSSLKEY', 'PGSSLMODE'];
const OUTPUT_BYTES_MAX = 1 << 26;
const TABLES = `SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`;

/** Copies of the database of this URL. */
export class PostgresCopies implements DatabaseCopies {
  readonly engine = 'postgres';
  readonly formKnown = postgresMigrations.length;
  readonly fileName = 'database.dump';
  readonly #address: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(url: string) {
    const address = new URL(url);
    const password = decodeURIComponent(address.password);
    address.password = '';
    this.#address = address.href;
    this.#environment = { ...inheritedEnvironment(inherited), ...(password === '' ? {} : { PGPASSWORD: password }) };
  }

  async save(path: string): Promise<void> {
    // Made here, so that nobody else may read it.
    const made = await open(path, 'wx', 0o600);
    try {
      const how = ['--format=custom', '--no-owner', '--no-privileges', `--file=${path}`];
      await this.#run('copying the database', 'pg_dump', ...how, `--dbname=${this.#address}`);
      await chmod(path, 0o600);
      await made.sync();
    } finally {
      await made.close();
    }
  }

  /** From the copy itself, so that a migration between two questions tells nothing wrong. */
  async formOf(path: string): Promise<number> {
    const rows = await this.#run(`reading ${path}`, 'pg_restore', '--data-only', '--table=forms', '--file=-', path);
    const forms = rows.match(/^\d+$/gm)?.map(Number) ?? [];
    if (forms.length === 0) {
      throw new SystemError('file-corrupt', `${path} holds no database of a coordinator; use another backup`);
    }
    return Math.max(...forms);
  }

  async isEmpty(): Promise<boolean> {
    const how = ['--no-psqlrc', '--tuples-only', '--no-align', `--dbname=${this.#address}`];
    return (await this.#run('looking at the database', 'psql', ...how, `--command=${TABLES}`)).trim() === '0';
  }

  async restore(path: string): Promise<void> {
    const how = ['--single-transaction', '--exit-on-error', '--no-owner', '--no-privileges'];
    await this.#run('restoring the database', 'pg_restore', ...how, `--dbname=${this.#address}`, path);
  }

  async #run(attempt: string, program: string, ...parameters: readonly string[]): Promise<string> {
    try {
      const options = { env: this.#environment, maxBuffer: OUTPUT_BYTES_MAX };
      return (await run(program, ['--no-password', ...parameters], options)).stdout;
    } catch (error) {
      const { code, stderr = '' } = error as { readonly code?: string | number; readonly stderr?: string };
      const remedy = code === 'ENOENT' ? `there is no ${program} here: install PostgreSQL's client programs` : '';
      const said = remedy || stderr.trim().split('\n').at(-1) || String(code);
      throw new SystemError('state-store-unavailable', `${attempt}: ${said}`);
    }
  }
}
