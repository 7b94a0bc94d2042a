/**
 * Owns what is known, while a request is handled, of the memory that its body as it came still holds: whoever counts what is in it says so, however far
 * that is from the server. Never counts anything itself. Invariant: what lives on after its request keeps nothing of it by this.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** What a body holds until it is given back. */
export interface HeldBody {
  /** Idempotent. */
  giveBack(): void;
}

const handled = new AsyncLocalStorage<HeldBody>();

/** Handles a request whose body holds something. */
export function handleBody<Answer>(body: HeldBody, handle: () => Answer): Answer {
  return handled.run(body, handle);
}

/** What the request that is being handled asks for is counted elsewhere from now on, or is not wanted. */
export function giveBodyBack(): void {
  handled.getStore()?.giveBack();
}
