/**
 * Owns the settings of the pages that a coordinator serves: which there are, for whom. Never serves one.
 * Invariant: a page holds nothing of an instance; what it shows it asks the API for, with a key of whoever looks.
 */
import { isLoopback } from '../../shared/http/loopback.ts';
import { OneOf } from '../../shared/model/closed.ts';

const served = (what: string) =>
  OneOf(['auto', 'on', 'off'], {
    default: 'auto',
    description: `Serve ${what}; auto: where listenHost is a loopback address.`,
  });

/** Part of the coordinator's configuration. */
export const pageSettings = {
  console: served("the operator's console below /console/"),
  playground: served('the playground, where code is tried in a browser, below /playground/'),
};

/** The pages that there are. */
export type PageName = keyof typeof pageSettings;
export const pageNames = Object.keys(pageSettings) as readonly PageName[];

/** Is this page to be served? */
export function isPageServed(
  name: PageName,
  config: Readonly<Record<PageName, string>> & { readonly listenHost: string },
): boolean {
  return config[name] === 'on' || (config[name] === 'auto' && isLoopback(config.listenHost));
}
