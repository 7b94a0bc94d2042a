/**
 * Owns recipes as a client has them: environments that the server keeps ready, with the scripts that compile and run a source in them.
 * Never turns one into a request: shared/recipes/recipe-use.ts does, and what a recipe holds can be copied into one as it is.
 */
import type { Recipe } from '../../shared/recipes/recipe.ts';
import type { CallOptions } from './execution-handle.ts';
import type { Transport } from './transport.ts';

/** The recipes of a server. */
export class Recipes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** All of them, by name. */
  async list({ signal }: CallOptions = {}): Promise<readonly Recipe[]> {
    type Listing = { readonly items: readonly Recipe[] };
    return (await this.#transport.ask<Listing>({ method: 'GET', path: '/v1/recipes', signal })).items;
  }

  /** One, by its name or another name of it; EnvicutorError `recipe-not-found`, which says what was probably meant. */
  get(name: string, { signal }: CallOptions = {}): Promise<Recipe> {
    return this.#transport.ask<Recipe>({ method: 'GET', path: `/v1/recipes/${encodeURIComponent(name)}`, signal });
  }
}
