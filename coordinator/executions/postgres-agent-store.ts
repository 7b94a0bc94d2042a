/**
 * Owns the AgentStore port over PostgreSQL: enrolled agents and one-time tokens. Never holds a token in clear, and never decides who is let in.
 * Invariant: agents and tokens come one at a time in all processes, so that their bounds hold exactly: a list of keys has a last place.
 */
import type { PostgresDatabase } from './postgres-database.ts';
import { toAgent } from './rows.ts';
import type { AgentStore } from './state-store.ts';

const AGENT = 'SELECT id, name, public_key, pool, enrolled_at, is_draining FROM agents';
const LAST = Number.MAX_SAFE_INTEGER;

/** Agents and tokens, in an open database. */
export function postgresAgentStore(database: PostgresDatabase): AgentStore {
  const find = async (sql: string, value: string) => {
    const [row] = await database.read(sql, [value]);
    return row === undefined ? null : toAgent(row);
  };
  return {
    addToken: (tokenDigest, expiresAtMs, pool, { nowMs, tokensMax } = { nowMs: 0, tokensMax: LAST }) =>
      database.transaction('enrolment', async (ask) => {
        const good = `SELECT count(*) AS count, min(expires_at) AS first FROM enrolment_tokens
          WHERE pool IS NOT DISTINCT FROM $1 AND expires_at > $2`;
        const [known] = await ask(good, [pool, nowMs]);
        if (Number(known?.['count']) >= tokensMax) return Number(known?.['first']);
        const sql = 'INSERT INTO enrolment_tokens (digest, expires_at, pool) VALUES ($1, $2, $3)';
        await ask(sql, [tokenDigest, expiresAtMs, pool]);
        return null;
      }),
    enrol: (tokenDigest, agent, nowMs, { agentsMax, poolAgentsMax } = { agentsMax: LAST, poolAgentsMax: LAST }) =>
      database.transaction('enrolment', async (ask) => {
        const { id, name, publicKey, enrolledAtMs, isDraining } = agent;
        await ask('DELETE FROM enrolment_tokens WHERE expires_at <= $1', [nowMs]);
        const [token] = await ask('SELECT pool FROM enrolment_tokens WHERE digest = $1', [tokenDigest]);
        if (token === undefined) return 'token-unknown';
        const pool = token['pool'] === null ? agent.pool : String(token['pool']);
        const [counts] = await ask(
          `SELECT (SELECT count(*) FROM agents) AS all_agents, (SELECT count(*) FROM agents WHERE pool = $1) AS in_pool,
             EXISTS (SELECT FROM pools WHERE name = $1 AND owner IS NOT NULL) AS is_owned`,
          [pool],
        );
        const isOwned = counts?.['is_owned'] === true;
        if (token['pool'] === null && isOwned) return 'pool-owned';
        if (Number(counts?.['all_agents']) >= agentsMax) return 'fleet-full';
        if (isOwned && Number(counts?.['in_pool']) >= poolAgentsMax) return 'pool-full';
        await ask('DELETE FROM enrolment_tokens WHERE digest = $1', [tokenDigest]);
        await ask(
          `INSERT INTO agents (id, name, public_key, pool, enrolled_at, is_draining) VALUES ($1, $2, $3, $4, $5, $6)`,
          [id, name, publicKey, pool, enrolledAtMs, isDraining],
        );
        return { ...agent, pool };
      }),
    get: (id) => find(`${AGENT} WHERE id = $1`, id),
    findByKey: (publicKey) => find(`${AGENT} WHERE public_key = $1`, publicKey),
    list: async () => (await database.read(`${AGENT} ORDER BY enrolled_at, id`)).map(toAgent),
    setDraining: async (id, isDraining) => {
      const sql = 'UPDATE agents SET is_draining = $2 WHERE id = $1 RETURNING id';
      return (await database.write(sql, [id, isDraining])).length > 0;
    },
  };
}
