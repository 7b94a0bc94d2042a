/**
 * Owns environments as a client has them: built before they are needed, followed, listed. Never builds.
 */
import type { Environment, EnvironmentRequest } from '../../shared/model/environment.ts';
import { type EnvironmentEvent, follow, isEnvironmentOver, untilFinished } from './events.ts';
import type { CallOptions, EventOptions } from './execution-handle.ts';
import { type ListOptions, walk } from './pages.ts';
import { type Transport, toJson } from './transport.ts';

const pathOf = (id: string) => `/v1/environments/${encodeURIComponent(id)}`;

/** The environments of a tenant. */
export class Environments {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Has it built, if nobody has; how it is now. The same description is the same environment, so that asking again changes nothing. */
  declare(description: EnvironmentRequest, { signal }: CallOptions = {}): Promise<Environment> {
    return this.#transport.ask<Environment>({
      ...{ method: 'POST', path: '/v1/environments', body: toJson(description), signal },
      // A fresh build that was asked for twice is two builds.
      isRepeated: () => description.fresh !== true,
    });
  }

  /** The same, and waits until it is `ready` or `failed`; a signal ends the waiting, not the build. */
  async build(
    description: EnvironmentRequest,
    options: CallOptions & { readonly onEvent?: (event: EnvironmentEvent) => unknown } = {},
  ): Promise<Environment> {
    const { signal, onEvent } = options;
    const declared = await this.declare(description, { signal });
    if (isEnvironmentOver(declared)) return declared;
    if (onEvent === undefined) {
      const followed = { path: pathOf(declared.id), isOver: isEnvironmentOver, signal };
      return await untilFinished<Environment>(this.#transport, followed);
    }
    for await (const event of this.events(declared.id, { signal })) {
      await onEvent(event);
      if (event.type === 'finished') return event.data;
    }
    return await this.get(declared.id, { signal });
  }

  get(id: string, { signal }: CallOptions = {}): Promise<Environment> {
    return this.#transport.ask<Environment>({ method: 'GET', path: pathOf(id), signal });
  }

  /** What happens while it is built, to `finished`. */
  events(id: string, { signal, after }: EventOptions = {}): AsyncGenerator<EnvironmentEvent, void, undefined> {
    const followed = { path: pathOf(id), isOver: isEnvironmentOver, signal, after };
    return follow<Environment, EnvironmentEvent>(this.#transport, followed);
  }

  /** All of the tenant's, newest first. */
  list(options: ListOptions = {}): AsyncGenerator<Environment, void, undefined> {
    return walk<Environment>(this.#transport, '/v1/environments', options);
  }

  /** What can be built upon. */
  async bases({
    signal,
  }: CallOptions = {}): Promise<readonly { readonly name: string; readonly isDefault: boolean }[]> {
    type Bases = { readonly items: readonly { readonly name: string; readonly isDefault: boolean }[] };
    return (await this.#transport.ask<Bases>({ method: 'GET', path: '/v1/bases', signal })).items;
  }
}
