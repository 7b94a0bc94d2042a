/**
 * Owns one execution of `true` in the base environment through an instance's HTTP API, as scenarios repeat it.
 * Never counts or times: who calls does. A verdict other than ok is an error: it would make a figure a lie.
 */
import type { Pool } from 'undici';
import type { Execution } from '../../shared/model/execution.ts';

const body = JSON.stringify({ environment: {}, run: { script: '#!/bin/true\n' } });

/** Submits it, waits for its end, and gives back what the instance says of it. */
export async function executeTrue(pool: Pool): Promise<Execution> {
  const answer = await pool.request({
    method: 'POST',
    path: '/v1/executions?wait=true',
    body,
    headers: { 'content-type': 'application/json' },
  });
  const execution = (await answer.body.json()) as Execution;
  if (execution.verdict !== 'ok') throw new Error(`'true' ended as ${execution.verdict}: ${JSON.stringify(execution)}`);
  return execution;
}
