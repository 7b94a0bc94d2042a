/**
 * Owns the settings of the pages that a coordinator serves: which there are, for whom. Never serves one.
 * Invariant: a page holds nothing of an instance; what it shows it asks the API for, with a key of whoever looks.
 */
import { isLoopback } from '../../shared/http/loopback.ts';
import { OneOf } from '../../shared/model/closed.ts';

/** Part of the coordinator's configuration. */
export const pageSettings = {
  console: OneOf(['auto', 'on', 'off'], {
    default: 'auto',
    description: "Serve the operator's console below /console/; auto: where listenHost is a loopback address.",
  }),
};

/** Is the console to be served? */
export function isConsoleServed({
  console,
  listenHost,
}: {
  readonly console: string;
  readonly listenHost: string;
}): boolean {
  return console === 'on' || (console === 'auto' && isLoopback(listenHost));
}
