/**
 * Owns the proof of recipes in the client library: what is asked, and what an unknown name is. Against a fetch that answers as a test says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEnvicutorError } from '../../client/typescript/client.ts';
import { ScriptedServer } from '../support/scripted-server.ts';

test('recipes are listed, and one is asked for by any name; a name that is nobody’s is an error that is not tried again', async () => {
  const server = new ScriptedServer();
  const client = server.client();
  server.answers.push(server.json(200, { items: [{ name: 'cpp' }] }), server.json(200, { name: 'cpp' }));
  assert.deepEqual(await client.recipes.list(), [{ name: 'cpp' }]);
  assert.deepEqual(await client.recipes.get('c++'), { name: 'cpp' });
  server.answers.push(server.problem(404, 'recipe-not-found'));
  await assert.rejects(client.recipes.get('c/..'), (error) => isEnvicutorError(error, 'recipe-not-found'));
  const asked = server.heard.map(({ method, url }) => `${method} ${new URL(url).pathname}`);
  assert.deepEqual(asked, ['GET /v1/recipes', 'GET /v1/recipes/c%2B%2B', 'GET /v1/recipes/c%2F..']);
  assert.equal(server.clock.pending, 0);
});
