/**
 * Owns how an agent is named inside answers about other things: executions and where they were placed.
 * Never says what it can do or how it is: that is an operator's to see.
 */
import { Type } from '@sinclair/typebox';
import { Closed } from './closed.ts';

/** An agent as a result names it. */
export const AgentUse = Closed(
  {
    id: Type.String({ description: '`agent_…`' }),
    name: Type.String({ description: 'As it calls itself.' }),
    pool: Type.String({ description: 'Where it is.' }),
  },
  { title: 'AgentUse', description: 'An agent as a result names it.' },
);
